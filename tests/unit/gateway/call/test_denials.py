"""Refusals that are remembered: never longer, never for others, and never under another policy than the gate's own."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.access.principal import Principal
from lib.gateway.call import denials as denials_module
from lib.gateway.call.admitting import Place, RequestsRefused
from lib.gateway.call.denials import CLOCKS_APART_MS, TRUSTED_MS, Denials, denial_name
from lib.gateway.call.refusing import Told
from lib.gateway.callers.cache import KvCache
from lib.gateway.callers.caller import Caller
from lib.kernel.errors import TooManyRequests
from tests.unit.fakes import FakeKv, run
from tests.unit.gateway.fake_upstream import FakeAnswer
from tests.unit.world import World, cold, new_world

ACCOUNT = Caller(Principal("org", "k1", frozenset(), None), {}, 3, "hash-1")
PATH = {"org": "org", "key": "k1", "model": "m", "end_user": "ann"}
T = 1_000_000


def refused(place: Place = ("org", "org", None), wait_ms: int = 3_000) -> RequestsRefused:
    refusal = TooManyRequests("no", code="requests_limit_reached")
    return RequestsRefused(refusal, "lim", Told("Ann's", 1, 0, 2), place, wait_ms, [2, 0, 600_000, wait_ms + 100])


def refuses(denials: Denials, now: int, path: dict[str, str] | None = None, account: Caller = ACCOUNT) -> bool:
    try:
        denials.check(account, path or PATH, now)
    except TooManyRequests:
        return True
    return False


def after(*refusals: RequestsRefused, kv: FakeKv | None = None) -> Denials:
    denials = Denials(KvCache(kv or FakeKv()))
    for refusal in refusals:
        denials.remember(ACCOUNT, refusal, T)
    return denials


def test_it_says_what_the_gate_said() -> None:
    """The same code, limit and message; the times as they are now."""
    denials = after(refused(wait_ms=3_500))
    with pytest.raises(TooManyRequests) as raised:
        denials.check(ACCOUNT, PATH, T + 1_000)
    error = raised.value
    assert error.message.endswith('The limit "Ann\'s" (lim) is reached: 2 at most, try again in 3 s.')
    assert (error.code, error.details[0]["limit_id"]) == ("requests_limit_reached", "lim")
    assert error.facts == {"rule_id": "lim", "bound": 1, "remaining": 0}
    assert error.headers["retry-after"] == "3"
    assert error.headers["ratelimit"] == '"requests";r=0;t=3'
    assert error.headers["ratelimit-policy"] == '"requests";q=2;w=600'
    assert error.headers["x-ratelimit-remaining-requests"] == "0"
    assert error.finish is not None
    assert run(error.finish()) == {"denial": "remembered"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("place", "concerned", "others"),
    [
        (("org", "org", None), {}, None),
        (("key", "k1", None), {}, {"key": "k2"}),
        (("model", "m", None), {"key": "k2"}, {"model": "n"}),
        (("key", "k1", "m"), {"end_user": "bob"}, {"model": "n"}),
        (("end_user", "ann", None), {"key": "k2"}, {"end_user": "bob"}),
    ],
)
def test_it_concerns_whom_the_limit_concerns(
    place: Place, concerned: dict[str, str], others: dict[str, str] | None
) -> None:
    """And nobody else."""
    denials = after(refused(place))
    assert refuses(denials, T + 1, PATH | concerned)
    if others is not None:
        assert not refuses(denials, T + 1, PATH | others)


def test_a_call_without_an_end_user_is_none_of_an_end_users() -> None:
    """Its path has no such level."""
    denials = after(refused(("end_user", "ann", None)))
    assert not refuses(denials, T + 1, {"org": "org", "key": "k1", "model": "m"})


def test_another_organisation_is_not_concerned() -> None:
    """Even with a key of the same id."""
    other = Caller(Principal("other", "k1", frozenset(), None), {}, 3, "hash-2")
    assert not refuses(after(refused(("key", "k1", None))), T + 1, account=other)


@given(st.integers(1, 10_000), st.integers(0, 20_000))
def test_it_ends_when_the_gate_would_let_in_and_is_believed_for_a_while(wait_ms: int, later: int) -> None:
    """Counted from when the gate was asked: who stays below its rate is never refused by memory."""
    assert refuses(after(refused(wait_ms=wait_ms)), T + later) == (later < min(wait_ms, TRUSTED_MS))


def test_it_holds_for_one_version_of_the_policy() -> None:
    """A change that this isolate knows of drops it."""
    denials = after(refused())
    newer = Caller(ACCOUNT.principal, {}, 4, "hash-1")
    assert not refuses(denials, T + 1, account=newer)
    assert not refuses(denials, T + 1)


def test_an_account_of_no_known_version_leaves_nothing() -> None:
    """Nobody could tell when it is over."""
    denials = Denials()
    unknown = Caller(ACCOUNT.principal, {}, None, "hash-1")
    denials.remember(unknown, refused(), T)
    assert not refuses(denials, T + 1, account=unknown)


def test_what_lasts_a_minute_is_told_to_others_once() -> None:
    """KV keeps nothing for less, and takes one write a second."""
    kv = FakeKv()
    denials = Denials(KvCache(kv))
    short, long, again, longer = refused(), refused(wait_ms=90_000), refused(wait_ms=84_500), refused(wait_ms=120_000)
    for refusal, asked in ((short, T), (long, T), (again, T + 5_500), (longer, T + 6_000)):
        denials.remember(ACCOUNT, refusal, asked)
    assert [refusal.finish is not None for refusal in (short, long, again, longer)] == [False, True, False, True]
    assert long.finish is not None
    run(long.finish())  # type: ignore[arg-type]
    assert kv.seconds == {denial_name("hash-1"): 90}


def test_a_new_isolate_believes_it_for_as_long_as_it_would_its_own() -> None:
    """From its first use on; the clocks of two machines may differ by a second."""
    kv, lasting = FakeKv(), refused(("key", "k1", None), 90_000)
    after(lasting, kv=kv)
    assert lasting.finish is not None
    run(lasting.finish())  # type: ignore[arg-type]
    [text] = kv.texts.values()
    cold = Denials()
    cold.recall("org", text)
    assert refuses(cold, T + 20_000)
    assert refuses(cold, T + 20_000 + TRUSTED_MS - 1)
    assert not refuses(cold, T + 20_000 + TRUSTED_MS)
    late = Denials()
    late.recall("org", text)
    assert not refuses(late, T + 90_000 - CLOCKS_APART_MS)


def test_kv_does_not_renew_what_is_known() -> None:
    """Else each new key of an organisation would make the isolate believe the same old denial for 5 seconds more."""
    denials = after(refused(wait_ms=90_000))
    denials.recall("org", json.dumps([["org", "org", None], "lim", [], 3, T + 90_000, [1, 2, 3]]))
    assert refuses(denials, T + TRUSTED_MS - 1)
    assert not refuses(denials, T + TRUSTED_MS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "{}",
        "[]",
        '[["org","org",null],"r",[],1,"soon",[1,2,3]]',
        '[["org","org",null],"r",1,9,[1,2,3]]',
        "[[1],2,3,4,5]",
    ],
)
def test_what_is_no_denial_refuses_nobody(text: str) -> None:
    """Whatever is in KV."""
    denials = Denials()
    denials.recall("org", text)
    assert not refuses(denials, T)


def test_a_denial_of_an_old_policy_refuses_nobody() -> None:
    """KV may still have it when the account is new."""
    denials = Denials()
    denials.recall("org", json.dumps([["org", "org", None], "r", [], 2, T + 90_000, [1, 2, 3]]))
    assert not refuses(denials, T)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest make room: they cost a call to the gate."""
    monkeypatch.setattr(denials_module, "MOST_ORGS", 2)
    monkeypatch.setattr(denials_module, "MOST_PLACES", 3)
    denials = Denials()
    for org in range(5):
        for user in range(9):
            account = Caller(Principal(f"o{org}", "k", frozenset(), None), {}, 3, f"h{org}-{user}")
            denials.remember(account, refused(("end_user", f"u{user}", None), 90_000), T)
    assert len(denials._known) == 2
    assert {len(places) for places in denials._known.values()} == {3}
    assert len(denials._published) <= 6


