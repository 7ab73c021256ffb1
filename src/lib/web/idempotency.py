"""`Idempotency-Key`: a POST that is sent again is answered again, and done once.

Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/. An answer may hold a new secret, so
it is stored encrypted under a key that only the client's own header opens; the store has nothing but a hash of that.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from lib.access.principal import NONE, Principal
from lib.events.event import Policy
from lib.events.work import tell_gates
from lib.http.request import Validated
from lib.http.response import Response
from lib.kernel import json_body
from lib.kernel.errors import BadRequest, Conflict, UnprocessableEntity
from lib.store.tenant import EveryOrg, Org
from lib.web.route import Route

if TYPE_CHECKING:
    from lib.web.app import App

MOST_KEY_CHARACTERS = 255
_NOWHERE = "You are in no organisation, so no answer can be kept: send it without Idempotency-Key."
KEPT = timedelta(hours=24)
# A request that holds its key longer than this has died with its isolate.
ABANDONED = timedelta(seconds=60)


MAKES = 201  # a route with this success makes something each time
_LOST = Response(0, {}, b"")  # is kept in place of an answer that nobody got
_ANSWER_LOST = (
    "What this request was to make is made, but its answer was lost. Look it up. To make one more, take another key."
)


@dataclass(frozen=True, slots=True)
class _Row:
    request_hash: str
    answer: str | None
    created_at: datetime


async def once(
    parts: App,
    principal: Principal,
    route: Route,
    request: Validated[Any, Any],
    repeat_key: str,
    run: Callable[[], Awaitable[Response]],
) -> Response:
    """Run a request, or return the answer that the first one of this key got. Errors are not kept: they may be retried.

    But what was made before the error came (its gate could not be told, say) is not made again: Conflict, when the gate
    has been told. Raises Conflict too while the first is under way, and UnprocessableEntity when the key came with
    another request, or from a person who is in no organisation: answers are kept with one.
    """
    if principal.org_id == NONE:
        raise UnprocessableEntity(_NOWHERE, code="idempotency_unavailable", param="Idempotency-Key")
    if not 1 <= len(repeat_key) <= MOST_KEY_CHARACTERS:
        raise BadRequest(f"Idempotency-Key must have 1 to {MOST_KEY_CHARACTERS} characters.")
    # Of one caller only: another must not get its answer, and the secret in it, by guessing the header.
    place = f"idempotency\0{principal.key_id}\0{repeat_key}".encode()
    for pepper in parts.older:  # a request that came before the deployment's secret was another
        old = hmac.new(pepper, place, hashlib.sha256).digest()
        row = await _row(parts, principal.org_id, _name(old))
        if row is not None and _holds(row, parts.clock.now()):
            return await _replay(parts, principal.org_id, _name(old), _request_hash(route, request, old), old)
    sealing_key = hmac.new(parts.pepper, place, hashlib.sha256).digest()
    request_hash = _request_hash(route, request, sealing_key)
    claim = _Claim(parts, principal.org_id, sealing_key, parts.clock.now())
    if not await _take(parts, principal.org_id, claim.key_hash, request_hash, claim.at):
        return await _replay(parts, principal.org_id, claim.key_hash, request_hash, sealing_key)
    written = len(parts.written)
    try:
        response = await run()
    except BaseException:
        has_made = MAKES in route.responses and len(parts.written) > written
        await (claim.keep(_LOST) if has_made else claim.release())  # else a budget would be topped up twice
        raise
    await claim.keep(response)
    return response


class _Claim(NamedTuple):
    """A key that a request has taken. Where the request took too long the next one has it, and what is done here to it
    comes to nothing.
    """

    parts: App
    org_id: str
    sealing_key: bytes
    at: datetime

    @property
    def key_hash(self) -> str:
        return _name(self.sealing_key)

    async def keep(self, answer: Response) -> None:
        sealed = await self.parts.sealer.seal(self.sealing_key, _pack(answer))
        values = (base64.b64encode(sealed).decode(), self.parts.clock.now(), self.org_id, self.key_hash, self.at)
        await self.parts.database.execute(Org(self.org_id), _KEEP, *values)

    async def release(self) -> None:
        await self.parts.database.execute(Org(self.org_id), _RELEASE, self.org_id, self.key_hash, self.at)


async def purge(parts: App) -> int:
    """Delete answers older than a day; return how many."""
    oldest = parts.clock.now() - KEPT
    every_org = EveryOrg("idempotent_answers")
    return await parts.database.execute(every_org, "DELETE FROM idempotent_answers WHERE created_at < ?", oldest)


_KEEP = "UPDATE idempotent_answers SET answer = ?, updated_at = ? WHERE org_id = ? AND key_hash = ? AND created_at = ?"
_RELEASE = "DELETE FROM idempotent_answers WHERE org_id = ? AND key_hash = ? AND created_at = ? AND answer IS NULL"


async def _take(parts: App, org_id: str, key_hash: str, request_hash: str, now: datetime) -> bool:
    """Take the key for this request; tell whether it was free. An abandoned or outdated one is free."""
    changed = await parts.database.execute(
        Org(org_id),
        "INSERT INTO idempotent_answers (org_id, key_hash, request_hash, created_at, updated_at)"
        " VALUES (?1, ?2, ?3, ?4, ?4) ON CONFLICT (org_id, key_hash) DO UPDATE SET"
        " request_hash = excluded.request_hash, answer = NULL, created_at = excluded.created_at,"
        " updated_at = excluded.updated_at"
        " WHERE idempotent_answers.created_at < ?6"
        " OR (idempotent_answers.answer IS NULL AND idempotent_answers.created_at < ?5)",
        org_id,
        key_hash,
        request_hash,
        now,
        now - ABANDONED,
        now - KEPT,
    )
    return changed > 0


def _holds(row: _Row, now: datetime) -> bool:
    """Tell whether a row is neither outdated nor abandoned: `_take` asks the same of those under the secret of now."""
    return now - row.created_at <= (ABANDONED if row.answer is None else KEPT)


def _name(sealing_key: bytes) -> str:
    return hashlib.sha256(sealing_key).hexdigest()


async def _row(parts: App, org_id: str, key_hash: str) -> _Row | None:
    return await parts.database.one(
        Org(org_id),
        _Row,
        "SELECT request_hash, answer, created_at FROM idempotent_answers WHERE org_id = ? AND key_hash = ?",
        org_id,
        key_hash,
    )


async def _replay(parts: App, org_id: str, key_hash: str, request_hash: str, sealing_key: bytes) -> Response:
    row = await _row(parts, org_id, key_hash)
    if row is None or (row.answer is None and row.request_hash == request_hash):
        raise Conflict("A request with this Idempotency-Key is under way.", code="idempotency_in_progress")
    if row.request_hash != request_hash or row.answer is None:
        raise UnprocessableEntity("This Idempotency-Key was used for another request.", code="idempotency_key_reused")
    answer = _unpack(await parts.sealer.open(sealing_key, base64.b64decode(row.answer)))
    if answer.status == _LOST.status:
        await tell_gates(parts.gates, {org_id: Policy.ACCOUNTS | Policy.RULES})
        raise Conflict(_ANSWER_LOST, code="idempotency_answer_lost")
    return answer


def _request_hash(route: Route, request: Validated[Any, Any], key: bytes) -> str:
    """Keyed, since a body may hold a password: a plain hash in a stolen database could be guessed at, very fast."""
    body = json.dumps(request.json, sort_keys=True).encode()
    place = json.dumps([route.method, route.path, dict(request.path)], sort_keys=True).encode()
    return hmac.new(key, place + b"\0" + body, hashlib.sha256).hexdigest()


def _pack(response: Response) -> bytes:
    body = response.body if isinstance(response.body, bytes) else b""
    return json_body.dump({"status": response.status, "headers": dict(response.headers), "body": body.decode()})


def _unpack(text: bytes) -> Response:
    packed = json.loads(text)
    headers = {**packed["headers"], "idempotency-replayed": "true"}
    return Response(packed["status"], headers, packed["body"].encode())
