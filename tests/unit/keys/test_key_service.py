"""The business rules of API keys: nobody gives more than they have, and every change reaches the gate."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lib.access.principal import Permission, Principal
from lib.gateway.callers.caller import Caller
from lib.kernel.errors import Conflict, Forbidden, NotFound, PreconditionFailed, Unavailable, UnprocessableEntity
from lib.kernel.ids import new_id
from lib.keys import key_service, key_store
from lib.store.schema import ApiKeyRow
from tests.unit.fakes import NOW, run
from tests.unit.sign_in.bound_keys import new_team
from tests.unit.store.seeds import revoke_key, seed_person
from tests.unit.world import World, new_world

WIDE = [Permission.CHAT_WRITE, Permission.KEYS_WRITE, Permission.USAGE_READ]


def make(world: World, *scopes: str, name: str = "a key") -> tuple[ApiKeyRow, str]:
    return run(key_service.create(world.parts, world.key.principal, name, scopes or ["chat:write"], None))


def narrow(world: World, *scopes: str) -> Principal:
    return world.new_key(*scopes).principal


def test_a_new_key_works_and_is_shown_by_its_prefix() -> None:
    """Its secret is told once; the store knows its hash."""
    world = new_world()
    row, secret = make(world, "usage:read", "chat:write")
    assert secret.startswith(row.prefix)
    assert row.scopes == {"chat:write", "usage:read"}
    assert (row.version, row.created_at, row.last_used_at) == (1, NOW, None)
    assert world.ask("GET", "/api/v1/usage", key=secret).status == 200


@pytest.mark.parametrize("scope", WIDE)
def test_a_key_cannot_give_more_than_its_maker_has(scope: Permission) -> None:
    """Else `keys:write` would be every scope."""
    world = new_world()
    maker = narrow(world, *(set(WIDE) - {scope}))
    with pytest.raises(Forbidden, match=scope.value):
        run(key_service.create(world.parts, maker, "x", WIDE, None))


def test_a_narrow_key_manages_no_wider_one() -> None:
    """Neither change, nor rotation (which would hand it the secret), nor revocation."""
    world = new_world()
    row, _ = make(world, *WIDE)
    maker = narrow(world, "keys:write")
    with pytest.raises(Forbidden):
        run(key_service.update(world.parts, maker, row, "mine", None))
    with pytest.raises(Forbidden):
        run(key_service.rotate(world.parts, maker, row.id, timedelta(0)))
    with pytest.raises(Forbidden):
        run(key_service.revoke(world.parts, maker, row.id))
    assert run(key_service.get(world.parts, world.key.principal, row.id)) == row


@pytest.mark.parametrize("key_id", ["", "nothing", "~", new_id(NOW)])
def test_what_is_not_there_is_not_found(key_id: str) -> None:
    """Whether it could be an id or not."""
    world = new_world()
    with pytest.raises(NotFound):
        run(key_service.get(world.parts, world.key.principal, key_id))


def test_another_organisations_key_is_not_found() -> None:
    """Not forbidden: that would tell that it exists."""
    world, other = new_world(), new_world()
    with pytest.raises(NotFound):
        run(key_service.get(world.parts, other.key.principal, world.key.principal.key_id))


@pytest.mark.parametrize("ends", [NOW, NOW - timedelta(days=1)])
def test_an_end_lies_in_the_future(ends: object) -> None:
    """A key that has run out already is a mistake; revoking is another call."""
    world = new_world()
    with pytest.raises(UnprocessableEntity):
        run(key_service.create(world.parts, world.key.principal, "x", ["chat:write"], ends))  # type: ignore[arg-type]
    row, _ = make(world)
    with pytest.raises(UnprocessableEntity):
        run(key_service.update(world.parts, world.key.principal, row, "x", ends))  # type: ignore[arg-type]


def test_an_end_that_has_passed_may_stay_while_the_name_changes() -> None:
    """Renaming an old key is no attempt to bring it back."""
    world = new_world()
    row, _ = run(key_service.create(world.parts, world.key.principal, "x", ["chat:write"], NOW + timedelta(hours=1)))
    world.clock.advance(days=1)
    renamed = run(key_service.update(world.parts, world.key.principal, row, "old", row.expires_at))
    assert (renamed.name, renamed.expires_at) == ("old", NOW + timedelta(hours=1))


def test_a_lost_update_is_refused() -> None:
    """The second of two who read the same version."""
    world = new_world()
    row, _ = make(world)
    run(key_service.update(world.parts, world.key.principal, row, "first", None))
    with pytest.raises(PreconditionFailed):
        run(key_service.update(world.parts, world.key.principal, row, "second", None))


def test_after_a_rotation_both_keys_work_for_the_overlap() -> None:
    """Then only the new one does."""
    world = new_world()
    row, old = make(world, "usage:read")
    new_row, new = run(key_service.rotate(world.parts, world.key.principal, row.id, timedelta(hours=1)))
    assert new_row.name == row.name
    assert [world.ask("GET", "/api/v1/usage", key=key).status for key in (old, new)] == [200, 200]
    world.clock.advance(hours=1)
    assert [world.ask("GET", "/api/v1/usage", key=key).status for key in (old, new)] == [401, 200]


def test_a_key_may_rotate_itself_without_losing_access() -> None:
    """An overlap of nothing ends the old one at once."""
    world = new_world()
    row, old = make(world, "keys:write", "keys:read")
    me = run(key_store.find_principal(world.parts.database, _hash(world, row)))
    assert me is not None
    _, new = run(key_service.rotate(world.parts, me, row.id, timedelta(0)))
    assert [world.ask("GET", "/api/v1/keys", key=key).status for key in (old, new)] == [401, 200]


def test_a_revoked_key_stays_revoked() -> None:
    """It can be neither changed nor rotated; revoking it again is harmless."""
    world = new_world()
    row, _ = make(world)
    run(key_service.revoke(world.parts, world.key.principal, row.id))
    run(key_service.revoke(world.parts, world.key.principal, row.id))
    revoked = run(key_service.get(world.parts, world.key.principal, row.id))
    for attempt in (
        key_service.update(world.parts, world.key.principal, revoked, "x", None),
        key_service.rotate(world.parts, world.key.principal, row.id, timedelta(0)),
    ):
        with pytest.raises(Conflict) as caught:
            run(attempt)
        assert caught.value.code == "key_revoked"


def test_every_change_is_told_to_the_gate_after_the_store_has_it() -> None:
    """So every isolate reads it anew; making a key changes nobody's. Its rules go to a key's successor."""
    world = new_world()
    row, _ = make(world)
    assert world.gates.changes == []
    row = run(key_service.update(world.parts, world.key.principal, row, "x", None))
    run(key_service.rotate(world.parts, world.key.principal, row.id, timedelta(0)))
    run(key_service.revoke(world.parts, world.key.principal, row.id))
    assert world.gates.told == ["accounts", "accounts", "rules", "accounts"]


def test_when_the_gate_is_away_the_revocation_is_not_reported_as_done() -> None:
    """The store has it; the caller is told to try again, and trying again is harmless."""
    world = new_world()
    row, _ = make(world)
    world.gates.failure = Unavailable("away")
    with pytest.raises(Unavailable):
        run(key_service.revoke(world.parts, world.key.principal, row.id))
    world.gates.failure = None
    run(key_service.revoke(world.parts, world.key.principal, row.id))
    assert world.gates.changes == [world.org_id]


def test_an_isolate_that_cached_a_key_refuses_it_after_its_revocation() -> None:
    """The account is read anew because its organisation's version changed."""
    world = new_world()
    chatter = world.new_key("chat:write")
    assert isinstance(run(world.parts.callers.find(world.parts.database, chatter.secret_hash, NOW)), Caller)
    run(revoke_key(world.parts.database, world.org_id, chatter.principal.key_id, NOW))
    run(world.parts.gates.accounts_changed(world.org_id))
    assert run(world.parts.callers.find(world.parts.database, chatter.secret_hash, NOW)) is None


