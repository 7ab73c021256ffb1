"""`GET /v1/models`: what a client may name as a model."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel

from lib.access.principal import Permission, Principal
from lib.gateway import model_store
from lib.gateway.catalogue import find, names_of
from lib.gateway.formats.openai.dialect import OPENAI
from lib.http.request import Validated
from lib.http.response import Response
from lib.web import render
from lib.web.app import App
from lib.web.operation import NoQuery
from lib.web.route import Route

# OpenAI's clients want a date of creation; the providers' lists of ours have none.
_SINCE = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())


class Model(BaseModel):
    """A model, as OpenAI describes one."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelList(BaseModel):
    """All models. OpenAI's list has no pages."""

    object: Literal["list"] = "list"
    data: list[Model]


async def list_models(parts: App, _: Validated[None, NoQuery], principal: Principal) -> Response:
    """List the organisation's own models, then those of each provider that is configured.

    A key that is bound to models is shown those, and no others.
    """
    rows = await model_store.list_models(parts.database, principal.org_id, "", model_store.MODELS.most)
    gateway, created = parts.gateway, {row.id: int(row.created_at.timestamp()) for row in rows}
    routes = {row.id: row.route() for row in rows}
    names = await names_of(routes, gateway.providers, principal.models, gateway.lists)
    shown = [Model(id=name, created=created.get(name, _SINCE), owned_by=owner.name) for name, owner in names.items()]
    return render.bare(ModelList(data=shown))


async def get_model(parts: App, request: Validated[None, NoQuery], principal: Principal) -> Response:
    """Describe one model. Raises NotFound for a name that a request could not use either."""
    rows = await model_store.list_models(parts.database, principal.org_id, "", model_store.MODELS.most)
    gateway, routes = parts.gateway, {row.id: row.route() for row in rows}
    name, target = await find(request.path["model"], routes, gateway.providers, principal.models, gateway.lists)
    created = next((int(row.created_at.timestamp()) for row in rows if row.id == name), _SINCE)
    return render.bare(Model(id=name, created=created, owned_by=target.provider.name))


ROUTES = [
    Route(
        method="GET",
        path="/v1/models",
        handler=list_models,
        summary="List models",
        responses={200: ModelList},
        permission=Permission.MODELS_READ,
        dialect=OPENAI,
    ),
    Route(
        method="GET",
        path="/v1/models/{model:path}",
        handler=get_model,
        summary="Describe a model",
        responses={200: Model},
        permission=Permission.MODELS_READ,
        dialect=OPENAI,
    ),
]
