"""Test vectors from elsewhere, which are no part of the repository: Wycheproof's JOSE cases."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_HERE = Path(__file__).resolve()


def vectors(name: str) -> Any:
    """Return a file of vectors as JSON, from HEADGATE_VECTORS, or from `shared/vectors` beside a folder above us.

    Where there is none, the tests that need it are skipped, and say so.
    """
    chosen = os.environ.get("HEADGATE_VECTORS")
    folders = [Path(chosen)] if chosen else [parent / "shared" / "vectors" for parent in _HERE.parents]
    for folder in folders:
        if (folder / name).is_file():
            return json.loads((folder / name).read_text(encoding="utf-8"))
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
