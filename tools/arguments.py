"""The command lines of our tools: `--help` only says what a tool does, and what a tool does not know it refuses."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """Return a parser for a tool whose docstring is `description`. No option may be shortened: it may be a typo."""
    text = description or ""
    usage = re.search(r"Usage: (?:\S*python3? (?:-m )?)?(\S+)", text)
    return argparse.ArgumentParser(
        prog=usage[1] if usage else None,
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def flags(description: str | None, arguments: Sequence[str] | None = None, **known: str) -> argparse.Namespace:
    """Read a command line of flags alone; `known` has what each does. Exits for `--help`, and with 2 for all else."""
    parser = parser_of(description)
    for name, about in known.items():
        parser.add_argument("--" + name.replace("_", "-"), action="store_true", help=about)
    return parser.parse_args(arguments)


def is_check(description: str | None) -> bool:
    """Read the command line of a generator: whether it should only tell that its file is fresh."""
    return bool(flags(description, check="only tell whether the file is fresh").check)
