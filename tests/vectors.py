"""Test vectors from elsewhere, which are no part of the repository: Wycheproof's JOSE cases, answers of providers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_HERE = Path(__file__).resolve()


def vectors(name: str) -> Any:
    """Return a file of vectors as JSON. Where there is none, the tests that need it are skipped, and say so."""
    return json.loads(_place(name, Path.is_file).read_text(encoding="utf-8"))


def captured(ending: str) -> dict[str, bytes]:
    """Return what real providers answered, by provider and file: those of OpenAI's chat format, so far as one can tell.

    `ending` is `.json` for whole answers, and `.chunks.txt` for streams: a line for each event's data.
    """
    folder = _place("captured", Path.is_dir)
    files = [path for path in folder.rglob(f"*{ending}") if path.is_file()]
    texts = {f"{path.relative_to(folder).parts[0]}/{path.name}": path.read_bytes() for path in files}
    return {name: text for name, text in texts.items() if b'"choices"' in text}


def _place(name: str, there: Callable[[Path], bool]) -> Path:
    """Return a place among the vectors, from HEADGATE_VECTORS, or from `shared/vectors` beside a folder above us."""
    chosen = os.environ.get("HEADGATE_VECTORS")
    folders = [Path(chosen)] if chosen else [parent / "shared" / "vectors" for parent in _HERE.parents]
    for folder in folders:
        if there(folder / name):
            return folder / name
    pytest.skip(f"no test vectors: {name} is in no shared/vectors above the repository; set HEADGATE_VECTORS")


@dataclass(frozen=True)
class Case:
    """One case of Wycheproof's: a token, the keys to verify it with, and whether it is good."""

    name: str
    valid: bool
    key_set: Mapping[str, Any]
    token: str

    @property
    def algorithms(self) -> set[str]:
        return {str(key.get("alg")) for key in self.key_set["keys"]}


def jose_cases(name: str) -> Iterator[Case]:
    """Return the cases of `json_web_signature_test` or `json_web_key_test`, with the public keys where there are."""
    for group in vectors(f"wycheproof/{name}.json")["testGroups"]:
        keys = group.get("public") or group["private"]
        key_set = keys if "keys" in keys else {"keys": [keys]}
        for case in group["tests"]:
            yield Case(f"{name}:{case['tcId']}", case["result"] == "valid", key_set, case["jws"])
