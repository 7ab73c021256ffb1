"""The OpenAPI document: complete, well formed, the same each time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from lib.access.principal import SELF
from routes import ROUTES
from tests.seen import DOCUMENT, SEEN, Seen
from tests.unit.source_tree import ROOT, SRC

OPERATIONS: list[tuple[str, str, dict[str, Any]]] = [
    (method, path, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()
]
every_operation = pytest.mark.parametrize(
    ("method", "path", "operation"), OPERATIONS, ids=[f"{method} {path}" for method, path, _ in OPERATIONS]
)


def references(node: object) -> Iterator[str]:
    """Yield every `$ref` inside a document."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_the_root_has_what_the_specification_requires() -> None:
    """OpenAPI 3.1, 4.8.1: `openapi`, and `info` with a title and a version."""
    assert re.fullmatch(r"3\.1\.\d+", DOCUMENT["openapi"])
    assert DOCUMENT["info"]["title"]
    assert DOCUMENT["info"]["version"]


def test_it_is_plain_json() -> None:
    """Whatever a client's parser is, it reads it: no value that JSON lacks."""
    assert json.loads(json.dumps(DOCUMENT, allow_nan=False)) == DOCUMENT


def test_it_has_every_route_and_nothing_else() -> None:
    """A route is documented by being declared."""
    declared = {(route.method.lower(), route.path.replace(":path}", "}")) for route in ROUTES}
    assert declared == {(method, path) for method, path, _ in OPERATIONS}


def test_no_two_operations_share_an_id() -> None:
    """4.8.10: an operationId is unique in the document, since generated clients name their functions by it."""
    ids = Counter(operation["operationId"] for _, _, operation in OPERATIONS)
    assert [name for name, count in ids.items() if count > 1] == []


def test_every_reference_leads_somewhere() -> None:
    """A `$ref` names a schema that is in the document, and no schema is there for nothing."""
    there = {f"#/components/{kind}/{name}" for kind in ("schemas", "examples") for name in DOCUMENT["components"][kind]}
    assert set(references(DOCUMENT)) <= there
    schemas = {reference for reference in references(DOCUMENT) if reference.startswith("#/components/schemas/")}
    assert schemas == {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}


def test_schema_names_are_legal() -> None:
    """4.8.7: a component's name has letters, digits, `.`, `-` and `_` only."""
    assert [name for name in DOCUMENT["components"]["schemas"] if not re.fullmatch(r"[A-Za-z0-9._-]+", name)] == []


def test_no_schema_is_named_by_a_python_module() -> None:
    """Two models of one name would make pydantic fall back to names like `routes__keys__Key`, which then are API."""
    assert [name for name in DOCUMENT["components"]["schemas"] if "__" in name] == []


def test_paths_are_legal_and_different() -> None:
    """4.8.8: a path begins with a slash, and no two paths differ only in the names of their parameters."""
    assert all(path.startswith("/") and ":path" not in path for path in DOCUMENT["paths"])
    shapes = Counter(re.sub(r"\{\w+\}", "{}", path) for path in DOCUMENT["paths"])
    assert max(shapes.values()) == 1


@every_operation
def test_an_operation_is_well_formed(method: str, path: str, operation: dict[str, Any]) -> None:
    """Each has an id, a summary, a tag, and at least one answer; each answer has a description (4.8.17)."""
    assert method in {"get", "put", "post", "delete", "patch"}
    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", operation["operationId"])
    assert operation["summary"]
    assert operation["tags"]
    for status, response in operation["responses"].items():
        assert re.fullmatch(r"[1-5][0-9][0-9]", status)
        assert response["description"]
    assert path in DOCUMENT["paths"]


@every_operation
def test_parameters_are_declared_once_and_completely(method: str, path: str, operation: dict[str, Any]) -> None:
    """4.8.12: name and place are unique; the path's parameters are all there, and required."""
    places = [(parameter["name"], parameter["in"]) for parameter in operation["parameters"]]
    assert len(places) == len(set(places)), method
    in_path = {name for name, place in places if place == "path"}
    assert in_path == set(re.findall(r"\{(\w+)\}", path))
    for parameter in operation["parameters"]:
        assert "schema" in parameter
        assert parameter["required"] or parameter["in"] != "path"


