"""`POST /v1/chat/completions`."""

from __future__ import annotations

from lib.gateway.account import Account
from lib.gateway.call import ModelRequest, StreamFormat, call_model
from lib.gateway.formats import openai_chat, openai_chat_answer, openai_errors
from lib.gateway.formats.openai_chat import ChatRequest
from lib.gateway.formats.openai_user import end_user
from lib.gateway.settlement import Call
from lib.gateway.telling import wants_cost_event
from lib.gateway.usage_sieve import UsageSieve
from lib.http.request import Validated
from lib.http.response import Response
from lib.http.route import MIB, Dialect, Freshness, NoQuery, Route
from lib.identity.models import Scope
from lib.services import Services
from routes.schemas import PassedThrough


async def create_chat_completion(
    services: Services, request: Validated[ChatRequest, NoQuery], account: Account
) -> Response:
    """Make a chat completion, streamed or whole."""
    chat = request.body
    model_request = ModelRequest(
        call=Call(
            request.id,
            "chat.completions",
            chat.model,
            bool(chat.stream),
            openai_chat.input_estimate(chat),
            lambda images: openai_chat.bound(chat, request.json, None, images),
            end_user(request.json),
            openai_chat.service_tier(request.json),
            openai_chat.reasons_unseen,
        ),
        path="/chat/completions",
        body=lambda target, output: openai_chat.upstream_body(
            request.json, target.upstream_model, output, target.output_field
        ),
        usage=openai_chat_answer.usage_of_answer,
        output_estimate=openai_chat_answer.answer_estimate,
        told_error=openai_errors.told_error,
        stream=_stream_format(request) if chat.stream else None,
    )
    return await call_model(services.gateway, model_request, account, request, services.database.close)


def _stream_format(request: Validated[ChatRequest, NoQuery]) -> StreamFormat:
    return StreamFormat(
        usage=openai_chat_answer.usage_of_stream,
        output_estimate=openai_chat_answer.output_estimate,
        completion=openai_chat_answer.completion,
        condense=openai_chat_answer.condense,
        new_sieve=None if request.body.wants_usage_event else UsageSieve,
        tells_cost=wants_cost_event(request.headers),
    )


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
        dialect=Dialect.OPENAI,
        freshness=Freshness.GATE,
        body=ChatRequest,
        max_body_bytes=8 * MIB,
        errors=(402, 404, 502, 504),
    )
]
