"""`/api/v1/budgets/actions/explain`: what would be decided for a call, and why."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lib.access.principal import Permission
from lib.admission.rules import MOST_END_USER
from lib.gateway import model_store
from lib.gateway.bounds import MOST_CHOICES, Bound
from lib.gateway.call.asking import ask_of, path_of
from lib.gateway.catalogue import find
from lib.kernel.text import PRINTABLE
from lib.keys import key_service, key_store, lineage
from lib.users import person_store
from lib.web.operation import Call, NoQuery
from lib.web.route import act

_Tokens = Annotated[int, Field(ge=0, le=100_000_000, strict=True)]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=PRINTABLE)]


class ExplainCall(BaseModel):
    """A call that nobody makes. Without `key_id` it is the asking key's own. `max_output_tokens` is for each choice."""

    model_config = ConfigDict(extra="forbid")
    model: _Text
    input_tokens: _Tokens
    max_output_tokens: Annotated[int, Field(ge=1, le=100_000_000, strict=True)] | None = None
    choices: Annotated[int, Field(ge=1, le=MOST_CHOICES, strict=True)] = 1
    key_id: Annotated[str, Field(max_length=36)] | None = None
    end_user: Annotated[str, StringConstraints(min_length=1, max_length=MOST_END_USER)] | None = None


class Explanation(BaseModel):
    """What the gate would say now. `code` and `rule_id` are those of the refusal, and null where there is none.

    `retry_after_ms` is null where waiting does not help, or nothing is in the way.
    """

    admitted: bool
    code: str | None
    rule_id: str | None
    retry_after_ms: int | None


async def explain(call: Call[ExplainCall, NoQuery]) -> Explanation:
    """Ask the gate what it would decide. Nothing is counted, and no provider is asked."""
    body = call.body
    row = await key_service.get(call.parts, call.principal, body.key_id or call.principal.key_id)
    routes = await model_store.routes_of(call.parts.database, call.org_id)
    gateway = call.parts.gateway
    model, target = await find(body.model, routes, gateway.providers, row.model_names, gateway.lists)
    teams = await person_store.covering_teams(call.parts.database, row.user_id, call.org_id) if row.user_id else ""
    path = path_of(
        call.org_id,
        lineage.line_of(row),
        model,
        row.end_user or body.end_user,
        team_id=row.team_id,
        user_id=row.user_id,
        makers=row.maker_line_ids or "",
        minted=row.kind == key_store.BROWSER,
        member_of=teams,
    )
    bound = Bound(body.input_tokens, body.max_output_tokens, body.choices, has_output=True)
    ask = ask_of(path, target, bound, body.input_tokens, gateway.output_floor)
    refusal = await call.parts.gates.explain(call.org_id, ask)
    if refusal is None:
        return Explanation(admitted=True, code=None, rule_id=None, retry_after_ms=None)
    wait = refusal.wait_ms if refusal.wait_ms > 0 else None
    return Explanation(admitted=False, code=refusal.code, rule_id=refusal.rule, retry_after_ms=wait)


ROUTES = [
    act(
        "/api/v1/budgets/actions/explain",
        Permission.BUDGETS_READ,
        explain,
        "Tell what would be decided for a call, and why",
        "Nothing is counted and no provider is asked. Limits and budgets are looked at as they are now.",
        errors=(404,),
    ),
]
