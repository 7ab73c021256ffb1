"""Copies of frozen values for the way of each call."""

from __future__ import annotations

from typing import TypeVar

Value = TypeVar("Value")


def altered(value: Value, **changes: object) -> Value:
    """Return a dataclass's value with other fields, as `dataclasses.replace` does, but not by a Python step a field.

    For classes without slots, whose `__post_init__` has nothing to do. The names are not checked.
    """
    copy = object.__new__(type(value))
    vars(copy).update(vars(value), **changes)
    return copy
