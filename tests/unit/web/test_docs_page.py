"""The page that shows the API: complete without its script, and safe from what a description may hold."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from html.parser import HTMLParser

from lib.web.docs_page import CONTENT_SECURITY_POLICY, docs_page
from lib.web.docs_script import SCRIPT
from lib.web.openapi import document
from routes import ROUTES
from tools import node

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
    text = read(docs_page(DOCUMENT, "etag")).text
    for route in ROUTES:
        assert route.path.replace(":path}", "}") in text
        assert route.summary in text
        assert (route.permission or "") in text


def test_every_link_on_the_page_leads_somewhere() -> None:
    """Each schema that is named can be looked at, and nothing is loaded from elsewhere."""
    reader = read(docs_page(DOCUMENT, "etag"))
    assert {link.removeprefix("#") for link in reader.links} - set(reader.ids) == {"/openapi.json"}
    assert len(reader.ids) == len(set(reader.ids))


def test_the_page_runs_only_its_own_script_and_loads_nothing() -> None:
    """The policy names script and style by their hashes: nothing else runs, and nobody else is asked."""
    page = docs_page(DOCUMENT, "etag").decode()
    assert not read(page.encode()).tags & {"iframe", "img", "link", "object", "base"}
    for tag in ("script", "style"):
        [inside] = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"; {tag}-src 'sha256-{digest}';" in CONTENT_SECURITY_POLICY
    assert " style=" not in page
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none';")
    for rule in ("connect-src 'self'", "form-action 'none'", "frame-ancestors 'none'", "trusted-types 'none'"):
        assert f" {rule}" in CONTENT_SECURITY_POLICY


def test_the_script_keeps_the_key_and_sends_no_session() -> None:
    """What is sent is made by the typed key alone, and what comes back never becomes markup."""
    assert 'credentials: "omit"' in SCRIPT
    assert SCRIPT.count("fetch(") == 1
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|Storage|cookie|eval|indexedDB", SCRIPT)
    page = docs_page(DOCUMENT, "etag").decode()
    [field] = re.findall(r'<input id="key"[^>]*>', page)
    assert 'type="password"' in field
    assert 'autocomplete="off"' in field
    assert "name=" not in field


def test_every_operation_can_be_tried() -> None:
    """Its form has a field for each parameter and the body. Without the script none of them is shown."""
    page = docs_page(DOCUMENT, "etag").decode()
    forms = dict(re.findall(r'<form hidden (data-method="\w+" data-path="[^"]+")(.*?)</form>', page, re.DOTALL))
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            form = forms.pop(f'data-method="{method.upper()}" data-path="{path}"')
            wanted = [(each["in"], each["name"], each["required"]) for each in operation["parameters"]]
            found = re.findall(r'<input data-in="(\w+)" data-name="([^"]+)"[^>]*?( required)?>', form)
            assert [(place, name, bool(required)) for place, name, required in found] == wanted
            assert form.count("<textarea") == ("requestBody" in operation)
            assert ('data-key="1"' in form) == ("security" in operation)
    assert not forms
    assert '<div id="tools" hidden>' in page


def test_the_script_puts_fields_where_they_belong() -> None:
    """In Node: a value stays in its part of the address, and none leads to another thing's."""
    own = SCRIPT[SCRIPT.index("const request =") : SCRIPT.index("const send =")]
    values = ["a", "..", ".", "a/../b?c#d", "{part}", "$&", "..."]
    script = f"""
const all = (selector, form) => form.fields, key = {{value: " hg_x "}};
{own}
const field = (place, name, value) => ({{dataset: {{in: place, name}}, value}});
const sent = value => {{
  const fields = [field("path", "id", value), field("path", "part", "p"), field("query", "q", "a b&c"),
    field("query", "empty", ""), field("header", "If-Match", "x"), field("body", "", "a body")];
  const dataset = {{method: "PUT", path: "/t/{{id}}/{{part}}", key: "1", type: "application/json"}};
  const [address, options] = request({{dataset, fields}});
  return [address, {{...options, headers: Object.fromEntries(options.headers)}}];
}};
const tried = value => {{ try {{ return sent(value); }} catch (error) {{ return [error.message]; }} }};
console.log(JSON.stringify({json.dumps(values)}.map(tried)));
"""
    done = subprocess.run(
        [str(node.find().node), "--input-type=module"],
        input=script,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    found = json.loads(done.stdout)
    addresses = ["a", None, None, "a%2F..%2Fb%3Fc%23d", "%7Bpart%7D", "%24%26", "..."]
    for value, address, answer in zip(values, addresses, found, strict=True):
        assert answer[0] == (f"/t/{address}/p?q=a+b%26c" if address else f"id can't be {value}")
    options = found[0][1]
    assert options["headers"] == {"authorization": "Bearer hg_x", "if-match": "x", "content-type": "application/json"}
    assert (options["method"], options["body"], options["credentials"]) == ("PUT", "a body", "omit")


def test_paths_stand_in_groups_with_an_index_and_bodies_have_their_examples() -> None:
    """A person finds what a path is about without reading all of them, on a phone too."""
    page = docs_page(DOCUMENT, "etag")
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
        "parameters": [
            {"name": evil, "in": evil, "required": False, "description": evil, "schema": {"enum": [evil]}},
            {"name": evil, "in": evil, "required": True, "schema": {"default": evil}},
        ],
        "x-max-body-bytes": 1024,
        "requestBody": {"content": {evil: {"schema": {"$ref": f"#/components/schemas/{evil}"}, "example": evil}}},
        "responses": {"200": {"description": evil, "content": {evil: {"schema": {"$ref": evil}}}}},
    }
    page = docs_page(
        {
            "info": {"title": evil, "summary": evil},
            "paths": {"/" + evil: {"get": operation}},
            "components": {"schemas": {evil: {"title": evil}}},
        },
        evil,
    )
    assert page.count(b"<script") == page.count(b"</script") == 1
    assert evil in read(page).text
    assert read(page).tags <= read(docs_page(DOCUMENT, "etag")).tags
