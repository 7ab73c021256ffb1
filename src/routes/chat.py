"""`POST /v1/chat/completions`."""

from __future__ import annotations

from lib.gateway.account import Account
from lib.gateway.call import call_model
from lib.gateway.formats.openai.chat import CHAT, ChatRequest
from lib.gateway.formats.openai.dialect import OPENAI
from lib.http.request import Validated
from lib.http.response import Response
from lib.http.route import MIB, Freshness, NoQuery, Route
from lib.identity.models import Scope
from lib.services import Services
from routes.schemas import PassedThrough


async def create_chat_completion(
    services: Services, request: Validated[ChatRequest, NoQuery], account: Account
) -> Response:
    """Make a chat completion, streamed or whole."""
    return await call_model(services.gateway, CHAT, account, request, services.database.close)


ROUTES = [
    Route(
        method="POST",
        path="/v1/chat/completions",
        handler=create_chat_completion,
        summary="Make a chat completion",
        description="OpenAI's API. With `stream: true` the answer is a `text/event-stream`, ended by `[DONE]`. With the"
        " header `x-headgate-stream-cost: true` one event `headgate.cost` follows that.",
        responses={200: PassedThrough},
        permission=Scope.CHAT_WRITE,
        dialect=OPENAI,
        freshness=Freshness.GATE,
        body=ChatRequest,
        max_body_bytes=8 * MIB,
        errors=(402, 404, 502, 504),
    )
]
