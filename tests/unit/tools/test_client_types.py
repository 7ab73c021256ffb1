"""The TypeScript types come from the OpenAPI document, and a browser's compiler accepts what is written with them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lib.web.openapi import Document
from routes import health
from routes.pages import docs
from tools import client_types, node
from tools.project import NODE_MODULES, ROOT, ToolError

CLIENT = ROOT / "clients" / "typescript"


def described(**schema: object) -> Document:
    """Return a small OpenAPI document that answers with `schema`."""
    content = {"application/json": {"schema": schema}}
    answer = {"200": {"description": "Done.", "content": content}}
    paths = {"/x": {"get": {"operationId": "x", "responses": answer}}}
    return {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": paths}


def test_a_changed_document_gives_other_types() -> None:
    """So that the comparison of `make check` finds them stale."""
    name = {"properties": {"name": {"type": "string"}}, "required": ["name"]}
    age = {"properties": {"age": {"type": "integer", "default": 1}}}
    first = client_types.render(described(type="object", **name))
    second = client_types.render(described(type="object", **age))
    assert "name: string;" in first
    assert "age?: number;" in second  # what has a default may be left out


def test_a_document_that_leads_nowhere_is_refused() -> None:
    """Instead of types that are `unknown`."""
    with pytest.raises(ToolError, match="refused"):
        client_types.render(described(**{"$ref": "#/components/schemas/Nothing"}))


def test_a_stale_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--check` ends with an error until the file is made anew."""
    monkeypatch.setattr(client_types, "OUTPUT", tmp_path / "clients" / "headgate.d.ts")
    monkeypatch.setattr("sys.argv", ["client_types", "--check"])
    with pytest.raises(SystemExit, match="stale"):
        client_types.main(docs.ROUTES)
    monkeypatch.setattr("sys.argv", ["client_types"])
    client_types.main(docs.ROUTES)
    monkeypatch.setattr("sys.argv", ["client_types", "--check"])
    client_types.main(docs.ROUTES)
    with pytest.raises(SystemExit, match="stale"):
        client_types.main(health.ROUTES)


def test_the_client_compiles_for_a_browser_and_the_mistakes_do_not() -> None:
    """With a browser's library and no Node types. A mistake in refused.ts that is accepted is an error there."""
    compiler = [str(node.find().node), str(NODE_MODULES / "typescript" / "bin" / "tsc")]
    done = subprocess.run([*compiler, "-p", str(CLIENT)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout
    assert (CLIENT / "refused.ts").read_text(encoding="utf-8").count("@ts-expect-error") > 20
