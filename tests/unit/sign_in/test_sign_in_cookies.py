"""What a browser carries while it is away: read by nobody, made by nobody else, for this browser and minutes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.issuers.issuer import SignInAttempt
from lib.kernel.errors import BadRequest
from lib.sign_in import sign_in_cookies
from lib.sign_in.sign_in_cookies import MOST_CHARACTERS, local_path, new_attempt
from tests.unit.fakes import NOW, run
from tests.unit.world import World, new_world

USER = "0190a000-0000-7000-8000-000000000001"


def begun(world: World) -> tuple[SignInAttempt, str]:
    attempt = new_attempt("acme", "/there?x=1", NOW, USER, "hgi_secret")
    return attempt, run(sign_in_cookies.seal_attempt(world.parts, attempt))


def opened(world: World, value: str | None, attempt: SignInAttempt, **other: str) -> SignInAttempt:
    asked = {"provider": attempt.provider, "state": attempt.state, **other}
    return run(sign_in_cookies.open_attempt(world.parts, value, **asked))


def test_it_comes_back_as_it_went() -> None:
    world = new_world()
    attempt, value = begun(world)
    assert opened(world, value, attempt) == attempt
    assert len(value) < MOST_CHARACTERS / 2


def test_each_attempt_has_secrets_of_its_own() -> None:
    """256 bits each; the verifier as RFC 7636, 4.1 wants it. None is in what gets printed."""
    attempts = [new_attempt("acme", "/", NOW) for _ in range(50)]
    secrets = {text for attempt in attempts for text in (attempt.state, attempt.nonce, attempt.verifier)}
    assert len(secrets) == 150
    assert all(43 <= len(attempt.verifier) <= 128 for attempt in attempts)
    assert not [text for text in secrets if text in repr(attempts)]


def test_the_browser_can_read_nothing_of_it() -> None:
    world = new_world()
    attempt, _ = begun(world)
    sealed = world.parts.sealer.sealed[-1]  # type: ignore[attr-defined]
    assert not [text for text in (attempt.state, attempt.nonce, attempt.verifier) if text.encode() in sealed]


@pytest.mark.parametrize("other", [{"provider": "evil"}, {"state": "another"}, {"state": ""}, {"state": "é"}])
def test_another_answer_is_not_this_attempts(other: dict[str, str]) -> None:
    """State: login CSRF. The provider: a mix-up."""
    world = new_world()
    attempt, value = begun(world)
    with pytest.raises(BadRequest) as refused:
        opened(world, value, attempt, **other)
    assert refused.value.code == "sign_in_expired"


def test_a_browser_that_has_not_begun_it_can_not_end_it() -> None:
    world = new_world()
    attempt, value = begun(world)
    for wrong in (None, "", "x", value[:-2], value + "A", "A" + value[1:], "A" * 5_000, "=", "é"):
        with pytest.raises(BadRequest):
            opened(world, wrong, attempt)


def test_it_ends_after_ten_minutes() -> None:
    world = new_world()
    attempt, value = begun(world)
    world.clock.advance(seconds=598)
    assert opened(world, value, attempt) == attempt
    world.clock.advance(seconds=2)
    with pytest.raises(BadRequest):
        opened(world, value, attempt)


def test_another_deployments_is_not_ours() -> None:
    world, other = new_world(), new_world(secret="another secret, that is long enough")
    attempt, value = begun(other)
    with pytest.raises(BadRequest):
        opened(world, value, attempt)


def test_one_kind_is_not_read_as_the_other() -> None:
    """Who has begun an attempt has not signed in anywhere."""
    world = new_world()
    attempt, value = begun(world)
    with pytest.raises(BadRequest):
        run(sign_in_cookies.open_code_wanted(world.parts, value))
    wanted = run(sign_in_cookies.seal_code_wanted(world.parts, USER, 3, "hgi_secret"))
    with pytest.raises(BadRequest):
        opened(world, wanted, attempt)
    assert run(sign_in_cookies.open_code_wanted(world.parts, wanted)).user_id == USER
    world.clock.advance(minutes=5)
    with pytest.raises(BadRequest):
        run(sign_in_cookies.open_code_wanted(world.parts, wanted))


@pytest.mark.parametrize("path", ["/", "/a/b?c=d&e=%20#f", "/api/v1/sessions/current", "/?next=//evil.example"])
def test_a_path_of_this_host_is_taken(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "", "there", "//evil.example", "///evil.example", "/\\evil.example", "\\/evil.example", "\\\\evil.example",
        "https://evil.example", "https:evil.example", "javascript:alert(1)", "/\t/evil.example", "/\n/evil.example",
        "/a\r\nset-cookie: x=y", "/ä", "/a b", " /a", "/\x00", "@evil.example", ".evil.example", "/" + "a" * 512,
    ],
)  # fmt: skip
def test_no_other_place_is(path: str) -> None:
    """An open redirect lends our name to whoever wants to steal passwords (RFC 9700, 4.11)."""
    with pytest.raises(ValueError, match="path of this host"):
        local_path(path)


@given(st.text(st.sampled_from("/\\\t\n .:@?#%abé"), max_size=12))
def test_what_is_taken_stays_on_this_host(text: str) -> None:
    """As the URL standard resolves it: our origin with the path behind it has no other host."""
    try:
        path = local_path(text)
    except ValueError:
        return
    assert path.startswith("/")
    assert not path.startswith("//")
    assert not set(path) & set("\\\t\n ")


def test_the_attempt_is_as_small_as_a_cookie_must_be() -> None:
    """With the longest of everything that it may carry."""
    world = new_world()
    attempt = new_attempt("a" * 31, "/" + "x" * 511, NOW, USER, "i" * 200)
    assert len(run(sign_in_cookies.seal_attempt(world.parts, attempt))) < MOST_CHARACTERS
