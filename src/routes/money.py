"""Money where people read or write it: in dollars, as exact decimal strings, beside the nano-dollars that it is inside.

A model of answers that inherits `InDollars` shows each `…_nano_usd` as `…_usd` too, and each `…_nano_usd_per_token` as
`…_usd_per_million_tokens`. A body names either form, never both.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from lib.admission.rules import MOST_AMOUNT
from lib.kernel.money import FORM, dollars_name, nano_usd, with_dollars

_MILLION = 10**6
_TEXT = {"type": "string", "pattern": FORM}


def _parse(text: object) -> int:
    if not isinstance(text, str):
        raise ValueError('dollars are a text, like "20.00"')  # noqa: TRY004 - pydantic makes a 400 of a ValueError alone
    return nano_usd(text)


def _parse_per_million(text: object) -> int:
    nano, rest = divmod(_parse(text), _MILLION)
    if rest:
        raise ValueError("a price for a million tokens has three decimals at most")
    return nano


# An amount in a body: it is written as dollars, and read as nano-dollars.
Usd = Annotated[
    int, Field(ge=0, le=MOST_AMOUNT), BeforeValidator(_parse), WithJsonSchema({**_TEXT, "examples": ["20.00"]})
]
# A price in a body: dollars for a million tokens, read as nano-dollars a token.
UsdPerMillion = Annotated[
    int, Field(ge=0), BeforeValidator(_parse_per_million), WithJsonSchema({**_TEXT, "examples": ["0.15"]})
]


def either(nano: int | None, dollars: int | None, what: str) -> int | None:
    """Return what a body says in one of the two forms, None for neither. Raises ValueError for both."""
    if nano is not None and dollars is not None:
        raise ValueError(f"say {what} in nano-dollars or in dollars, not in both")
    return dollars if nano is None else nano


def one_of(nano: int | None, dollars: int | None, what: str) -> int:
    """Return what a body must say in one of the two forms. Raises ValueError."""
    said = either(nano, dollars, what)
    if said is None:
        raise ValueError(f"say {what} in nano-dollars or in dollars")
    return said


class InDollars(BaseModel):
    """An answer that shows its money in both forms."""

    @model_serializer(mode="wrap")
    def _serialize(self, handler: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def] # noqa: ANN202 - a type here would be the schema
        return with_dollars(handler(self))

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        shown = handler.resolve_ref_schema(schema)
        properties: dict[str, Any] = {}
        for name, field in shown.get("properties", {}).items():
            properties[name] = field
            if dollars := dollars_name(name):
                text = {"type": "string"}
                properties[dollars] = {"anyOf": [text, {"type": "null"}]} if "anyOf" in field else text
        shown["properties"] = properties
        if "required" in shown:
            shown["required"] = [one for name in shown["required"] for one in (name, dollars_name(name)) if one]
        return schema
