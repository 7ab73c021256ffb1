"""The password hasher: the same answers in the Worker, where ctypes calls the library, and on CPython."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.contract.support.store_worker import StoreWorker
from tests.contract.worker.hashing import perform_hashing
from tools.password_hasher import CffiArgon2

pytestmark = pytest.mark.real_runtime
Ask = Callable[..., list[str | bool]]
COST = [64, 2, 1]
SALT = "00112233445566778899aabbccddeeff"
# RFC 9106 has no vector of Argon2id in this format without a secret; this is the reference library's own test, test.c.
KNOWN = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"


@pytest.fixture(params=["workerd", "cpython"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Ask one of the two adapters."""
    if request.param == "cpython":
        return lambda *calls: [perform_hashing(CffiArgon2(), call) for call in calls]
    worker: StoreWorker = request.getfixturevalue("store_worker")

    def send(*calls: Mapping[str, Any]) -> list[str | bool]:
        answers = json.loads(worker.send(json.dumps({"hashing": calls})))
        assert isinstance(answers, list), answers
        return answers

    return send


def hashing(secret: bytes, salt: str = SALT, cost: list[int] = COST) -> dict[str, Any]:
    return {"secret": secret.hex(), "salt": salt, "cost": cost}


def verifying(encoded: str | bool, secret: bytes) -> dict[str, Any]:
    return {"secret": secret.hex(), "encoded": encoded}


def test_a_hash_is_the_reference_librarys(ask: Ask) -> None:
    """So a hash that one makes is verified by the other."""
    assert ask(hashing(b"password", b"somesalt".hex(), [256, 2, 1])) == [KNOWN]


def test_a_secret_is_told_from_every_other(ask: Ask) -> None:
    """Its bytes are taken as they are: NUL ends nothing."""
    secret = b"\0a\0\xff" * 8
    [encoded] = ask(hashing(secret))
    assert ask(
        verifying(encoded, secret), verifying(encoded, secret[:-1]), verifying(encoded, b"\0b" + secret[2:])
    ) == [
        True,
        False,
        False,
    ]


def test_salt_and_cost_are_in_the_hash(ask: Ask) -> None:
    """Another salt is another hash, and a hash at another cost is verified at its own."""
    first, salted, dearer = ask(hashing(b"x"), hashing(b"x", "ff" * 16), hashing(b"x", cost=[128, 3, 2]))
    assert len({first, salted, dearer}) == 3
    assert str(dearer).startswith("$argon2id$v=19$m=128,t=3,p=2$")
    assert ask(verifying(dearer, b"x")) == [True]


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "x",
        "$argon2id$",
        KNOWN[:-1] + "!",
        KNOWN.replace("argon2id", "argon2i"),
        KNOWN.replace("m=256", "m=0"),
        KNOWN[:60],
    ],
)
def test_what_is_no_hash_is_no_ones(ask: Ask, encoded: str) -> None:
    """False, and no failure: a damaged row locks one person out, and breaks nothing."""
    assert ask(verifying(encoded, b"password")) == [False]


def test_the_default_cost_fits_into_the_worker(ask: Ask) -> None:
    """OWASP's 19 MiB, several times over."""
    answers = ask(*(hashing(bytes([number]), cost=[19 * 1024, 2, 1]) for number in range(4)))
    assert len(set(answers)) == 4
