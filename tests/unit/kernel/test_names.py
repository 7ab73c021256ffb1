"""Names that people judge by, and addresses that find an account: nothing passes for something else."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from lib.kernel.names import plain
from lib.users import addresses
from routes import ROUTES

PLAIN = (
    "Production", "Café", "gpt-4o", "Müller & Söhne", "Команда API", "команда продаж", "東京 backend", "فريق", "צוות",
    "Y\u0131ld\u0131z", "Łódź", "Nguyễn Văn", "λ-Test", "50 µs", "🚀 launch", "⚠️ prod",
    "Rocket™", "Mª José", "O'Brien's",
)  # fmt: skip
CONFUSABLE = {
    "a direction": "prod\u202etset", "an isolate": "prod\u2066x\u2069", "an Arabic mark": "a\u061cb",
    "a zero width space": "pro\u200bd", "a joiner": "pro\u200dd", "a mark at the front": "\ufeffprod",
    "a soft hyphen": "pro\u00add", "another space": "prod\u00a0key", "a line": "prod\u2028key",
    "a C1 sign": "a\u0085b",
    "a filler": "prod\u3164", "a blank of Braille": "prod\u2800", "a variation": "prod\ufe0f",
    "a tag": "prod\U000e0041",
    "private use": "prod\ue000", "Cyrillic in Latin": "pr\u043ed", "Greek in Latin": "pr\u03bfd",
    "Cherokee in Latin": "\u13a0dmin", "Cyrillic beside Latin": "api \u0441\u043e\u0440\u0443",
    "behind a hyphen": "gpt-4\u043e", "full width": "\uff50rod", "mathematical": "\U0001d429rod",
    "a ligature": "\ufb01nance", "phonetic": "\u0251dmin",
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_names_of_any_language_are_taken(name: str) -> None:
    assert plain(name) == name


@pytest.mark.parametrize("why", CONFUSABLE)
def test_what_passes_for_another_name_is_refused(why: str) -> None:
    with pytest.raises(ValueError, match=r"it has|word"):
        plain(CONFUSABLE[why])


def test_a_name_has_one_form() -> None:
    """However an é is typed, two teams can't have names that nobody can tell apart."""
    assert (plain("Cafe\u0301"), plain("\u212aey")) == ("Café", "Key")


def _names() -> list[Any]:
    """Return (the route, its body's type of `name`), for each that has one."""
    bodies = [(f"{route.method} {route.path}", route.body) for route in ROUTES]
    return [
        pytest.param(body.model_fields["name"], id=where)
        for where, body in bodies
        if body is not None and "name" in body.model_fields
    ]


@pytest.mark.parametrize("field", _names())
def test_every_route_that_takes_a_name_asks(field: Any) -> None:
    """The rule is one type's: a resource that comes later takes it too, or this fails."""
    named: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation())
    assert named.validate_python("Production") == "Production"
    with pytest.raises(ValidationError):
        named.validate_python("pro\u200bd")


@pytest.mark.parametrize(
    "text", ["\u212aevin@wonder.example", "al\u0131ce@wonder.example", "a@wonder.\u212aom", "\ufb01@a.b"]
)
def test_an_address_is_ascii_before_it_is_made_small(text: str) -> None:
    """The lower case of the Kelvin sign is a k: another's mailbox would open the account."""
    with pytest.raises(ValueError, match=r"this is not"):
        addresses.normal(text)


def test_an_address_has_one_form() -> None:
    assert addresses.normal(" Alice@Wonder.EXAMPLE ") == "alice@wonder.example"