CHAT = {"model": "sim/chat", "messages": [{"role": "user", "content": "hi"}]}
LIMIT = {"scope": {"type": "org"}, "unit": "requests", "limit": 1, "window_seconds": 600}


def chat(world: World) -> tuple[int, object]:
    """Call a model; return the status, and whether a refusal was remembered."""
    answer = world.ask("POST", "/v1/chat/completions", CHAT)
    return answer.status, answer.facts.get("denial")


def limited(world: World) -> str:
    answer = world.ask("POST", "/api/v1/limits", LIMIT)
    assert answer.status == 201
    assert chat(world) == (200, None)
    assert chat(world) == (429, None)
    return str(answer.data["id"])


def test_the_gate_is_asked_again_every_five_seconds() -> None:
    """A flood costs it no more than that."""
    world = new_world()
    limited(world)
    asked = world.gates.asked
    for _ in range(50):
        assert chat(world) == (429, "remembered")
    assert world.gates.asked == asked
    world.clock.advance(milliseconds=TRUSTED_MS)
    assert [chat(world) for _ in range(3)] == [(429, None), (429, "remembered"), (429, "remembered")]


def test_a_change_on_this_isolate_holds_from_its_answer_on() -> None:
    """Nobody is refused by memory after the limit is gone."""
    world = new_world()
    limit_id = limited(world)
    assert chat(world) == (429, "remembered")
    assert world.ask("DELETE", f"/api/v1/limits/{limit_id}").status == 204
    assert chat(world) == (200, None)


