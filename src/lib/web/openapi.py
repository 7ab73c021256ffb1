"""The OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1), made from the routes' declarations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from lib.access.principal import SELF
from lib.http.cookies import SESSION_COOKIE
from lib.http.dialect import Dialect
from lib.kernel.errors import HeadgateError
from lib.web.examples import with_examples
from lib.web.operation import NoQuery
from lib.web.render import One, Page
from lib.web.route import Route
from lib.web.validate import FORM

VERSION = "0.1.0"
Document = dict[str, Any]
References = dict[tuple[Any, str], Document]
_REF = "#/components/schemas/{model}"
_PUBLISHED = {"Permission": "Scope"}  # the name of ours that clients' generated types have another one for

# What every route can answer, by whether it needs a key and whether it has a body.
_ERRORS = {
    400: "The request is malformed.",
    401: "The API key, token or session is missing, wrong, expired or revoked.",
    402: "A budget does not cover the call. The message says how much it needs and how much is left.",
    403: "The caller lacks the route's scope.",
    404: "There is no such thing, or the caller may not know of it.",
    408: "The body came too slowly.",
    409: "The state does not allow it now.",
    412: "It has changed since it was read.",
    413: "The body is over the limit.",
    414: "The path and query are too long.",
    415: "The body has another content type than is said here.",
    422: "A business rule says no.",
    428: "`If-Match` is missing.",
    429: "A limit is reached. `Retry-After` says when to try again.",
    502: "The provider can't be reached, or its answer makes no sense. Its own errors come through.",
    503: "A part that is needed can't be reached. `Retry-After` says when to try again.",
    504: "The provider did not answer in time.",
}
_TOKEN_TEXT = "An access token of `POST /api/v1/tokens`."  # noqa: S105 - a text
_SESSION_TEXT = "A browser's session, of `POST /api/v1/sessions`. What changes something needs `X-CSRF-Token` too."
_STATUS_TEXTS = {
    200: "Done.",
    201: "Made.",
    202: "Taken: a mail tells how it goes on.",
    204: "Done; there is nothing to tell.",
    303: "Go on there.",
    304: "You have this version already.",
}


def document(routes: Sequence[Route]) -> Document:
    """Return the document of `routes`."""
    dialects = list(dict.fromkeys(route.dialect for route in routes))
    references, definitions = _schemas(routes, dialects)
    paths: dict[str, Document] = {}
    for route in routes:
        path = route.path.replace(":path}", "}")
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, references)
    made: Document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Headgate",
            "version": VERSION,
            "summary": "An AI backend: an OpenAI-compatible gateway with keys, prices and usage.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {
                "apiKey": {"type": "http", "scheme": "bearer", "description": "An API key: `hg_…`"},
                "accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": _TOKEN_TEXT},
                "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE, "description": _SESSION_TEXT},
                "operatorToken": {"type": "http", "scheme": "bearer", "description": "Of `./headgate`: `hgo_…`"},
            },
        },
    }
    with_examples(made, _error_examples(dialects))
    return made


def _error_examples(dialects: Iterable[Dialect]) -> dict[str, Document]:
    """Return an error of each status, in each shape."""
    kinds = {error.status: error for error in HeadgateError.__subclasses__()}
    found: dict[str, Document] = {}
    for status, message in _ERRORS.items():
        failure = kinds[status].__new__(kinds[status])
        HeadgateError.__init__(failure, message)
        for dialect in dialects:
            example = dialect.error(failure, "01900000-0000-7000-8000-000000000001")
            found[f"{dialect.error_body.__name__}{status}"] = dict(example)
    return found


def _schemas(routes: Sequence[Route], dialects: Iterable[Dialect]) -> tuple[References, Document]:
    requests = {route.body for route in routes if route.body}
    told = {told for route in routes for told in route.responses.values() if told}
    envelopes = {one for one in told if isinstance(one, One | Page)}
    answers = {model for model in told if isinstance(model, type)} | {
        part for one in envelopes for part in (one.of, one.meta)
    }
    wanted: list[tuple[type[BaseModel], Any]] = [
        *((model, "validation") for model in sorted(requests, key=lambda model: model.__name__)),
        *((model, "serialization") for model in sorted(answers, key=lambda model: model.__name__)),
        *((dialect.error_body, "serialization") for dialect in dialects),
    ]
    references, definitions = models_json_schema(wanted, ref_template=_REF)
    named: References = {(model, str(mode)): reference for (model, mode), reference in references.items()}
    for one in envelopes:
        name, kind = f"{type(one).__name__}_{one.of.__name__}_", type(one).__name__
        definitions["$defs"][name] = _envelope(one, f"{kind}[{one.of.__name__}]", named)
        named[one, "serialization"] = {"$ref": _REF.format(model=name)}
    return named, dict(sorted(_published(definitions["$defs"]).items()))


def _envelope(one: One | Page, title: str, references: References) -> Document:
    thing, meta = (dict(references[model, "serialization"]) for model in (one.of, one.meta))
    return {
        "properties": {
            "data": {"items": thing, "title": "Data", "type": "array"} if isinstance(one, Page) else thing,
            "meta": meta,
        },
        "required": ["data", "meta"],
        "title": title,
        "type": "object",
    }


def _published(definitions: Document) -> Document:
    """Return schemas by the names that clients know them by. In place: a copy would stay in each isolate's memory."""
    renamed = {_REF.format(model=own): _REF.format(model=published) for own, published in _PUBLISHED.items()}
    _point_elsewhere(definitions, renamed)
    for own in _PUBLISHED.keys() & definitions.keys():
        definitions[_PUBLISHED[own]] = {**definitions.pop(own), "title": _PUBLISHED[own]}
    return definitions


