"""Each body and answer in the OpenAPI document has an example that is one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from routes import ROUTES
from tests.seen import DOCUMENT
from tests.unit.web.test_openapi import OPERATIONS

SCHEMAS = DOCUMENT["components"]["schemas"]
TYPES = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict, "null": type(None)}
BODIES = {(route.method.lower(), route.path.replace(":path}", "}")): route.body for route in ROUTES if route.body}


def wrong(schema: Mapping[str, Any], value: Any, where: str = "") -> Iterator[str]:
    """Yield what is wrong with a value: the parts of JSON Schema that our document uses."""
    if "$ref" in schema:
        yield from wrong(SCHEMAS[schema["$ref"].rpartition("/")[2]], value, where)
    choices = schema.get("anyOf", schema.get("oneOf"))
    if choices and all(list(wrong(choice, value, where)) for choice in choices):
        yield f"{where}: {value!r} is none of {choices}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is none of {schema['enum']}"
    kind = schema.get("type")
    if kind in TYPES and (type(value) is not TYPES[kind]):
        yield f"{where}: {value!r} is no {kind}"
    elif kind is not None and kind in PARTS:
        yield from PARTS[kind](schema, value, where)


def wrong_text(schema: Mapping[str, Any], value: str, where: str) -> Iterator[str]:
    fits = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
    if not fits or not re.search(schema.get("pattern", ""), value):
        yield f"{where}: {value!r} is not what it should be"


def wrong_number(schema: Mapping[str, Any], value: int, where: str) -> Iterator[str]:
    if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{where}: {value} is too small or too large"


def wrong_list(schema: Mapping[str, Any], value: list[Any], where: str) -> Iterator[str]:
    for item in value:
        yield from wrong(schema.get("items", {}), item, f"{where}[]")


def wrong_object(schema: Mapping[str, Any], value: dict[str, Any], where: str) -> Iterator[str]:
    yield from (f"{where}.{name} is missing" for name in schema.get("required", []) if name not in value)
    properties = schema.get("properties", {})
    if schema.get("additionalProperties") is False:
        yield from (f"{where}.{name} is unknown" for name in value if name not in properties)
    for name in properties.keys() & value.keys():
        yield from wrong(properties[name], value[name], f"{where}.{name}")


PARTS: Mapping[str, Any] = {
    "string": wrong_text,
    "integer": wrong_number,
    "array": wrong_list,
    "object": wrong_object,
}


def examples() -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    for method, path, operation in OPERATIONS:
        contents = [("body", operation.get("requestBody", {}).get("content", {}))]
        contents += [(status, response.get("content", {})) for status, response in operation["responses"].items()]
        for what, content in contents:
            for media in content.values():
                name = f"{method} {path} {what}"
                if "examples" in media:
                    reference = media["examples"]["error"]["$ref"].rpartition("/")[2]
                    yield name, media["schema"], DOCUMENT["components"]["examples"][reference]["value"]
                else:
                    yield name, media["schema"], media["example"]  # a body or answer without one is a KeyError


@pytest.mark.parametrize(("name", "schema", "example"), [pytest.param(*one, id=one[0]) for one in examples()])
def test_an_example_fits_its_schema(name: str, schema: Mapping[str, Any], example: Any) -> None:
    assert list(wrong(schema, example)) == [], name


@pytest.mark.parametrize(("method", "path"), BODIES)
def test_a_body_may_be_sent_as_its_example(method: str, path: str) -> None:
    """Our own rules take it, not only its schema."""
    [content] = DOCUMENT["paths"][path][method]["requestBody"]["content"].values()
    BODIES[method, path].model_validate(content["example"])


def test_what_does_not_fit_is_noticed() -> None:
    """By the checker above."""
    budget = {"name": 5, "scope": {"type": "org"}, "window": "year", "limit_usd": "20.00", "mode": "hard", "x": 1}
    assert len(list(wrong({"$ref": "#/components/schemas/CreateBudget"}, budget))) == 3
    assert len(list(wrong({"$ref": "#/components/schemas/CreateBudget"}, {}))) == 2
