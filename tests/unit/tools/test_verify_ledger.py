"""./headgate verify-ledger: where it asks, with which secret, and how it shows what it found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.project import ToolError
from tools.verify_ledger import Asked, asked, checked_url, table

SECRET = "s" * 32
CHECK = {
    "org_id": "org-1",
    "verdict": "differs",
    "refused_records": 2,
    "budgets": [
        {
            "budget_id": "b-1",
            "scope": {"type": "end_user", "id": "*", "model": "sim/a"},
            "window": "day",
            "verdict": "differs",
            "reason": "the counter is not the sum of the records",
            "subjects": 3,
            "counter_nano_usd": 10,
            "ledger_least_nano_usd": 11,
            "ledger_most_nano_usd": 12,
            "found": [
                {
                    "subject": "alice",
                    "verdict": "differs",
                    "counter_before_nano_usd": 4,
                    "counter_nano_usd": 4,
                    "ledger_least_nano_usd": 5,
                    "ledger_most_nano_usd": 5,
                }
            ],
        }
    ],
}


def test_the_table_names_what_differs() -> None:
    """Budget, scope, counter and ledger in a line; below it why, and who."""
    assert table(CHECK).splitlines() == [
        "organisation org-1: differs; 2 records are in its gate that the store has refused",
        "  BUDGET  SCOPE             WINDOW  SUBJECTS  COUNTER  LEDGER    VERDICT",
        "  b-1     end_user:*:sim/a  day     3         10       11 to 12  differs",
        "  b-1: the counter is not the sum of the records",
        "    alice: counter 4, ledger 5 to 5 nano-dollars",
    ]


def test_an_organisation_without_budgets() -> None:
    """It is shown all the same."""
    check = {"org_id": "o", "verdict": "agrees", "refused_records": 0, "budgets": []}
    assert table(check) == "organisation o: agrees\n  no budgets"


@pytest.mark.parametrize("url", ["", "headgate.example.com", "ftp://x", "http://headgate.example.com", "https://x?y=1"])
def test_an_address_that_will_not_do(url: str) -> None:
    """A token never travels in the clear, but on this machine."""
    with pytest.raises(ToolError):
        checked_url(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8787/", "http://localhost:1", "https://headgate.example.com/x/"])
def test_an_address(url: str) -> None:
    """Here without TLS, elsewhere with it."""
    assert checked_url(url) == url.rstrip("/")


def test_address_and_secret_of_make_dev(tmp_path: Path) -> None:
    """Where nothing else is said; what the environment says comes first."""
    (tmp_path / "secrets.env").write_text(f"HEADGATE_SECRET={SECRET}\n")
    credentials = tmp_path / "credentials.json"
    credentials.write_text(json.dumps({"base_url": "http://127.0.0.1:5"}))
    environment = {"STATE": str(tmp_path), "CREDENTIALS": str(credentials)}
    assert asked(None, None, environment) == Asked("http://127.0.0.1:5", SECRET)
    assert asked("https://h", None, {**environment, "HEADGATE_SECRET": "t" * 32}) == Asked("https://h", "t" * 32)
    assert asked("https://h", str(tmp_path), {}) == Asked("https://h", SECRET)


def test_nothing_to_ask_with(tmp_path: Path) -> None:
    """Neither a secret nor an address is made up."""
    with pytest.raises(ToolError, match="HEADGATE_SECRET must be set"):
        asked("https://h", str(tmp_path), {})
    with pytest.raises(ToolError, match="names no Headgate"):
        asked(None, str(tmp_path), {"HEADGATE_SECRET": SECRET, "CREDENTIALS": str(tmp_path / "none.json")})
    assert list(tmp_path.iterdir()) == []