def _hash(world: World, row: ApiKeyRow) -> str:
    [found] = world.binding.rows("SELECT secret_hash FROM api_keys WHERE id = ?", row.id)
    return str(found["secret_hash"])


def test_an_ending_key_makes_nothing_that_outlives_it() -> None:
    """Whoever stole it would keep what it was never given. Where no end is said, the maker's holds."""
    world = new_world()
    end = NOW + timedelta(hours=1)
    ending = replace(world.key.principal, expires_at=end)
    row, _ = run(key_service.create(world.parts, ending, "same end", [Permission.CHAT_WRITE], None))
    assert row.expires_at == end
    for later in (end + timedelta(seconds=1), NOW + timedelta(days=900)):
        with pytest.raises(Forbidden):
            run(key_service.create(world.parts, ending, "longer", [Permission.CHAT_WRITE], later))
    lasting, _ = run(key_service.create(world.parts, world.key.principal, "for ever", [Permission.CHAT_WRITE], None))
    with pytest.raises(Forbidden):
        run(key_service.rotate(world.parts, ending, lasting.id, timedelta(0)))
    with pytest.raises(Forbidden):
        run(key_service.update(world.parts, ending, row, "longer", None))


def test_a_key_that_is_over_is_not_rotated() -> None:
    """Its successor would be born with its end; the new key is the one to rotate."""
    world = new_world()
    row, _ = run(key_service.create(world.parts, world.key.principal, "k", [Permission.CHAT_WRITE], None))
    run(key_service.rotate(world.parts, world.key.principal, row.id, timedelta(hours=1)))
    with pytest.raises(Conflict):
        run(key_service.rotate(world.parts, world.key.principal, row.id, timedelta(hours=1)))


