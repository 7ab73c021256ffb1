"""Make `src/lib/gateway/prices/price_data.py` from the price file inside PyPI's `litellm` wheel.

Only the wheel is downloaded; nothing of it is installed or run. Prices become whole nano-dollars a token, rounded up,
so that a charge is never below the provider's. Models that are not charged by the token alone (images, audio, a search
for every answer) are left out, and those whose price is nothing by no source. Beside the prices stand the most tokens
that a model takes and gives, and what service tiers and long contexts cost. Prices of regions are left out: they belong
to an address, and not to a model.

Usage: python -m tools.make_prices [--check]

`--check` compares only the version: the wheel is some 20 MB.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from tools.arguments import is_check

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "src/lib/gateway/prices/price_data.py"
# The vendors whose prices are taken, with what stands there before the name of a model.
PROVIDERS = {
    "openai": "",
    "groq": "groq/",
    "mistral": "mistral/",
    "deepseek": "deepseek/",
    "xai": "xai/",
    "together_ai": "together_ai/",
    "fireworks_ai": "fireworks_ai/",
}
MODES = ("chat", "embedding")
PRICE_FILE = "litellm/model_prices_and_context_window_backup.json"
NANO = 1_000_000_000
TIERS = ("flex", "priority", "ultrafast")  # OpenAI's `service_tier`; batches are another API
LONG = re.compile(r"_cost.*_above_(\d+)k_tokens")


def download(version: str, folder: Path) -> Path:
    """Download the wheel into `folder` with the ordinary client; return its path."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*command, "--dest", str(folder), f"litellm=={version}"], check=True)
    return next(folder.glob("litellm-*.whl"))


def rows(table: dict[str, dict[str, Any]], provider: str) -> list[str]:
    """Return a line for each model of `provider`, sorted: its name, three prices, and its limits, each may be `-`."""
    prefix = PROVIDERS[provider]
    return sorted(
        row(name.removeprefix(prefix), model)
        for name, model in table.items()
        if model.get("litellm_provider") == provider
        and name.startswith(prefix)
        and model.get("mode") in MODES
        and by_token_alone(name, model)
        and not unpriced(model)
    )


def by_token_alone(name: str, model: dict[str, Any]) -> bool:
    """Tell whether nothing but tokens of text is charged. Models named after the search make one for every answer."""
    return "input_cost_per_token" in model and "-search-" not in name and not any("audio_token" in key for key in model)


def unpriced(model: dict[str, Any]) -> bool:
    """Tell whether a price of nothing only says that nobody has looked: what is free has a source that says so."""
    return not (model["input_cost_per_token"] or model.get("output_cost_per_token") or "source" in model)


def row(name: str, model: dict[str, Any]) -> str:
    """Return the line of one model."""
    cached = model.get("cache_read_input_token_cost")
    prices = [nano(model["input_cost_per_token"]), nano(model.get("output_cost_per_token", 0))]
    # The limit of an embedding model is for each of many inputs, so it is none for a call.
    most_input = model.get("max_input_tokens") if model["mode"] == "chat" else None
    optional = [None if cached is None else nano(cached), most_input, model.get("max_output_tokens")]
    fixed = [name, *map(str, prices), *("-" if number is None else str(number) for number in optional)]
    return " ".join([*fixed, *tiers(name, model)])


def tiers(name: str, model: dict[str, Any]) -> list[str]:
    """Return the columns for what costs other than usual: writing to a cache, long contexts, service tiers.

    Raises ValueError where a model has several thresholds: a line holds one.
    """
    thresholds = {match[1] for key in model if (match := LONG.search(key))}
    if len(thresholds) > 1:
        raise ValueError(f"{name} has several thresholds for long contexts")
    usual = rates(model, "")
    columns = [f"write={usual[3]}"] if usual[3] != usual[0] else []
    for tier in ("", *TIERS):
        ending = f"_{tier}" if tier else ""
        if tier and f"input_cost_per_token{ending}" in model:
            columns.append(f"{tier}={','.join(map(str, rates(model, ending)))}")
        above = [f"_above_{threshold}k_tokens{ending}" for threshold in thresholds]
        long = [rates(model, suffix) for suffix in above if f"input_cost_per_token{suffix}" in model]
        columns += [f"{tier or 'usual'}+={','.join(map(str, numbers))}" for numbers in long]
    return columns + [f"after={threshold}000" for threshold in thresholds]


def rates(model: dict[str, Any], suffix: str) -> list[int]:
    """Return nano-dollars a token of input, output, cached input, and of what is written to a cache.

    Where nothing else is told, reading from a cache and writing to one cost as input does, and output as usual. Writing
    has two prices, by how long the cache lasts. Nobody can tell which is paid, so the dearer one is taken.
    """
    source = nano(model[f"input_cost_per_token{suffix}"])
    output = model.get(f"output_cost_per_token{suffix}", model.get("output_cost_per_token", 0))
    cached = model.get(f"cache_read_input_token_cost{suffix}")
    writes = [model.get(f"cache_creation_input_token_cost{lasting}{suffix}") for lasting in ("", "_above_12hr")]
    return [
        source,
        nano(output),
        source if cached is None else nano(cached),
        max([source, *(nano(price) for price in writes if price is not None)]),
    ]


def nano(dollars: Decimal | int) -> int:
    """Return dollars as nano-dollars, rounded up."""
    return math.ceil(Decimal(dollars) * NANO)


def render(version: str, table: dict[str, dict[str, Any]]) -> str:
    """Return the text of the generated module."""
    head = f'"""Made by tools/make_prices.py from litellm {version} (MIT licence). Do not edit."""\n\n'
    head += f'VERSION = "litellm-{version}"\n\n'
    head += "# A model a line: name, nano-dollars a token for input, output, cached input; most tokens in, most out.\n"
    head += (
        "# Then, where there is such: what a token costs that is written to a cache; a service tier's price of input,\n"
    )
    head += (
        "# output, cached input and input written to a cache; with + in a call with more input tokens than `after`.\n"
    )
    blocks = [f'    "{provider}": """\\\n' + "\n".join(rows(table, provider)) + '\n""",\n' for provider in PROVIDERS]
    return head + "TABLES = {\n" + "".join(blocks) + "}\n"


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    version = project["tool"]["headgate"]["toolchain"]["litellm"]
    if is_check(__doc__):
        if f'VERSION = "litellm-{version}"' not in OUTPUT.read_text(encoding="utf-8"):
            sys.exit("src/lib/gateway/prices/price_data.py is stale: run python -m tools.make_prices")
        return
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(download(version, Path(folder))) as wheel:
        table = json.loads(wheel.read(PRICE_FILE), parse_float=Decimal)
    OUTPUT.write_text(render(version, table), encoding="utf-8")


if __name__ == "__main__":
    main()
