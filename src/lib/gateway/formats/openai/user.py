"""For whom a client makes a call: OpenAI's `safety_identifier`, and `user` before it.

Source: https://platform.openai.com/docs/guides/safety-best-practices.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from lib.admission.rules import MOST_END_USER, NAMELESS

# What the ledger can hold: neither control characters nor halves of a surrogate pair, which JSON can say and no store
# can keep.
_PLAIN = re.compile(rf"[^\x00-\x1f\x7f\ud800-\udfff]{{1,{MOST_END_USER}}}")


def end_user(json: Mapping[str, object]) -> str | None:
    """Return the end user's name; its hash, where it is longer or not plain text. None where there is none.

    NAMELESS where it is no text: that is nobody on whom it could be counted.
    """
    for field in ("safety_identifier", "user"):
        name = json.get(field)
        if name is None or name == "":
            continue
        if not isinstance(name, str):
            return NAMELESS
        return name if _PLAIN.fullmatch(name) else hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return None
