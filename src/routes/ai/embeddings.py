"""`POST /v1/embeddings`."""

from __future__ import annotations

from lib.access.principal import Permission
from lib.gateway.call.call import call_model
from lib.gateway.callers.caller import Caller
from lib.gateway.formats.openai.dialect import OPENAI
from lib.gateway.formats.openai.embeddings import EMBEDDINGS, EmbeddingsRequest
from lib.http.request import Validated
from lib.http.response import Response
from lib.web.app import App
from lib.web.operation import NoQuery
from lib.web.route import MIB, Freshness, Route
from routes.schemas import PassedThrough


async def create_embeddings(parts: App, request: Validated[EmbeddingsRequest, NoQuery], account: Caller) -> Response:
    """Embed texts."""
    return await call_model(parts.gateway, EMBEDDINGS, account, request, parts.database.close)


ROUTES = [
    Route(
        method="POST",
        path="/v1/embeddings",
        handler=create_embeddings,
        summary="Embed texts",
        description="OpenAI's API.",
        responses={200: PassedThrough},
        permission=Permission.EMBEDDINGS_WRITE,
        dialect=OPENAI,
        freshness=Freshness.GATE,
        body=EmbeddingsRequest,
        max_body_bytes=8 * MIB,
        errors=(402, 404, 502, 504),
    )
]
