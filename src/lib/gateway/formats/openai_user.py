"""For whom a client makes a call: OpenAI's `safety_identifier`, and `user` before it.

Source: https://platform.openai.com/docs/guides/safety-best-practices.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

MOST_CHARACTERS = 128


def end_user(json: Mapping[str, object]) -> str | None:
    """Return the end user's name; of a longer one, its hash. None where there is none."""
    for field in ("safety_identifier", "user"):
        name = json.get(field)
        if isinstance(name, str) and name:
            return name if len(name) <= MOST_CHARACTERS else hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()
    return None
