"""The signing keys: made when they are needed, published before they sign, kept until nothing of theirs lives."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from lib.sign_in import housekeeping
from lib.store.schema import SigningKeyRow
from lib.tokens import jwt, signing_key_store
from lib.tokens.jwt import InvalidToken
from lib.tokens.signing_keys import KEPT, LEAD, SIGNS, SigningKeys, public_jwk
from tests.unit.fakes import run
from tests.unit.sign_in.cpython_signatures import CPythonSignatures
from tests.unit.world import World, new_world


def rows(world: World) -> list[SigningKeyRow]:
    return run(signing_key_store.keys(world.parts.database, world.clock.now()))


def signing(world: World, keys: SigningKeys | None = None) -> str:
    """Return the id of the key that would sign now."""
    key = run((keys or world.parts.tokens).signing(world.parts)).key
    return str(key.id)


def test_a_new_deployment_makes_a_key_when_it_first_signs() -> None:
    """Another isolate signs with the same one, and both publish it."""
    world = new_world()
    assert rows(world) == []
    first = signing(world)
    other = SigningKeys(CPythonSignatures())
    assert signing(world, other) == first
    assert [row.id for row in run(other.published(world.parts))] == [first]
    assert len(rows(world)) == 1


def test_a_private_key_is_stored_sealed() -> None:
    """And opens only with the secret of the deployment: with another one a new key signs. None is published so."""
    world = new_world()
    signing(world)
    [row] = rows(world)
    assert "d" not in json.loads(row.public_jwk)
    assert '"d"' not in row.private_sealed
    assert set(public_jwk(row)) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    stranger = new_world(secret="t" * 32)
    run(signing_key_store.insert(stranger.parts.database, row))
    assert signing(stranger) != row.id


def test_keys_take_turns_with_an_overlap() -> None:
    """A year of daily jobs: there is always one that signs, it was published for days before, and stays for a day."""
    world = new_world()
    first_seen: dict[str, timedelta] = {}
    signed: list[str] = []
    for day in range(365):
        run(housekeeping.purge(world.parts))
        for row in rows(world):
            first_seen.setdefault(row.id, timedelta(days=day))
        current = signing(world, SigningKeys(CPythonSignatures()))
        if current not in signed:
            assert day == 0 or timedelta(days=day) - first_seen[current] >= LEAD - timedelta(days=1)
            signed.append(current)
        assert len(rows(world)) <= 3
        world.clock.advance(days=1)
    assert len(signed) == -(-365 // SIGNS.days)


def test_a_token_is_good_as_long_as_it_lives_although_its_key_signs_no_more() -> None:
    """An old key stays published until nothing that it has signed is valid."""
    world = new_world()
    tokens = world.parts.tokens
    key = run(tokens.signing(world.parts))
    text = run(jwt.issue(tokens.signatures, key.key, key.private_jwk, "at+jwt", {"sub": "x"}))
    world.clock.advance(days=SIGNS.days)
    assert signing(world) != key.key.id
    run(tokens.verifying(world.parts, jwt.parse(text)))
    world.clock.advance(seconds=KEPT.total_seconds())
    with pytest.raises(InvalidToken):
        run(tokens.verifying(world.parts, jwt.parse(text)))


def test_a_job_that_fails_for_days_does_no_harm() -> None:
    """The next who signs makes the key that is missing."""
    world = new_world()
    first = signing(world)
    world.clock.advance(days=100)
    assert signing(world) != first
    assert run(housekeeping.purge(world.parts))["signing_keys"] == 1


def test_a_key_of_another_isolate_is_found() -> None:
    """As soon as a token names it, although the copy here is still fresh: but not at once again."""
    world = new_world()
    here = SigningKeys(CPythonSignatures())
    assert run(here.published(world.parts)) == []
    key = run(world.parts.tokens.signing(world.parts))
    text = run(jwt.issue(here.signatures, key.key, key.private_jwk, "at+jwt", {"sub": "x"}))
    with pytest.raises(InvalidToken):
        run(here.verifying(world.parts, jwt.parse(text)))
    world.clock.advance(seconds=10)
    assert run(here.verifying(world.parts, jwt.parse(text))).id == key.key.id


def test_a_key_that_was_deleted_is_forgotten() -> None:
    """After five minutes at most, in every isolate: what an operator does with a key that leaked."""
    world = new_world()
    key = run(world.parts.tokens.signing(world.parts))
    run(world.parts.tokens.published(world.parts))
    world.binding.connection.execute("DELETE FROM signing_keys")
    text = run(jwt.issue(world.parts.tokens.signatures, key.key, key.private_jwk, "at+jwt", {"sub": "x"}))
    run(world.parts.tokens.verifying(world.parts, jwt.parse(text)))
    world.clock.advance(minutes=5)
    with pytest.raises(InvalidToken):
        run(world.parts.tokens.verifying(world.parts, jwt.parse(text)))


def test_a_token_names_its_key() -> None:
    """Even where there is only one."""
    world = new_world()
    signing(world)
    text = "eyJhbGciOiJFUzI1NiJ9.e30.AAAA"
    with pytest.raises(InvalidToken, match="names no key"):
        run(world.parts.tokens.verifying(world.parts, jwt.parse(text)))


def test_a_new_deployment_publishes_a_key() -> None:
    """The one that it will sign with: whoever asks first may keep the answer for minutes."""
    world = new_world()
    answer = world.ask("GET", "/.well-known/jwks.json", key=None)
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert [key["kid"] for key in answer.body["keys"]] == [signing(world)]
