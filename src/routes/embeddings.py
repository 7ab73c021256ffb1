"""`POST /v1/embeddings`."""

from __future__ import annotations

from lib.gateway.account import Account
from lib.gateway.call import ModelRequest, call_model
from lib.gateway.formats import openai_chat_answer, openai_embeddings, openai_errors
from lib.gateway.formats.openai_embeddings import EmbeddingsRequest
from lib.gateway.formats.openai_user import end_user
from lib.gateway.settlement import Call
from lib.http.request import Validated
from lib.http.response import Response
from lib.http.route import MIB, Dialect, Freshness, NoQuery, Route
from lib.identity.models import Scope
from lib.services import Services
from routes.schemas import PassedThrough


async def create_embeddings(
    services: Services, request: Validated[EmbeddingsRequest, NoQuery], account: Account
) -> Response:
    """Embed texts."""
    model_request = ModelRequest(
        call=Call(
            request.id,
            "embeddings",
            request.body.model,
            False,
            openai_embeddings.input_estimate(request.body),
            lambda _images: openai_embeddings.bound(request.body, request.json),
            end_user(request.json),
        ),
        path="/embeddings",
        body=lambda target, _output: openai_embeddings.upstream_body(request.json, target.upstream_model),
        usage=openai_chat_answer.usage_of_answer,
        output_estimate=lambda _answer: 0,
        told_error=openai_errors.told_error,
        has_output=False,
    )
    return await call_model(services.gateway, model_request, account, request, services.database.close)


ROUTES = [
    Route(
        method="POST",
        path="/v1/embeddings",
        handler=create_embeddings,
        summary="Embed texts",
        description="OpenAI's API.",
        responses={200: PassedThrough},
        permission=Scope.EMBEDDINGS_WRITE,
        dialect=Dialect.OPENAI,
        freshness=Freshness.GATE,
        body=EmbeddingsRequest,
        max_body_bytes=8 * MIB,
        errors=(402, 404, 502, 504),
    )
]
