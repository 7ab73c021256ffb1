"""The page that shows the API, made once from the OpenAPI document.

It loads nothing. Without its script it still shows all; with it one can search, and send requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import escape
from itertools import groupby
from typing import Any

from lib.access.principal import SELF
from lib.http.page_policy import own_script_only
from lib.web.docs_script import SCRIPT

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; }
code, pre { font: 14px/1.45 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid #8884; border-radius: .4rem; }
details { border: 1px solid #8886; border-radius: .4rem; margin: .5rem 0; padding: .5rem .75rem; }
summary { cursor: pointer; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700; overflow-wrap: normal; }
.quiet { opacity: .7; }
table { display: block; overflow-x: auto; border-collapse: collapse; }
td, th { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top; }
th { overflow-wrap: normal; }
html { scroll-padding-top: 6rem; }
[hidden] { display: none !important; }
#tools { position: sticky; top: 0; display: flex; gap: 1rem; padding: .5rem 0; background: Canvas; }
#tools div { flex: 1; min-width: 0; }
label { display: block; margin: .25rem 0; }
input, textarea, button { font: inherit; box-sizing: border-box; max-width: 100%; padding: .3rem .5rem; }
#tools input, textarea { width: 100%; }
form { border-top: 1px solid #8884; margin-top: .75rem; padding-top: .5rem; }
form input { display: block; width: 24rem; }
textarea { font: 14px/1.45 ui-monospace, monospace; }
form pre { max-height: 30rem; overflow: auto; white-space: pre-wrap; }
form output { display: block; white-space: pre-line; margin-top: .5rem; }
"""
CONTENT_SECURITY_POLICY = own_script_only(SCRIPT, _STYLE)
_TOOLS = (
    '<div id="tools" hidden>'
    '<div><label for="find">Search (press /)</label><input id="find" type="search" autocomplete="off"'
    ' placeholder="method, path or words" spellcheck="false"><output id="found"></output></div>'
    '<div><label for="key">Your key or token</label>'
    '<input id="key" type="password" autocomplete="off" placeholder="hg_…"></div></div>'
    '<p id="real" hidden>What you send from here is real: it costs and changes what it would anywhere. Your key stays'
    " in its field until you leave the page.</p>"
)


def docs_page(document: dict[str, Any], headers: str) -> bytes:
    """Return the page as HTML. Of an answer it shows `headers` (with commas) and what tells whether it is new."""
    operations = [
        (_group(path, operation["tags"][0]), _operation(method, path, operation))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    groups = list(dict.fromkeys(group for group, _ in operations))
    index = "".join(f'<a href="#{_anchor(group)}">{escape(group)}</a>' for group in groups)
    sections = "".join(
        f'<section><h2 id="{_anchor(tag)}">{escape(tag)}</h2>'
        + "".join(text for own_tag, text in operations if own_tag == tag)
        + "</section>"
        for tag in groups
    )
    schemas = "".join(
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>{_json(schema)}</details>'
        for name, schema in document["components"]["schemas"].items()
    )
    info = document["info"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Headgate API</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(info['title'])} API</h1><p>{escape(info['summary'])}</p>"
        "<p>Send your API key as <code>Authorization: Bearer hg_…</code>. The same as data: "
        f'<a href="/openapi.json">openapi.json</a>.</p><nav>{index}</nav>'
        f'<main data-headers="{escape(f"content-type, idempotency-replayed, {headers}")}">{_TOOLS}{sections}'
        f"<section><h2>Schemas</h2>{schemas}</section></main><script>{SCRIPT}</script></body></html>"
    ).encode()


def _group(path: str, tag: str) -> str:
    """Return the heading under which a path stands: what it is about, or else its tag."""
    about = re.match(r"/api/v1/([a-z_]+)", path)
    return about[1].replace("_", " ").capitalize() if about else tag


def _anchor(group: str) -> str:
    return escape("group-" + group.lower().replace(" ", "-"))


