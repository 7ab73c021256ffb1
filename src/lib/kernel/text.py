"""What texts may hold."""

from __future__ import annotations

# No control characters: they hide text from people, and NUL ends a text for the store.
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
