"""Keys that are bound to something, as tests make and use them."""

from __future__ import annotations

from typing import Any

from lib.kernel.ids import new_id
from lib.store.tenant import Org
from tests.unit.fakes import NOW, run
from tests.unit.world import Answer, World

PAGE = "https://app.example"
HOME = {"cf-connecting-ip": "203.0.113.7"}
MINT: dict[str, Any] = {
    "end_user": "ann",
    "minutes": 15,
    "budget_nano_usd": 10**9,
    "models": ["sim/chat"],
    "origins": [PAGE],
}


def new_key(world: World, key: str = "", headers: dict[str, str] | None = None, **fields: Any) -> Any:
    """Make a key through the API; return what is told of it."""
    answer = world.ask("POST", "/api/v1/keys", {"name": "k", **fields}, key=key, headers=headers)
    assert answer.status == 201, answer.body
    return answer.data


def minted(world: World, key: str = "", **fields: Any) -> Any:
    """Mint a browser's key; return what is told of it."""
    answer = world.ask("POST", "/api/v1/keys/actions/mint", MINT | fields, key=key)
    assert answer.status == 201, answer.body
    return answer.data


def chat(world: World, key: str, model: str = "sim/chat", origin: str | None = None, **fields: Any) -> Answer:
    body = {"model": model, "messages": [{"role": "user", "content": "x"}], **fields}
    headers = HOME | ({"origin": origin} if origin else {})
    return world.ask("POST", "/v1/chat/completions", body, key=key, headers=headers)


def new_team(world: World, *members: str) -> str:
    """Make a team of the organisation."""
    team_id = new_id(NOW)
    sql = "INSERT INTO teams (id, org_id, name, created_at, updated_at) VALUES (?1, ?2, ?1, ?3, ?3)"
    run(world.parts.database.execute(Org(world.org_id), sql, team_id, world.org_id, NOW))
    sql = "INSERT INTO team_members (org_id, team_id, user_id, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)"
    for member in members:
        run(world.parts.database.execute(Org(world.org_id), sql, world.org_id, team_id, member, NOW))
    return team_id
