"""Ways in that are removed at the same time, on both stores: nobody is left without one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from lib.identity import account_store, login_store
from lib.ids import new_id
from lib.store.schema import LoginRow
from lib.store.scope import Person
from tests.contract.support.store_targets import NOW, Target

ROUNDS = 5
WAYS = 4


def new_login(target: Target, person: Person) -> str:
    """Give a person one more way in; return its id."""
    login_id = new_id(datetime.now(UTC))
    row = LoginRow(login_id, person.id, login_id.ljust(64, "0"), "https://issuer.example", login_id, None, NOW, NOW)
    target.client.batch(person, login_store.insert(row))
    return login_id


def test_of_all_ways_in_that_are_removed_at_once_one_remains(target: Target) -> None:
    """Each sees another one to begin with; the last to be served finds none."""
    for _ in range(ROUNDS):
        person = Person(new_id(datetime.now(UTC)))
        target.client.batch(
            person, account_store.insert(person.id, f"{person.id}@example.com", "Alice", None, NOW, NOW)
        )
        logins = [new_login(target, person) for _ in range(WAYS)]

        def remove(login_id: str, person: Person = person) -> int:
            return target.client.batch(person, *login_store.remove(person.id, login_id, NOW))[-1]

        with ThreadPoolExecutor(WAYS) as pool:
            removed = list(pool.map(remove, logins))
        assert sorted(removed) == [0] + [1] * (WAYS - 1)
        left = target.client.query(person, {"id": str}, "SELECT id FROM logins WHERE user_id = ?", person.id)
        assert left == [(logins[removed.index(0)],)]
