"""The page that shows the API: complete, inert, and safe from what a description may hold."""

from __future__ import annotations

from html.parser import HTMLParser

from lib.http.docs_page import CONTENT_SECURITY_POLICY, docs_page
from lib.http.openapi import document
from routes import ROUTES

DOCUMENT = document(ROUTES)
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Reader(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.open += [] if tag in VOID else [tag]
        self.ids += [values["id"]] if "id" in values else []
        self.links += [value for name, value in values.items() if name in ("href", "src")]
        assert not [name for name in values if name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: bytes) -> Reader:
    reader = Reader()
    reader.feed(page.decode())
    reader.close()
    assert reader.open == []
    return reader


def test_every_operation_is_on_the_page() -> None:
    """A person finds each path, its summary and its scope."""
    text = read(docs_page(DOCUMENT)).text
    for route in ROUTES:
        assert route.path.replace(":path}", "}") in text
        assert route.summary in text
        assert (route.permission or "") in text


def test_every_link_on_the_page_leads_somewhere() -> None:
    """Each schema that is named can be looked at, and nothing is loaded from elsewhere."""
    reader = read(docs_page(DOCUMENT))
    assert {link.removeprefix("#") for link in reader.links} - set(reader.ids) == {"/openapi.json"}
    assert len(reader.ids) == len(set(reader.ids))


def test_the_page_needs_no_script() -> None:
    """And its policy allows none."""
    assert not read(docs_page(DOCUMENT)).tags & {"script", "iframe", "img", "link", "object", "form"}
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none';")
    assert "script-src" not in CONTENT_SECURITY_POLICY


def test_paths_stand_in_groups_with_an_index_and_bodies_have_their_examples() -> None:
    """A person finds what a path is about without reading all of them, on a phone too."""
    page = docs_page(DOCUMENT)
    reader = read(page)
    assert {"#group-ai", "#group-keys", "#group-budgets"} <= set(reader.links)
    assert '"limit_usd": "20.00"' in reader.text
    assert b'content="width=device-width, initial-scale=1"' in page


def test_text_is_text() -> None:
    """A description with markup in it is shown, not run."""
    evil = "<script>alert(1)</script>&\"'"
    operation = {
        "tags": [evil],
        "summary": evil,
        "description": evil,
        "x-scope": evil,
        "parameters": [{"name": evil, "in": evil, "required": False, "description": evil}],
        "responses": {"200": {"description": evil}},
    }
    page = docs_page(
        {
            "info": {"title": evil, "summary": evil},
            "paths": {"/" + evil: {"get": operation}},
            "components": {"schemas": {evil: {"title": evil}}},
        }
    )
    assert b"<script" not in page
    assert evil in read(page).text
