"""The page that shows the API, made once from the OpenAPI document. It has no script and loads nothing."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

from lib.identity.models import SELF

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"

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
"""


def docs_page(document: dict[str, Any]) -> bytes:
    """Return the page as HTML."""
    operations = [
        (_group(path, operation["tags"][0]), _operation(method, path, operation))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    groups = list(dict.fromkeys(group for group, _ in operations))
    index = "".join(f'<a href="#{_anchor(group)}">{escape(group)}</a>' for group in groups)
    sections = "".join(
        f'<h2 id="{_anchor(tag)}">{escape(tag)}</h2>' + "".join(text for own_tag, text in operations if own_tag == tag)
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
        f"{sections}<h2>Schemas</h2>{schemas}</body></html>"
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
    for status, response in operation["responses"].items():
        shape = _link(response["content"]) if "content" in response else ""
        parts.append(f"<tr><td>{status}</td><td>{escape(response['description'])}</td><td>{shape}</td></tr>")
    return "".join(parts) + "</table></details>"


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