def test_a_change_on_another_isolate_holds_after_five_seconds() -> None:
    """So long a new isolate believes what KV says."""
    world = new_world()
    limit_id = limited(world)
    cold(world)
    asked = world.gates.asked
    assert chat(world) == (429, "remembered")
    assert world.gates.asked == asked
    here, accounts = world.parts, world.gates._callers
    cold(world)  # the other one
    assert world.ask("DELETE", f"/api/v1/limits/{limit_id}").status == 204
    world.parts, world.gates._callers = here, accounts
    assert chat(world) == (429, "remembered")
    world.clock.advance(milliseconds=TRUSTED_MS)
    assert chat(world) == (200, None)


def test_other_rules_are_asked_each_time() -> None:
    """Tokens depend on the call, and what is under way ends at any moment."""
    for unit, more in (("tokens", {"window_seconds": 600}), ("concurrent", {})):
        world = new_world()
        body = {"scope": {"type": "org"}, "unit": unit, "limit": 1, **more}
        assert world.ask("POST", "/api/v1/limits", body).status == 201
        if unit == "concurrent":
            world.upstream.script = [FakeAnswer()]
            world.gates.of(world.org_id).handle(*opening(world))
        assert [chat(world) for _ in range(3)] == [(429, None)] * 3


def opening(world: World) -> tuple[int, str, int]:
    """A call that is under way at the gate, in the words of `Gate.handle`."""
    ask = {
        "path": {"org": world.org_id},
        "estimate": 1,
        "input_tokens": 1,
        "output_tokens": 1,
        "most_output": None,
        "choices": 1,
        "floor": 1,
        "input_price": 1,
        "output_price": 1,
        "call_price": 0,
    }
    return 2, json.dumps([["other", 2**50, {"cost_nano_usd": 0}, ask]]), 1
