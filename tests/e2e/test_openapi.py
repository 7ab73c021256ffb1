"""The API's description of itself: OpenAPI 3.1 at /openapi.json, and a page for people at /docs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from routes import ROUTES
from tests.e2e.support.headgate import Headgate, Json
from tests.seen import DOCUMENT, SEEN

METHODS = {"get", "put", "post", "patch", "delete"}


@pytest.fixture(scope="module")
def document(headgate: Headgate) -> Json:
    answer = headgate.http.get(f"{headgate.base_url}/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    return dict(answer.json())


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def nodes(value: Any) -> Iterator[Json]:
    """Every object in the document."""
    if isinstance(value, dict):
        yield value
        for child in value.values():
            yield from nodes(child)
    elif isinstance(value, list):
        for child in value:
            yield from nodes(child)


def test_its_frame(document: Json) -> None:
    """It is a document of OpenAPI 3.1 with a title, a version, and how to prove who one is."""
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"]["title"]
    assert document["info"]["version"]
    schemes = document["components"]["securitySchemes"]
    assert {scheme["type"] for scheme in schemes.values()} == {"http", "apiKey"}


def test_every_route_is_in_it(document: Json) -> None:
    """It has each route of the code, and nothing else."""
    declared = {(route.method.lower(), route.path.replace(":path}", "}")) for route in ROUTES}

    assert {(method, path) for method, path, _ in operations(document)} == declared


def test_every_operation_is_well_formed(document: Json) -> None:
    """Each has a unique id, a summary, its path's parameters, and described responses with resolvable schemas."""
    ids = []
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert method in METHODS, where
        ids.append(operation["operationId"])
        assert operation["summary"], where
        in_path = {item["name"] for item in operation["parameters"] if item["in"] == "path"}
        assert in_path == set(re.findall(r"\{(\w+)\}", path)), where
        for item in operation["parameters"]:
            assert item["in"] in {"path", "query", "header"}, where
            assert "schema" in item, where
            assert item["required"] or item["in"] != "path", where
        assert operation["responses"], where
        for status, response in operation["responses"].items():
            assert re.fullmatch(r"[2-5]\d\d", status), where
            assert response["description"], where
            assert all("schema" in content for content in response.get("content", {}).values()), where
        for requirement in operation.get("security", []):
            assert set(requirement) <= set(document["components"]["securitySchemes"]), where
    assert len(ids) == len(set(ids))


def test_every_reference_leads_somewhere(document: Json) -> None:
    """No schema that is named is missing, and none is there that nobody names."""
    named = {node["$ref"] for node in nodes(document) if isinstance(node.get("$ref"), str)}
    there = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    examples = {f"#/components/examples/{name}" for name in document["components"]["examples"]}

    assert there <= named <= there | examples


def test_every_error_has_the_shape_of_its_api(document: Json) -> None:
    """OpenAI's on the AI API, our own elsewhere."""
    for _, path, operation in operations(document):
        shape = "OpenAIErrorBody" if path.startswith("/v1/") else "HeadgateErrorBody"
        for status, response in operation["responses"].items():
            if int(status) >= 400 and path != "/readyz":
                assert response["content"]["application/json"]["schema"]["$ref"].endswith(f"/{shape}")


@pytest.mark.last
def test_every_status_that_any_test_saw_is_declared(document: Json) -> None:
    """Whatever a client may get from a route is in its description. It runs behind all others."""
    assert document == DOCUMENT
    assert SEEN.undeclared() == []


# What anybody may call, with its method where others of that path are not for everybody.
OPEN = {
    "/livez", "/readyz", "/openapi.json", "/docs", "/.well-known/jwks.json", "/verify-email", "/reset-password",
    "/stop-email-change",
    "/accept-invitation", "/dev/outbox", "post /api/v1/tokens", "post /api/v1/sessions",
    "post /api/v1/keys/actions/report_leak",
}  # fmt: skip
OPEN_BELOW = ("/api/v1/users", "/api/v1/auth")
BODILESS = {
    "/api/v1/operator/gates/actions/reconcile",
    "/api/v1/operator/orgs/{id}/actions/suspend",
    "/api/v1/operator/orgs/{id}/actions/reinstate",
    "/api/v1/operator/users/{id}/actions/suspend",
    "/api/v1/operator/users/{id}/actions/reinstate",
    "/api/v1/orgs/{id}/actions/leave",
    "/api/v1/ledger/actions/verify",
    "/api/v1/operator/users/actions/end_all_sessions",
}


def test_bodies_and_scopes(document: Json) -> None:
    """A route that reads a body describes it and its limit; one that needs a key says so and names the scope."""
    for method, path, operation in operations(document):
        if method in {"post", "put", "patch"} and path not in BODILESS:
            [content] = operation["requestBody"]["content"].values()
            assert content["schema"]
            assert content["example"] is not None
            assert operation["x-max-body-bytes"] > 0
        public = path.startswith(OPEN_BELOW) or not OPEN.isdisjoint({path, f"{method} {path}"})
        assert bool(operation.get("security")) is not public
        assert bool(operation.get("x-scope")) is not (public or path.startswith("/api/v1/operator/"))


class Page(HTMLParser):
    """Collects what a page would load, and where it leads."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in {"src", "srcset", "data", "poster", "action"} or (name == "href" and tag != "a"):
                self.loaded.append(str(value))
            elif name == "href":
                self.links.append(str(value))
            elif name == "id":
                self.ids.add(str(value))
            assert not name.startswith("on"), "a handler in the page"


def test_the_page_for_people(headgate: Headgate, document: Json) -> None:
    """/docs shows every route, loads nothing from anywhere, and its links lead to what is on it."""
    answer = headgate.http.get(f"{headgate.base_url}/docs")
    page = Page()
    page.feed(answer.text)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert page.loaded == []
    assert "script-src 'sha256-" in answer.headers["content-security-policy"]  # its own, and no other
    assert not page.tags & {"iframe", "link", "img", "object", "embed", "base"}
    assert not re.search(r"url\(|@import", answer.text)
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.ids
    assert {link for link in page.links if not link.startswith("#")} == {"/openapi.json"}
    for _, path, operation in operations(document):
        assert path in answer.text
        assert operation["summary"].replace("'", "&#x27;") in answer.text