def _point_elsewhere(schema: Any, renamed: Mapping[str, str]) -> None:
    for name, value in schema.items() if isinstance(schema, dict) else enumerate(schema):
        if name == "$ref":
            schema[name] = renamed.get(value, value)
        elif isinstance(value, dict | list):
            _point_elsewhere(value, renamed)


def _operation(route: Route, references: References) -> Document:
    operation: Document = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [_tag(route)],
        "parameters": [*_path_parameters(route.path), *_query_parameters(route.query), *_header_parameters(route)],
        "responses": {str(status): _response(route, status, references) for status in route.responses},
    }
    if route.description:
        operation["description"] = route.description
    if route.body:
        media_type = FORM if route.form else "application/json"
        content = {media_type: {"schema": references[(route.body, "validation")]}}
        operation["requestBody"] = {"required": True, "content": content}
        operation["x-max-body-bytes"] = route.max_body_bytes
    if route.permission:
        people: list[Document] = [{"accessToken": []}, {"session": []}]
        operation["security"] = people if route.permission == SELF else [{"apiKey": []}, *people]
        operation["x-scope"] = str(route.permission)
    if route.operator:
        operation["security"] = [{"operatorToken": []}]
    operation["responses"].update(_error_responses(route, references))
    return operation


def _tag(route: Route) -> str:
    if route.dialect.tag:
        return route.dialect.tag
    return "Operator" if route.operator else "Management" if route.permission else "Service"


def _response(route: Route, status: int, references: References) -> Document:
    model = route.responses[status]
    response: Document = {"description": _STATUS_TEXTS.get(status, "Not well.")}
    if model:
        response["content"] = {route.media_type: {"schema": references[(model, "serialization")]}}
    return response


def _error_responses(route: Route, references: References) -> Document:
    schema = references[(route.dialect.error_body, "serialization")]
    statuses = set(_possible_errors(route)) - set(route.responses)
    return {
        str(status): {"description": _ERRORS[status], "content": {"application/json": {"schema": schema}}}
        for status in sorted(statuses)
    }


def _possible_errors(route: Route) -> Iterable[int]:
    yield from (400, 414)
    if route.permission:
        yield from (401, 403, 429)
    if route.operator:
        yield 401
    if route.permission or route.operator or route.method != "GET":
        yield 503  # the store, a gate or a guard is away
    if route.body:
        yield from (408, 413, 415)
    if "{" in route.path:
        yield 404
    if route.idempotent:
        yield from (409, 422)
    yield from route.errors


def _path_parameters(path: str) -> list[Document]:
    names = re.findall(r"\{(\w+)(?::path)?\}", path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(query: type[BaseModel]) -> list[Document]:
    if query is NoQuery:
        return []
    schema = query.model_json_schema()
    required = schema.get("required", [])
    parameters = []
    for name, field in schema.get("properties", {}).items():
        parameter: Document = {"name": name, "in": "query", "required": name in required}
        if description := field.pop("description", None):
            parameter["description"] = description
        parameters.append({**parameter, "schema": _without_null(_inlined(field, schema.get("$defs", {})))})
    return parameters


def _inlined(field: Document, definitions: Document) -> Document:
    """A parameter's schema stands alone: what it refers to is put in its place."""
    if "$ref" in field:
        found: Document = definitions[field["$ref"].rpartition("/")[2]]
        return {name: value for name, value in found.items() if name not in ("title", "description")}
    choices = field.get("anyOf")
    return {**field, "anyOf": [_inlined(choice, definitions) for choice in choices]} if choices else field


def _without_null(field: Document) -> Document:
    """A query can leave a parameter out, but not say null: `?cursor=null` would be a text."""
    choices = [choice for choice in field.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == len(field.get("anyOf", [])):
        return field
    rest = {name: value for name, value in field.items() if name != "anyOf" and (name, value) != ("default", None)}
    return {**(choices[0] if len(choices) == 1 else {"anyOf": choices}), **rest}


def _header_parameters(route: Route) -> list[Document]:
    parameters = []
    if route.idempotent:
        schema = {"type": "string", "minLength": 1, "maxLength": 255}
        text = "Send the same value again to get the same answer again; the work is done once."
        parameters.append(_header("Idempotency-Key", text, schema=schema))
    if 412 in route.errors:
        text = "An ETag: the change is made only while this is the current version."
        parameters.append(_header("If-Match", text, required=428 in route.errors))
    if route.method == "PUT" and 412 in route.errors:
        parameters.append(_header("If-None-Match", "`*`: the thing is only created, never replaced."))
    if 304 in route.responses:
        parameters.append(
            _header("If-None-Match", "An ETag that you have: 304 tells that it is still the current one.")
        )
    return parameters


def _header(name: str, text: str, *, required: bool = False, schema: Document | None = None) -> Document:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": text,
        "schema": schema or {"type": "string"},
    }