# Whose key it is (None: nobody's; team: it counts for that team, in which only Ada is), and who may manage it.
@pytest.mark.parametrize(
    ("owner", "team", "may"),
    [
        ("ada", False, {"ada", "admin", "owner", "root", "ada's key"}),
        ("ada", True, {"ada", "admin", "owner", "root", "ada's key", "team's key"}),
        ("bob", False, {"bob", "admin", "owner", "root"}),
        ("bob", True, {"admin", "owner", "root"}),
        (None, False, {"admin", "owner", "root", "nobody's key"}),
        (None, True, {"admin", "owner", "root", "nobody's key", "nobody's team key"}),
    ],
)
def test_whoever_could_have_made_a_key_may_manage_it(owner: str | None, team: bool, may: set[str]) -> None:
    """Rotation is making: else a developer gets anybody's secret, and spends that one's budget and that team's."""
    world = new_world()
    ids = {name: run(seed_person(world.parts.database, world.org_id, "developer", f"{name}@a.example")).id
           for name in ("ada", "bob", "eve")}  # fmt: skip
    team_id = new_team(world, ids["ada"])
    narrow = frozenset({Permission.KEYS_WRITE, Permission.CHAT_WRITE})
    server = replace(world.key.principal, scopes=narrow)
    callers = {
        **{name: replace(server, user_id=who, role="developer", kind="token") for name, who in ids.items()},
        **{role: replace(server, user_id=ids["eve"], role=role, kind="session") for role in ("admin", "owner")},
        "root": world.key.principal,
        "nobody's key": server,
        "ada's key": replace(server, user_id=ids["ada"]),
        "team's key": replace(server, user_id=ids["ada"], team_id=team_id),
        "nobody's team key": replace(server, team_id=team_id),
    }
    maker = replace(callers["owner"], user_id=ids[owner] if owner else None)
    maker = maker if owner else world.key.principal
    allowed = set()
    for name, caller in callers.items():
        made, _ = run(
            key_service.create(world.parts, maker, "k", sorted(narrow), None, team_id=team_id if team else None)
        )
        for attempt in (
            key_service.update(world.parts, caller, made, "mine", None),
            key_service.rotate(world.parts, caller, made.id, timedelta(hours=1)),
            key_service.revoke(world.parts, caller, made.id),
        ):
            try:
                run(attempt)
                allowed.add(name)
            except Forbidden:
                assert name not in may
    assert allowed == may


def test_an_ending_key_manages_none_that_lasts_longer() -> None:
    """Not even its name: what it may not make it may not touch."""
    world = new_world()
    ending = replace(world.key.principal, expires_at=NOW + timedelta(hours=1))
    for ends, may in ((None, False), (NOW + timedelta(hours=2), False), (NOW + timedelta(hours=1), True)):
        row, _ = run(key_service.create(world.parts, world.key.principal, "k", ["chat:write"], ends))
        for change in (
            lambda row=row: key_service.update(world.parts, ending, row, "x", row.expires_at),
            lambda row=row: key_service.revoke(world.parts, ending, row.id),
        ):  # fmt: skip
            try:
                run(change())
                assert may
            except Forbidden:
                assert not may
