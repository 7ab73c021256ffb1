"""`POST /v1/chat/completions`."""

from __future__ import annotations

from lib.access.principal import Permission
from lib.gateway.call.call import call_model
from lib.gateway.callers.caller import Caller
from lib.gateway.formats.openai.chat import CHAT, ChatRequest
from lib.gateway.formats.openai.dialect import OPENAI
from lib.http.request import Validated
from lib.http.response import Response
from lib.web.app import App
from lib.web.operation import NoQuery
from lib.web.route import MIB, Freshness, Route
from routes.schemas import PassedThrough


async def create_chat_completion(parts: App, request: Validated[ChatRequest, NoQuery], account: Caller) -> Response:
    """Make a chat completion, streamed or whole."""
    return await call_model(parts.gateway, CHAT, account, request, parts.database.close)


ROUTES = [
    Route(
        method="POST",
        path="/v1/chat/completions",
        handler=create_chat_completion,
        summary="Make a chat completion",
        description="OpenAI's API. With `stream: true` the answer is a `text/event-stream`, ended by `[DONE]`. With the"
        " header `x-headgate-stream-cost: true` one event `headgate.cost` follows that.",
        responses={200: PassedThrough},
        permission=Permission.CHAT_WRITE,
        dialect=OPENAI,
        freshness=Freshness.GATE,
        body=ChatRequest,
        max_body_bytes=8 * MIB,
        errors=(402, 404, 502, 504),
    )
]