def _needs(scope: str) -> str:
    return "somebody who has signed in" if scope == SELF else f"the scope <code>{escape(scope)}</code>"


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    scope = operation.get("x-scope")
    no_scope = "an operator's token" if operation.get("security") else "no key"
    summary = f'<span class="method">{method.upper()}</span> <code>{escape(path)}</code>'
    parts = [f'<details><summary>{summary} <span class="quiet">{escape(operation["summary"])}</span></summary>']
    if operation.get("description"):
        parts.append(f"<p>{escape(operation['description'])}</p>")
    parts.append(f"<p>Needs {_needs(scope) if scope else no_scope}.</p>")
    if operation["parameters"]:
        parts.append("<table><tr><th>Parameter</th><th>In</th><th></th></tr>")
        parts.extend(_parameter(parameter) for parameter in operation["parameters"])
        parts.append("</table>")
    if "requestBody" in operation:
        limit = operation["x-max-body-bytes"] // 1024
        parts.append(f"<p>Body, up to {limit} KiB: {_link(operation['requestBody']['content'])}</p>")
        [media] = operation["requestBody"]["content"].values()
        parts.append(_json(media["example"]))
    parts.append("<table><tr><th>Status</th><th></th><th></th></tr>")
    for shape, answers in groupby(operation["responses"].items(), lambda answer: _shape(answer[1])):
        parts.extend(_answers(shape, list(answers)))
    return "".join(parts) + f"</table>{_try(method, path, operation)}</details>"


def _shape(response: dict[str, Any]) -> str:
    return _link(response["content"]) if "content" in response else ""


def _answers(shape: str, answers: list[tuple[str, dict[str, Any]]]) -> Iterable[str]:
    """Yield the rows of answers that follow each other and have one shape, which is named once."""
    cell = f'<td rowspan="{len(answers)}">{shape}</td>'
    for number, (status, response) in enumerate(answers):
        yield f"<tr><td>{status}</td><td>{escape(response['description'])}</td>{'' if number else cell}</tr>"


def _try(method: str, path: str, operation: dict[str, Any]) -> str:
    """Return the form that sends a request. The script shows it, and fills the body from the example above it."""
    content = operation.get("requestBody", {}).get("content", {})
    fields = [_field(parameter) for parameter in operation["parameters"]]
    fields += ['<label>body <textarea data-in="body" rows="8" spellcheck="false"></textarea></label>' for _ in content]
    media_type = f' data-type="{escape(next(iter(content)))}"' if content else ""
    keyed = ' data-key="1"' if operation.get("security") else ""
    return (
        f'<form hidden data-method="{method.upper()}" data-path="{escape(path)}"{media_type}{keyed}>{"".join(fields)}'
        "<button>Send</button><output></output><pre hidden></pre></form>"
    )


def _field(parameter: dict[str, Any]) -> str:
    name, place = escape(parameter["name"]), escape(parameter["in"])
    schema = parameter.get("schema", {})
    hint = ", ".join(schema.get("enum", [])) or str(schema.get("default", ""))
    hinted = f' placeholder="{escape(hint)}"' if hint else ""
    required = " required" if parameter["required"] else ""
    return f'<label>{name} <input data-in="{place}" data-name="{name}"{hinted}{required}></label>'


def _parameter(parameter: dict[str, Any]) -> str:
    name = escape(parameter["name"]) + ("" if parameter["required"] else ' <span class="quiet">optional</span>')
    return (
        f"<tr><td><code>{name}</code></td><td>{escape(parameter['in'])}</td>"
        f"<td>{escape(parameter.get('description', ''))}</td></tr>"
    )


def _link(content: dict[str, Any]) -> str:
    [media] = content.values()
    name = media["schema"]["$ref"].rpartition("/")[2]
    return f'<a href="#{escape(name)}"><code>{escape(name)}</code></a>'


def _json(value: object) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"
