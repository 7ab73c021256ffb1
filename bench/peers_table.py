"""Headgate beside other gateways as Markdown: the section of the page, and the short table of the README."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bench.cases import HEADGATE, PASSTHROUGH, PEER_CASES
from bench.peers import LITELLM_NAME, PORTKEY_NAME, SETTINGS, versions
from bench.speed import SIXTEEN, Cell
from bench.speed_table import added, find, table

TEXT = """\
## Beside other gateways

`make bench PEERS=1` brings two from PyPI and npm, each by a lock (`requirements/litellm.txt`, `bench/portkey/`), and
measures them in the same rounds over the same provider (`bench/peers.py`). Each is one process, as an isolate is.

{settings}
- **Headgate**: an API key, the gate's durable record of each call, settlement and the ledger: what the others are set
  up without.

Portkey waits 25 ms before each stream.

{figures}

"""
_ORDER = (PASSTHROUGH, PORTKEY_NAME, HEADGATE, LITELLM_NAME)
README = re.compile(r"(?<=<!-- make bench PEERS=1 writes this -->\n).*?(?=<!-- until here -->)", re.DOTALL)


def peers_section(cells: Sequence[Cell]) -> str:
    """Return the section of the page."""
    settings = "\n".join(f"- **{name}** {version}: {SETTINGS[name]}" for name, version in versions().items())
    rows = []
    for cell in cells:
        if LITELLM_NAME in cell.results:
            first = [cell.case.name, cell.load.name]
            for name in _ORDER:
                rows.append([*first, f"**{name}**" if name == HEADGATE else name, *_figures(cell, name)])
                first = ["", ""]
    columns = (
        "request",
        "load",
        "answered by",
        "CPU ms",
        "req/s",
        f"÷ {LITELLM_NAME}",
        "first byte p50",
        "p99",
        "added",
    )
    return TEXT.format(settings=settings, figures=table(columns, rows, 3))


def put_readme(text: str, cells: Sequence[Cell]) -> str:
    """Return the README with its short table made anew. Where the peers were not measured it stays as it is."""
    if not any(PORTKEY_NAME in cell.results for cell in cells):
        return text
    rows = []
    for case in PEER_CASES:
        cell = find(cells, case, SIXTEEN)
        results = (cell.results[name] for name in _ORDER)
        rows.append([case.name, *(f"{result.rate:,.0f} ({result.cpu_ms:.1f})" for result in results)])
    made = table((f"req/s (CPU ms a call), {SIXTEEN.name}", *_ORDER), rows)
    return README.sub(lambda _: f"\n{made}\n\n", text)


def _figures(cell: Cell, name: str) -> list[str]:
    result, slowest = cell.results[name], cell.results[LITELLM_NAME]
    times = (f"{each:.2f}" for each in (result.ttfb.p50, result.ttfb.p99, added(cell, name)))
    return [f"{result.cpu_ms:.2f}", f"{result.rate:,.0f}", f"{result.rate / slowest.rate:.1f}", *times]
