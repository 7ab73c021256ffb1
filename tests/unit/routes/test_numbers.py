"""Every number that comes from outside has a range, and none breaks a route: not one in it, not one beyond it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from lib.secrets import operator_tokens
from lib.web.route import Route
from routes import ROUTES
from tests.access_cases import name_of
from tests.seen import DOCUMENT
from tests.unit.gateway.fake_upstream import FakeAnswer
from tests.unit.routes.test_access import Scene, scene

Json = dict[str, Any]
Place = tuple[str | int, ...]
HUGE = 10**400
BEYOND = (HUGE, -HUGE, 2**63, -(2**63), 1e20, 1e308, -1e308)
NO_NUMBERS = ("1e400", "NaN", "Infinity", "-0x1", "1__0", "\u0661", "9" * 5_000)


def numbers(schema: Json, place: Place = ()) -> Iterator[tuple[Place, Json]]:
    """Yield where numbers may stand in a value, and what is said of each. An index is any element of a list."""
    if "$ref" in schema:
        yield from numbers(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]], place)
    if schema.get("type") in ("integer", "number"):
        yield place, schema
    for group in ("anyOf", "oneOf", "allOf"):
        for each in schema.get(group, ()):
            yield from numbers(each, place)
    for name, each in schema.get("properties", {}).items():
        yield from numbers(each, (*place, name))
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from numbers(schema[name], (*place, 0 if name == "items" else "x"))


def operation(route: Route) -> Json:
    found: Json = DOCUMENT["paths"][route.path.replace(":path}", "}")][route.method.lower()]
    return found


def in_bodies() -> list[Any]:
    """Return each place of a number in each body."""
    found = []
    for route in ROUTES:
        for content in operation(route).get("requestBody", {}).get("content", {}).values():
            for place, schema in dict(numbers(content["schema"])).items():
                found.append(pytest.param(route, place, schema, id=f"{name_of(route)} {'.'.join(map(str, place))}"))
    return found


def in_queries() -> list[Any]:
    return [
        pytest.param(route, parameter["name"], schema, id=f"{name_of(route)} ?{parameter['name']}")
        for route in ROUTES
        for parameter in operation(route).get("parameters", ())
        for _, schema in numbers(parameter["schema"])
    ]


BODIES, QUERIES = in_bodies(), in_queries()


def test_there_are_numbers_to_look_at() -> None:
    """Money, limits, minutes and tokens in bodies; how long a list shall be."""
    assert len(BODIES) > 10
    assert len(QUERIES) > 10


@pytest.mark.parametrize(("route", "place", "schema"), [*BODIES, *QUERIES])
def test_every_number_has_a_range(route: Route, place: object, schema: Json) -> None:  # noqa: ARG001
    """Said in the document, and so checked; and one that a row of a store can hold."""
    least, most = (schema.get(name, schema.get(f"exclusive{name.capitalize()}")) for name in ("minimum", "maximum"))
    assert least is not None
    assert most is not None
    assert -(2**63) < least <= most < 2**63


def put(body: Any, place: Place, value: object) -> Any:
    """Return a body with a value at a place; what stands around it is made where it is missing."""
    if not place:
        return value
    inner, *rest = place
    if inner == 0:
        return [put(None, tuple(rest), value)]
    fields = body if isinstance(body, dict) else {}
    return {**fields, inner: put(fields.get(str(inner)), tuple(rest), value)}


def status(scene: Scene, route: Route, query: str, body: Json | None) -> int:
    scene.saved.backup(scene.world.binding.connection)
    scene.world.upstream.script = [FakeAnswer()]
    key, path = scene.credentials["owner"], ""
    if route.operator:
        parts = scene.world.parts
        key = operator_tokens.new_token(parts.config.secret, parts.clock.now())
        path = re.sub(r"{\w+}", scene.things.org_id, route.path)
    target = (path or scene.things.path(route)) + query
    return scene.world.ask(route.method, target, body, key=key, headers={"if-match": "*"}).status


@pytest.mark.parametrize(("route", "place", "schema"), BODIES)
def test_no_number_in_a_body_breaks_a_route(route: Route, place: Place, schema: Json) -> None:
    """Beyond its range it is refused; at both ends of it it is served, or refused for another reason."""
    for value in BEYOND:
        assert 400 <= status(scene(), route, "", put(scene().things.body(route), place, value)) < 500, value
    for name in ("minimum", "maximum"):
        if name in schema:
            assert status(scene(), route, "", put(scene().things.body(route), place, schema[name])) < 500, name


@pytest.mark.parametrize(("route", "name", "schema"), QUERIES)
def test_no_number_in_a_query_breaks_a_route(route: Route, name: str, schema: Json) -> None:
    for value in (*BEYOND, *NO_NUMBERS):
        assert 400 <= status(scene(), route, f"?{name}={value}", scene().things.body(route)) < 500, value
    for end in ("minimum", "maximum"):
        assert status(scene(), route, f"?{name}={schema[end]}", scene().things.body(route)) < 500, end


@pytest.mark.parametrize(
    "field", ["n", "max_tokens", "max_completion_tokens", "temperature", "top_logprobs", "seed", "logit_bias", "x"]
)
@pytest.mark.parametrize("value", [*BEYOND, {"1": HUGE}, [HUGE, 1e308]])
def test_no_number_of_a_providers_own_breaks_us(field: str, value: object) -> None:
    """What is handed on untouched goes through our parser and our bounds too."""
    route = next(route for route in ROUTES if route.path == "/v1/chat/completions")
    body = {**(scene().things.body(route) or {}), field: value}
    assert status(scene(), route, "", json.loads(json.dumps(body))) < 500
