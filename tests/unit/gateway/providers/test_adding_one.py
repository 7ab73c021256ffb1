"""docs/adding-a-provider.md, done on a copy of the source: the row that it shows is all that a vendor takes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.unit.source_tree import ROOT, SRC

ABOVE = "    # tools/sim."
CALL = """
import json
from tests.unit.world import new_world

world = new_world({"ACME_API_KEY": "k-1"})
body = {"model": "acme/some/model", "messages": [{"role": "user", "content": "Hello"}]}
status = world.ask("POST", "/v1/chat/completions", body).status
[call] = world.upstream.sent
print(json.dumps([status, call.url, call.headers["authorization"], json.loads(call.body)["model"]]))
"""


def test_the_row_of_the_page_is_a_vendor(tmp_path: Path) -> None:
    """It is called at its address, with its key, by its own name of the model."""
    page = (ROOT / "docs" / "adding-a-provider.md").read_text()
    [row] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    table = shutil.copytree(SRC, tmp_path / "src") / "lib" / "gateway" / "providers" / "table.py"
    text = table.read_text()
    assert text.count(ABOVE) == 1
    lines = "".join(f"    {line}\n" for line in row.rstrip().splitlines())
    table.write_text(text.replace(ABOVE, f"{lines.rstrip()},\n{ABOVE}"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "src"), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", CALL], env=environment, cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == ('[200, "https://api.acme.example/v1/chat/completions", "Bearer k-1", "some/model"]')
