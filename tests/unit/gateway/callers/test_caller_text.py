"""An account in KV: it comes back as it was, and what is no account is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.access.principal import Principal
from lib.gateway.callers.caller import Caller
from lib.gateway.callers.caller_text import FORM, from_text, to_text
from lib.gateway.models import Limits, ModelRoute
from lib.ledger.usage import Price
from tests.unit.fakes import NOW

HASH = "ab" * 32
PRICE = Price(1, 2, None, "row-1", 7)
LIMITS = Limits(8, 4)
ROUTES = {
    "m": ModelRoute("m", "sim", "chat", None),
    "é/2": ModelRoute("é/2", "openai", "gpt", PRICE, LIMITS, "max_completion_tokens"),
}
ACCOUNT = Caller(Principal("org", "key", frozenset({"chat:write"}), NOW), ROUTES, 7, HASH)
BOUND = Principal(
    "org",
    "key",
    frozenset({"chat:write"}),
    NOW,
    user_id="u",
    team_id="t",
    kind="browser_key",
    models=frozenset({"m", "é/2"}),
    ip_ranges=frozenset({"10.0.0.0/8"}),
    origins=frozenset(),
    end_user="Zoë",
    line_id="l",
    makers="a b",
    member_of="t v",
)
KEY: list[object] = ["o", "k", [], None, "key", None, None]
NO_BOUNDS: list[object] = [None, None, None, None]


@pytest.mark.parametrize(
    "account",
    [
        ACCOUNT,
        ACCOUNT._replace(routes={}, principal=Principal("o", "k", frozenset(), None)),
        ACCOUNT._replace(principal=BOUND),
    ],
)
def test_an_account_comes_back_as_it_was(account: Caller) -> None:
    """With its prices, its end, what it is bound to, and its version."""
    assert from_text(to_text(account), HASH) == account


def test_the_text_has_no_secret() -> None:
    """Not even the hash, which is the name that it stands under."""
    assert HASH not in to_text(ACCOUNT)


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "{", "[]", "7", '"x"', "[1,2]"),
        to_text(ACCOUNT).replace(f"[{FORM},", f"[{FORM + 1},", 1),
        to_text(ACCOUNT).replace(",7,", ",null,", 1),
        to_text(ACCOUNT).replace("2026-05-04T", "yesterday"),
        json.dumps([FORM, 1, KEY, NO_BOUNDS, [["m", "sim"]]]),
        json.dumps([FORM, 1, KEY, NO_BOUNDS, [[]]]),
        json.dumps([FORM, 1, ["o", "k", [[]], None, "key", None, None], NO_BOUNDS, []]),
        json.dumps([FORM, 1, KEY, NO_BOUNDS, [["m", "sim", "c", [1], None, None, None]]]),
        json.dumps([FORM, 1, KEY, NO_BOUNDS, {"m": 1}]),
        json.dumps([FORM, 1, KEY, [], []]),
        json.dumps([FORM, 1, KEY, [7, None, None, None], []]),
        json.dumps([FORM, 1, KEY, [[{}], None, None, None], []]),
    ],
)
def test_what_is_no_account_is_none(text: str) -> None:
    """Another form, or a defect: the store has the right one."""
    assert from_text(text, HASH) is None


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    """Whatever is in KV."""
    assert from_text(text, HASH) is None
