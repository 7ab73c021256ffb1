"""Signatures on the real runtime: WebCrypto judges Wycheproof's tokens, and makes keys that others can verify with."""

from __future__ import annotations

import json
from typing import Any

import jwt as pyjwt
import pytest

from tests.contract.support.store_worker import StoreWorker
from tests.jose_waivers import WAIVED
from tests.vectors import Case, jose_cases

FILES = ("json_web_signature_test", "json_web_key_test")
ALGORITHMS = ("ES256", "EdDSA")


def ask(worker: StoreWorker, cases: list[Case]) -> dict[str, Any]:
    asked = {"tokens": [[case.token, case.key_set] for case in cases], "algorithms": ALGORITHMS}
    answer: dict[str, Any] = json.loads(worker.send(json.dumps({"signatures": asked})))
    assert "broke" not in answer, answer["broke"]
    return answer


@pytest.mark.parametrize("name", FILES)
def test_wycheproof(store_worker: StoreWorker, name: str) -> None:
    """No invalid token is taken; of the valid ones, all but those that are waived, each for its reason."""
    cases = list(jose_cases(name))
    assert len(cases) > 20
    verdicts = ask(store_worker, cases)["verdicts"]
    taken = {case.name for case, verdict in zip(cases, verdicts, strict=True) if not verdict}
    valid = {case.name for case in cases if case.valid}
    assert taken - valid == set(), "invalid tokens are taken"
    assert valid - taken == {case for case in WAIVED if case.startswith(f"{name}:")}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_keys_of_our_own(store_worker: StoreWorker, algorithm: str) -> None:
    """Made, signed with, verified here and by another implementation; not by another key, and not for another text."""
    made = ask(store_worker, [])["made"][algorithm]
    assert (made["verified"], made["by_another"], made["of_another"]) == (True, False, False)
    assert "d" in made["private"]
    assert "d" not in made["public"]
    assert pyjwt.decode(made["token"], pyjwt.PyJWK(made["public"], algorithm), algorithms=[algorithm]) == {
        "sub": "somebody"
    }
