"""What one person does at the same time, on both stores: it keeps a way in, and is not in too many organisations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from lib.kernel.ids import new_id
from lib.sign_in import login_store
from lib.store.schema import LoginRow
from lib.store.tenant import Joining, Person
from lib.tenants import org_store
from lib.users import account_store
from tests.contract.support.store_targets import NOW, Target

ROUNDS = 5
WAYS = 4
MOST, MAKERS = 3, 8


def new_person(target: Target) -> Person:
    """Make an account."""
    person = Person(new_id(datetime.now(UTC)))
    target.client.batch(person, account_store.insert(person.id, f"{person.id}@example.com", "Alice", None, NOW, NOW))
    return person


def new_login(target: Target, person: Person) -> str:
    """Give a person one more way in; return its id."""
    login_id = new_id(datetime.now(UTC))
    row = LoginRow(login_id, person.id, login_id.ljust(64, "0"), "https://issuer.example", login_id, None, NOW, NOW)
    target.client.batch(person, login_store.insert(row))
    return login_id


def test_of_all_ways_in_that_are_removed_at_once_one_remains(target: Target) -> None:
    """Each sees another one to begin with; the last to be served finds none."""
    for _ in range(ROUNDS):
        person = new_person(target)
        logins = [new_login(target, person) for _ in range(WAYS)]

        def remove(login_id: str, person: Person = person) -> int:
            return target.client.batch(person, *login_store.remove(person.id, login_id, NOW))[-1]

        with ThreadPoolExecutor(WAYS) as pool:
            removed = list(pool.map(remove, logins))
        assert sorted(removed) == [0] + [1] * (WAYS - 1)
        left = target.client.query(person, {"id": str}, "SELECT id FROM logins WHERE user_id = ?", person.id)
        assert left == [(logins[removed.index(0)],)]


def test_of_all_organisations_that_are_made_at_once_as_many_are_made_as_may(target: Target) -> None:
    """Each is another organisation's group and counts where its maker is a member; two at once don't both find room."""
    for _ in range(ROUNDS):
        person = new_person(target)

        def make(_: int, person: Person = person) -> list[int]:
            org_id = new_id(datetime.now(UTC))
            return target.client.batch(
                Joining(org_id, person.id), *org_store.insert(org_id, "Acme", person.id, MOST, NOW)
            )

        with ThreadPoolExecutor(MAKERS) as pool:
            made = list(pool.map(make, range(MAKERS)))
        assert sorted(made) == [[0, 0]] * (MAKERS - MOST) + [[1, 1]] * MOST
        sql = "SELECT org_id FROM memberships WHERE user_id = ?"
        assert len(target.client.query(person, {"org_id": str}, sql, person.id)) == MOST