@every_operation
def test_a_query_or_header_is_never_null(method: str, path: str, operation: dict[str, Any]) -> None:
    """A URL and a header have only texts, so a generated client must not offer to send null."""
    for parameter in operation["parameters"]:
        assert "null" not in json.dumps(parameter["schema"]), (method, path, parameter["name"])


@pytest.mark.parametrize(
    ("operation_id", "name", "required"),
    [
        ("update_key", "If-Match", True),
        ("put_org_model", "If-Match", False),
        ("put_org_model", "If-None-Match", False),
        ("delete_org_model", "If-Match", False),
        ("get_key", "If-None-Match", False),
        ("get_org_model", "If-None-Match", False),
        ("create_key", "Idempotency-Key", False),
    ],
)
def test_headers_that_a_route_reads_are_declared(operation_id: str, name: str, required: bool) -> None:
    """A generated client can send them, and must where the route refuses a request without."""
    [operation] = [operation for _, _, operation in OPERATIONS if operation["operationId"] == operation_id]
    [header] = [parameter for parameter in operation["parameters"] if parameter["name"] == name]
    assert (header["in"], header["required"]) == ("header", required)


@every_operation
def test_a_condition_can_be_sent_where_it_can_fail(method: str, path: str, operation: dict[str, Any]) -> None:
    """412 and 304 answer conditions: without the header in the document nobody could know of them."""
    headers = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "header"}
    assert ("412" in operation["responses"]) == ("If-Match" in headers), path
    assert ("304" in operation["responses"]) == ("If-None-Match" in headers and method == "get"), path


@every_operation
def test_a_key_is_asked_for_where_a_scope_is_needed(method: str, path: str, operation: dict[str, Any]) -> None:
    """A client can tell from the document where it needs a key, and of what scope."""
    [route] = [r for r in ROUTES if (r.method.lower(), r.path.replace(":path}", "}")) == (method, path)]
    if route.operator:
        assert operation["security"] == [{"operatorToken": []}]
        assert {"401", "503"} <= set(operation["responses"])
    elif route.permission is None:
        assert "security" not in operation
        assert ("401" in operation["responses"]) == (401 in route.errors)
    else:
        keys: list[object] = [] if route.permission == SELF else [{"apiKey": []}]
        assert operation["security"] == [*keys, {"accessToken": []}, {"session": []}]
        assert operation["x-scope"] == route.permission
        assert {"401", "403", "429", "503"} <= set(operation["responses"])
    assert ("requestBody" in operation) == (route.body is not None)


@every_operation
def test_an_error_has_the_dialect_of_its_api(method: str, path: str, operation: dict[str, Any]) -> None:
    """`/v1/` answers OpenAI's errors, everything else ours."""
    name = "OpenAIErrorBody" if path.startswith("/v1/") else "HeadgateErrorBody"
    assert set(references(operation["responses"]["400"])) == {
        f"#/components/schemas/{name}",
        f"#/components/examples/{name}400",
    }, method


def test_the_document_is_the_same_in_every_process() -> None:
    """It is committed and compared, so neither hashing nor memory addresses may show in it."""
    program = "from lib.web.openapi import document as d; from routes import ROUTES as r; print(repr(d(r)))"
    texts = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(SRC)},
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(texts) == 1


@pytest.mark.last
def test_every_status_that_any_test_saw_is_declared() -> None:
    """Whatever a client may get from a route is in its description. It runs behind all others."""
    assert SEEN.undeclared() == []


def test_a_status_that_is_not_declared_is_noticed() -> None:
    """By the route's own name, whatever stood in the path."""
    seen = Seen()
    for method, path, status in (("GET", "/api/v1/keys/x", 418), ("HEAD", "/livez", 418), ("GET", "/nothing", 418)):
        seen.note(method, path, status)
    seen.note("GET", "/api/v1/keys", 200)
    assert seen.undeclared() == ["GET /api/v1/keys/{id} 418", "GET /livez 418"]


def test_no_secret_is_asked_for_in_an_address() -> None:
    """Histories, proxies and logs keep addresses. A provider's code comes so only from one that can do no other."""
    secrets = re.compile(r"token|secret|invitation|password|code|key$")
    found = {
        (path, parameter["name"])
        for _, path, operation in OPERATIONS
        for parameter in operation["parameters"]
        if parameter["in"] == "query" and secrets.search(parameter["name"])
    }
    assert found == {("/api/v1/auth/{provider}/callback", "code")}
