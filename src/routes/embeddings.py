"""`POST /v1/embeddings`."""

from __future__ import annotations

from lib.gateway.account import Account
from lib.gateway.call import call_model
from lib.gateway.formats.openai.dialect import OPENAI
from lib.gateway.formats.openai.embeddings import EMBEDDINGS, EmbeddingsRequest
from lib.http.request import Validated
from lib.http.response import Response
from lib.http.route import MIB, Freshness, NoQuery, Route
from lib.identity.models import Scope
from lib.services import Services
from routes.schemas import PassedThrough


async def create_embeddings(
    services: Services, request: Validated[EmbeddingsRequest, NoQuery], account: Account
) -> Response:
    """Embed texts."""
    return await call_model(services.gateway, EMBEDDINGS, account, request, services.database.close)


ROUTES = [
    Route(
        method="POST",
        path="/v1/embeddings",
        handler=create_embeddings,
        summary="Embed texts",
        description="OpenAI's API.",
        responses={200: PassedThrough},
        permission=Scope.EMBEDDINGS_WRITE,
        dialect=OPENAI,
        freshness=Freshness.GATE,
        body=EmbeddingsRequest,
        max_body_bytes=8 * MIB,
        errors=(402, 404, 502, 504),
    )
]
