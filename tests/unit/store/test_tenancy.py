"""The wall between organisations on D1: which statements pass, which are refused, and that refusing comes first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lib.store import d1
from lib.store.database import Database, TenantViolation
from lib.store.tenancy import check_scope
from lib.store.tenant import EveryOrg, Joining, Member, Org, Person, Presented, Tenant
from tests.unit.fakes import run
from tests.unit.store.everything import use_everything
from tests.unit.store.sqlite_binding import new_database
from tests.unit.store.test_tenancy_leaks import VALUES, leak
from tests.unit.store.two_orgs import OTHER, OWN, TwoOrgs
from tests.unit.world import new_world

KEY = "INSERT INTO api_keys (id, org_id, name, prefix, secret_hash, scopes, created_at, updated_at)"
MODEL = "INSERT INTO models (org_id, id, provider, upstream_model, created_at, updated_at)"
REST = "'p', 'u', 't', 't'"
ROW = f"'m', {REST}"
TAKEN = f"{MODEL} VALUES (?1, 'm0', {REST})"
SAME = "model_prices.org_id = excluded.org_id"
MEMBER = "INSERT INTO memberships (user_id, org_id, role, created_at, updated_at)"
THEIR_PRICE = "theirs-price-0".ljust(36, "-")
PRICE = (
    "INSERT INTO model_prices (id, org_id, input_nano_usd_per_token, output_nano_usd_per_token, created_at, updated_at)"
    f" VALUES ('{THEIR_PRICE}', ?1, 9, 9, 't', 't')"
)

HELD = [
    "SELECT * FROM api_keys INDEXED BY api_keys_by_kind WHERE org_id = ?1",
    "SELECT * FROM models WHERE org_id = ?1",
    "SELECT * FROM models WHERE ?1 = models.org_id AND id <> ''",
    "SELECT * FROM models m WHERE m.id > ?2 AND m.org_id = ?1 ORDER BY m.id LIMIT 5",
    "SELECT * FROM orgs WHERE id = ?1",
    "SELECT * FROM models WHERE org_id = ?1 AND (id = 'm0' OR version > 1)",
    "SELECT * FROM models LEFT JOIN model_prices ON model_prices.org_id = models.org_id WHERE models.org_id = ?1",
    "SELECT * FROM models m JOIN model_prices p ON p.org_id = ?4 AND p.id = m.price_id WHERE m.org_id = p.org_id",
    "SELECT * FROM models, api_keys AS k WHERE models.org_id = ?1 AND k.org_id = models.org_id",
    "SELECT * FROM json_each('[1]') AS j LEFT JOIN models ON models.org_id = ?1",
    "SELECT u.name FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.org_id = ?1",
    "SELECT users.name FROM users, memberships WHERE memberships.org_id = ?1 AND memberships.user_id = users.id",
    "SELECT m.role, u.name FROM memberships m LEFT JOIN users u ON u.id = m.user_id WHERE m.org_id = ?1",
    "SELECT * FROM models WHERE org_id = ?1 AND EXISTS (SELECT 1 FROM api_keys WHERE org_id = ?1)",
    "SELECT (SELECT count(*) FROM api_keys k WHERE k.org_id = ?1 AND k.id > models.id) FROM models WHERE org_id = ?1",
    "SELECT * FROM (SELECT id FROM models WHERE org_id = ?1) AS own WHERE own.id <> ''",
    "SELECT id FROM models WHERE org_id = ?1 UNION ALL SELECT id FROM api_keys WHERE org_id = ?1",
    "SELECT CASE WHEN version > 1 THEN id ELSE '' END FROM models WHERE org_id = ?1 GROUP BY 1 HAVING count(*) > 0",
    "SELECT upstream_model, count(*) OVER (PARTITION BY id) FROM models WHERE org_id = ?1",
    "SELECT 'models -- WHERE' FROM models WHERE org_id = ?1",
    "UPDATE models SET version = version + 1 WHERE org_id = ?1",
    "UPDATE models AS m SET provider = 'x' WHERE m.org_id = ?1 RETURNING id",
    "UPDATE models SET provider = k.name FROM api_keys k WHERE models.org_id = ?1 AND k.org_id = models.org_id",
    "DELETE FROM models WHERE org_id = ?1 AND id IN (SELECT id FROM models WHERE org_id = ?1)",
    f"{MODEL} VALUES (?1, {ROW})",
    f"{MODEL} VALUES (?1, {ROW}), (?4, 'n', 'p', 'u', 't', 't')",
    f"{MODEL} SELECT ?1, k.id, 'p', 'u', 't', 't' FROM api_keys k WHERE k.org_id = ?1",
    f"{MODEL} SELECT k.org_id, k.id, 'p', 'u', 't', 't' FROM api_keys k WHERE k.org_id = ?1",
    f"{MODEL} VALUES (?1, {ROW}) ON CONFLICT DO NOTHING",
    f"{TAKEN} ON CONFLICT (org_id, id) DO UPDATE SET version = models.version + 1",
    f"{PRICE} ON CONFLICT (id) DO UPDATE SET updated_at = 'x' WHERE model_prices.org_id = excluded.org_id",
]

REFUSED = {
    "nothing holds it": [
        "SELECT * FROM models",
        "SELECT * FROM models WHERE id = ?1",
        "SELECT * FROM models WHERE id = 'm0' GROUP BY org_id HAVING org_id = ?1",
        "SELECT * FROM models ORDER BY org_id = ?1",
        "DELETE FROM models",
        "DELETE FROM models WHERE id = ?1",
        "UPDATE models SET provider = 'x'",
        "UPDATE models SET provider = 'x' WHERE id = 'm0'",
        "SELECT count(*) FILTER (WHERE org_id = ?1) FROM models",
    ],
    "something gets around the condition": [
        "SELECT * FROM models WHERE org_id = ?1 OR 1 = 1",
        "SELECT * FROM models WHERE 1 OR 1 AND org_id = ?1",
        "DELETE FROM models WHERE org_id = ?1 AND id = 'x' OR id = 'y'",
        "SELECT * FROM models WHERE NOT org_id = ?1",
        "SELECT * FROM models WHERE org_id = ?1 IS NULL",
        "SELECT * FROM models WHERE org_id = ?1 = 0",
        "SELECT * FROM models WHERE 0 = org_id = ?1",
        "SELECT * FROM models WHERE 0 < org_id = ?1",
        "SELECT * FROM models WHERE org_id = ?1 || ''",
        "SELECT * FROM models WHERE org_id = ?1 COLLATE nocase",
        "SELECT * FROM models WHERE org_id + 0 = ?1",
        "SELECT * FROM models WHERE lower(org_id) = ?1",
        "SELECT * FROM models WHERE org_id <> ?1",
        "SELECT * FROM models WHERE org_id >= ?1",
        "SELECT * FROM models WHERE org_id IS NOT ?1",
        "SELECT * FROM models WHERE org_id IN (?1, ?2)",
        "SELECT * FROM models WHERE org_id LIKE ?1",
        "SELECT * FROM models WHERE version BETWEEN 0 AND org_id = ?1",
        "SELECT * FROM models WHERE CASE WHEN org_id = ?1 THEN 0 ELSE 1 END",
        "SELECT * FROM models WHERE CASE WHEN 1 THEN 1 ELSE org_id = ?1 END",
        "SELECT * FROM models WHERE (org_id = ?1) IN (0, 1)",
        "SELECT * FROM models WHERE iif(0, org_id = ?1, 1)",
        "SELECT * FROM models WHERE (org_id, id) = (?1, 'm0')",
        "SELECT * FROM models WHERE created_at IS DISTINCT FROM 'x' OR 1 = 1 AND org_id = ?1",
        "SELECT * FROM models WHERE org_id = ?1 AND created_at IS DISTINCT FROM 'x' OR 1 = 1",
        "DELETE FROM models WHERE org_id = ?1 AND created_at IS NOT DISTINCT FROM 'x' OR 1 = 1",
        "UPDATE models SET provider = 'x' WHERE org_id = ?1 AND created_at IS DISTINCT FROM 'x' OR 1 = 1",
        "SELECT * FROM models m JOIN users u ON u.id IS DISTINCT FROM 'x' OR 1 WHERE m.org_id = ?1 OR 1",
    ],
    "a comment, a quoted name, or a second statement": [
        "SELECT * FROM models -- WHERE org_id = ?1",
        "SELECT * FROM models /* WHERE */ WHERE org_id = ?1",
        'SELECT * FROM "models" WHERE org_id = ?1',
        "SELECT * FROM [models]",
        "SELECT * FROM `models`",
        "SELECT * FROM models WHERE org_id = ?1; DELETE FROM models",
        "SELECT * FROM models WHERE org_id = $1",
        "SELECT * FROM models WHERE org_id = :org",
    ],
    "the table has another name": [
        "SELECT * FROM main.models",
        "SELECT * FROM main.models WHERE org_id = ?1",
        "SELECT * FROM (models) WHERE org_id = ?1",
        "SELECT * FROM (models, api_keys) WHERE models.org_id = ?1",
        "SELECT * FROM (models JOIN users) JOIN api_keys ON api_keys.org_id = ?1",
        "UPDATE main.models SET provider = 'x' WHERE org_id = ?1",
        "SELECT * FROM models INDEXED BY x",
        "SELECT * FROM models INDEXED BY x, api_keys WHERE models.org_id = ?1",
        "SELECT * FROM models INDEXED x WHERE org_id = ?1",
        "WITH all_models AS (SELECT * FROM models) SELECT * FROM all_models",
        "WITH models AS (SELECT * FROM models) SELECT * FROM models WHERE org_id = ?1",
        "SELECT * FROM users WHERE id IN models",
        "SELECT * FROM users WHERE id IN main.models",
        "SELECT * FROM users WHERE id IN (models)",
        "VALUES ((SELECT count(*) FROM models))",
    ],
    "another table is held": [
        "SELECT * FROM models JOIN api_keys ON 1 WHERE api_keys.org_id = ?1",
        "SELECT * FROM models, api_keys WHERE api_keys.org_id = ?1",
        "SELECT * FROM models CROSS JOIN api_keys WHERE api_keys.org_id = ?1",
        "SELECT * FROM models, users WHERE org_id = ?1",
        "SELECT * FROM models a, models b WHERE a.org_id = ?1",
        "SELECT * FROM models a, models b WHERE a.org_id = ?1 AND b.org_id = b.org_id",
        "SELECT * FROM models a, models b WHERE a.org_id = b.org_id",
        "SELECT * FROM models JOIN orgs ON orgs.id = ?1 AND models.org_id = orgs.name",
        "SELECT * FROM models AS api_keys, api_keys AS k WHERE api_keys.org_id = ?1",
        "SELECT * FROM users AS models, models AS m WHERE models.id = ?1",
        "SELECT * FROM users, json_each(?1) AS models WHERE models.value = ?1",
        "SELECT * FROM models a, orgs a WHERE a.org_id = ?1",
        "SELECT * FROM idempotent_answers a CROSS JOIN orgs a WHERE a.org_id = ?1",
        "SELECT * FROM models a, (SELECT ?1 AS org_id) AS b WHERE b.org_id = ?1",
        "SELECT * FROM models NATURAL JOIN api_keys WHERE models.org_id = ?1",
        "SELECT * FROM models JOIN api_keys USING (org_id) WHERE models.org_id = ?1",
        "SELECT * FROM models JOIN api_keys USING (id) WHERE models.org_id = ?1",
        "UPDATE models SET provider = 'x' FROM api_keys WHERE api_keys.org_id = ?1",
        "UPDATE models SET provider = api_keys.name FROM api_keys WHERE models.org_id = ?1",
    ],
    "an outer join keeps what its ON leaves out": [
        "SELECT * FROM models LEFT JOIN users ON models.org_id = ?1",
        "SELECT * FROM models m LEFT JOIN model_prices p ON p.org_id = ?1 AND m.org_id = ?1",
        "SELECT * FROM models m LEFT JOIN model_prices p ON p.org_id = ?1 AND m.org_id = p.org_id",
        "SELECT * FROM users RIGHT JOIN models ON models.org_id = ?1",
        "SELECT * FROM users FULL JOIN models ON models.org_id = ?1",
        "SELECT * FROM models m LEFT JOIN api_keys k ON k.id = m.id WHERE m.org_id = ?1",
    ],
    "a query inside of it is loose": [
        "SELECT (SELECT count(*) FROM api_keys) FROM models WHERE org_id = ?1",
        "SELECT * FROM models WHERE org_id = ?1 AND EXISTS (SELECT 1 FROM api_keys)",
        "SELECT * FROM models WHERE org_id = ?1 AND EXISTS (SELECT 1 FROM api_keys k WHERE k.org_id = models.org_id)",
        "SELECT * FROM models WHERE org_id = ?1 AND id IN (SELECT id FROM models)",
        "SELECT * FROM (SELECT * FROM models) AS m WHERE m.org_id = ?1",
        "SELECT * FROM models WHERE org_id = (SELECT org_id FROM api_keys WHERE id = ?1)",
        "SELECT * FROM models WHERE org_id = ?1 ORDER BY (SELECT count(*) FROM api_keys)",
        "SELECT * FROM models WHERE org_id = ?1 LIMIT (SELECT count(*) FROM api_keys)",
        "SELECT * FROM json_each((SELECT json_group_array(id) FROM api_keys))",
        "SELECT * FROM models WHERE org_id = ?1 UNION SELECT * FROM models",
        "SELECT * FROM models UNION ALL SELECT * FROM models WHERE org_id = ?1",
        "SELECT * FROM models WHERE org_id = ?1 EXCEPT SELECT * FROM models",
        "DELETE FROM models WHERE org_id = ?1 RETURNING (SELECT count(*) FROM api_keys)",
        "UPDATE models SET provider = (SELECT name FROM api_keys) WHERE org_id = ?1",
        f"{MODEL} VALUES (?1, (SELECT id FROM models), 'p', 'u', 't', 't')",
        f"{MODEL} SELECT ?1, id, 'p', 'u', 't', 't' FROM models",
        f"{MODEL} SELECT ?1, k.id, {REST} FROM (SELECT 1 AS conflict) AS c JOIN users ON conflict JOIN api_keys k",
        f"{MODEL} VALUES (?1, {ROW}) ON CONFLICT (org_id, id) DO UPDATE SET provider = (SELECT name FROM api_keys)",
    ],
    "a row is written for somebody else": [
        f"{MODEL} VALUES (?2, {ROW})",
        f"{MODEL} VALUES ('{OTHER}', {ROW})",
        f"{MODEL} VALUES (?1 || '', {ROW})",
        f"{MODEL} VALUES ((SELECT ?2), {ROW})",
        f"{MODEL} VALUES (coalesce(?2, ?1), {ROW})",
        f"{MODEL} VALUES (?1, {ROW}), (?2, {ROW})",
        f"{MODEL} VALUES (?1, {ROW}), ('{OTHER}', {ROW})",
        f"{MODEL} VALUES (?1, {ROW}) UNION ALL VALUES (?2, {ROW})",
        f"{MODEL} VALUES (?1, {ROW}) UNION ALL SELECT ?2, {ROW}",
        f"{MODEL} SELECT ?1, {ROW} UNION ALL SELECT ?2, {ROW}",
        f"{MODEL} SELECT ?1, {ROW} UNION SELECT '{OTHER}', {ROW}",
        f"{MODEL} SELECT k.name, {ROW} FROM api_keys k WHERE k.org_id = ?1",
        f"{MODEL} SELECT u.id, {ROW} FROM users u",
        f"{MEMBER} SELECT s.*, ?1, 't', 't' FROM (SELECT 'u' AS a, '{OTHER}' AS b) AS s",
        f"{MEMBER} SELECT s.*, ?1, 't', 't' FROM (SELECT 'u' AS a, ?2 AS b) AS s",
        f"INSERT INTO models VALUES (?1, {ROW})",
        f"INSERT INTO models (id, provider, upstream_model, created_at, updated_at) VALUES ({ROW})",
        "INSERT INTO models (id, org_id, org_id) VALUES ('m', ?2, ?1)",
        "INSERT INTO models DEFAULT VALUES",
        "INSERT INTO orgs (id, name, created_at, updated_at) VALUES (?2, 'x', 't', 't')",
    ],
    "a row changes hands": [
        "UPDATE models SET org_id = ?2 WHERE org_id = ?1",
        "UPDATE models SET provider = 'x', org_id = ?2 WHERE org_id = ?1",
        "UPDATE models SET (org_id) = (?2) WHERE org_id = ?1",
        "UPDATE models SET (provider, org_id) = ('x', ?2) WHERE org_id = ?1",
        "UPDATE models AS m SET org_id = ?2 WHERE m.org_id = ?1",
        "UPDATE orgs SET id = ?2 WHERE id = ?1",
        f"{TAKEN} ON CONFLICT (org_id, id) DO UPDATE SET org_id = ?2",
        f"{TAKEN} ON CONFLICT (org_id, id) DO UPDATE SET provider = 'a' IS DISTINCT FROM 'b', org_id = ?2",
        "UPDATE models SET provider = 'a' IS DISTINCT FROM 'b', org_id = ?2 WHERE models.org_id = ?1",
    ],
    "a conflict may be with another's row": [
        f"{PRICE} ON CONFLICT (id) DO UPDATE SET updated_at = 'x'",
        f"{PRICE} ON CONFLICT DO UPDATE SET updated_at = 'x'",
        f"{PRICE} ON CONFLICT (id) DO UPDATE SET updated_at = 'x' WHERE excluded.org_id = ?1",
        f"{PRICE} ON CONFLICT (id) DO UPDATE SET updated_at = 'x' WHERE model_prices.org_id = excluded.org_id OR 1",
        f"{PRICE} ON CONFLICT (id) DO UPDATE SET updated_at = 'x' WHERE model_prices.org_id <> excluded.org_id",
        f"{PRICE} ON CONFLICT (id) DO UPDATE SET updated_at = 'x' WHERE excluded.org_id = excluded.org_id",
        f"{PRICE} ON CONFLICT (id) WHERE model_prices.org_id = ?1 DO UPDATE SET updated_at = 'x'",
        f"{PRICE} ON CONFLICT (id) DO UPDATE SET updated_at = 'x' WHERE {SAME} AND 'a' IS DISTINCT FROM 'b' OR 1",
        f"{PRICE} ON CONFLICT (id) DO NOTHING ON CONFLICT DO UPDATE SET updated_at = 'x'",
        f"{PRICE} UNION ALL SELECT '{THEIR_PRICE}', ?1, 9, 9, 't', 't' ON CONFLICT DO UPDATE SET updated_at = 'x'",
        PRICE.replace("INSERT", "INSERT OR REPLACE"),
        PRICE.replace("INSERT", "INSERT OR IGNORE"),
        PRICE.replace("INSERT", "REPLACE"),
        "UPDATE OR REPLACE models SET id = 'x' WHERE org_id = ?1",
    ],
    "the place is another's, or none": [
        "SELECT * FROM models WHERE org_id = ?2",
        "SELECT * FROM models WHERE org_id = ?7",
        "SELECT * FROM models WHERE org_id = ?99999",
        "SELECT * FROM models WHERE org_id = ?0",
        "SELECT * FROM models WHERE id = ? AND org_id = ?",
        "SELECT * FROM models WHERE id <> ?2 AND org_id = ?",
        "SELECT * FROM models WHERE org_id = ? AND id <> ?1 AND ? <> ''",
        f"SELECT * FROM models WHERE org_id = '{OWN}'",
        "SELECT * FROM models WHERE org_id = org_id",
        "SELECT * FROM models WHERE org_id = NULL",
    ],
    "it is no statement of ours": [
        "",
        "EXPLAIN SELECT * FROM models WHERE org_id = ?1",
        "DROP TABLE models",
        "DROP TABLE users",
        "ALTER TABLE users RENAME TO people",
        "CREATE TABLE copied AS SELECT * FROM users",
        "CREATE VIEW v AS SELECT * FROM users",
        "PRAGMA foreign_keys = OFF",
        "ATTACH 'x' AS y",
        "VACUUM",
        "BEGIN",
        "(SELECT * FROM models WHERE org_id = ?1",
        "SELECT * FROM models WHERE org_id = ?1)",
    ],
}  # fmt: skip


def asked() -> list[tuple[Tenant, str, Sequence[object]]]:
    """Return every statement of the application, with its scope and its values."""
    found: list[tuple[Tenant, str, Sequence[object]]] = []

    def noting(scope: Tenant, sql: str, values: Sequence[object]) -> None:
        found.append((scope, sql, values))
        check_scope(scope, sql, values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(d1, "check_scope", noting)
        world = new_world()
        run(use_everything(world.parts, world.key))
    return list({sql: (scope, sql, values) for scope, sql, values in found}.values())


ASKED = asked()


def refusal(scope: Tenant, sql: str, values: Sequence[object] = VALUES) -> TenantViolation | None:
    """Return how a statement is refused, or None when it passes."""
    try:
        check_scope(scope, sql, values)
    except TenantViolation as refused:
        return refused
    return None


def test_all_that_the_application_asks_passes() -> None:
    """It ran: with fewer statements than these the list would be worth nothing."""
    assert len(ASKED) > 40
    assert {type(scope) for scope, _, _ in ASKED} == {Org, Person, Member, Joining, Presented, EveryOrg}


@pytest.mark.parametrize(
    ("scope", "sql", "values"),
    [entry for entry in ASKED if not isinstance(entry[0], EveryOrg)],
    ids=lambda part: part[:70] if isinstance(part, str) else "",
)
def test_what_the_application_asks_is_refused_for_anybody_else(
    scope: Tenant, sql: str, values: Sequence[object]
) -> None:
    """The same text with the same values, but as another organisation, or with another key."""
    assert refusal(scope, sql, values) is None
    kind: Any = type(scope)
    parts = [getattr(scope, name) for name in scope.__slots__]
    for at, part in enumerate(parts):
        if isinstance(scope, Joining) and part == scope.user_id and "count(*)" not in sql:
            continue  # it asks nothing of the person's memberships, so whose they are is all the same
        other = kind(*parts[:at], "x" * len(part), *parts[at + 1 :])
        assert refusal(other, sql, values) is not None


@pytest.mark.parametrize("sql", HELD)
def test_a_statement_that_is_held_passes_and_leaks_nothing(sql: str) -> None:
    """The wall is of use only if plain statements get through; and each of these really runs."""
    assert refusal(Org(OWN), sql) is None
    grounds = TwoOrgs(crowded=False), TwoOrgs(crowded=True)
    try:
        assert grounds[0].run(sql, VALUES).error is None
        assert leak(grounds, sql) is None
    finally:
        for ground in grounds:
            ground.close()


@pytest.mark.parametrize(
    "sql", [sql for statements in REFUSED.values() for sql in statements], ids=lambda sql: sql[:100] or "nothing"
)
def test_a_statement_that_might_reach_others_is_refused(sql: str) -> None:
    """As a violation of its scope, whatever is wrong with it."""
    assert refusal(Org(OWN), sql) is not None


def test_a_place_without_a_value_is_refused() -> None:
    """Also where nothing at all is bound."""
    for sql in ("SELECT * FROM models WHERE org_id = ?1", "SELECT * FROM models WHERE org_id = ?0"):
        assert refusal(Org(OWN), sql, []) is not None
    assert refusal(Org(OWN), "SELECT * FROM models WHERE org_id = ?2", [OWN]) is not None


def test_a_text_is_judged_for_each_set_of_values() -> None:
    """What is kept of a text is not whether it may run."""
    sql = "SELECT * FROM models WHERE org_id = ?"
    assert refusal(Org(OWN), sql, [OWN]) is None
    assert refusal(Org(OWN), sql, [OTHER]) is not None
    assert refusal(Org(OTHER), sql, [OWN]) is not None
    assert refusal(Org(OTHER), sql, [OTHER]) is None


HASH = "h" * 64
_HASHED = ("invitations", "sessions", "refresh_tokens", "mail_tokens", "logins")


@pytest.mark.parametrize(
    ("sql", "passes"),
    [
        ("SELECT org_id FROM api_keys WHERE secret_hash = ?1", True),
        ("SELECT k.org_id FROM api_keys AS k WHERE ?1 = k.secret_hash AND revoked_at IS NULL", True),
        ("SELECT org_id FROM api_keys WHERE org_id = ?1", False),
        ("SELECT org_id FROM api_keys", False),
        ("SELECT org_id FROM api_keys WHERE secret_hash = ?2", False),
        ("SELECT org_id FROM api_keys WHERE secret_hash = ?1 OR 1", False),
        ("SELECT * FROM api_keys JOIN models ON models.org_id = api_keys.org_id WHERE secret_hash = ?1", False),
        ("SELECT * FROM api_keys WHERE secret_hash = ?1 AND EXISTS (SELECT 1 FROM models)", False),
        ("SELECT * FROM models WHERE org_id = ?1", False),
        ("UPDATE api_keys SET name = 'x' WHERE secret_hash = ?1", False),
        ("DELETE FROM api_keys WHERE secret_hash = ?1", False),
        (f"{KEY} VALUES (?2, ?2, 'n', 'p', ?1, '[]', 't', 't')", False),
        *((f"SELECT id FROM {table} WHERE secret_hash = ?1", True) for table in _HASHED),
        ("SELECT id FROM users WHERE email = ?1", True),
        ("SELECT id FROM users WHERE id = ?1", False),
        ("SELECT * FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.secret_hash = ?1", False),
        ("SELECT * FROM sessions JOIN memberships m ON m.user_id = sessions.user_id WHERE secret_hash = ?1", False),
        ("SELECT * FROM recovery_codes WHERE code_hash = ?1", False),
        ("UPDATE refresh_tokens SET used_at = 't' WHERE secret_hash = ?1", False),
        ("DELETE FROM sessions WHERE secret_hash = ?1", False),
    ],
)
def test_who_presents_a_key_may_read_that_key_and_no_more(sql: str, passes: bool) -> None:
    """By its hash alone, and nothing is written."""
    assert (refusal(Presented(HASH), sql, [HASH, OTHER]) is None) is passes


@pytest.mark.parametrize(
    ("sql", "passes"),
    [
        ("DELETE FROM idempotent_answers WHERE created_at < ?", True),
        ("SELECT count(*) FROM idempotent_answers", True),
        ("UPDATE idempotent_answers SET answer = NULL", False),
        ("INSERT INTO idempotent_answers (org_id) VALUES (?1)", False),
        ("DELETE FROM models", False),
        ("DELETE FROM idempotent_answers WHERE key_hash IN (SELECT id FROM models)", False),
        ("SELECT * FROM idempotent_answers, api_keys", False),
        ("SELECT * FROM idempotent_answers UNION SELECT * FROM main.models", False),
        ("WITH x AS (SELECT 1) DELETE FROM idempotent_answers", False),
        ("DELETE FROM idempotent_answers; DELETE FROM models", False),
        ('DELETE FROM "models"', False),
    ],
)
def test_a_job_over_all_organisations_has_one_table(sql: str, passes: bool) -> None:
    """To read and to delete from."""
    assert (refusal(EveryOrg("idempotent_answers"), sql) is None) is passes


def test_what_is_refused_never_reaches_the_store() -> None:
    """Not even the statements of its group that are well."""
    database: Database
    database, binding = new_database()
    with pytest.raises(TenantViolation):
        run(database.execute(Org(OWN), "DELETE FROM models"))
    assert binding.statements == []
