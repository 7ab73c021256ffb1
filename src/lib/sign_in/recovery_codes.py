"""Recovery codes: for whoever has lost the authenticator. Each works once. No I/O."""

from __future__ import annotations

import secrets

from lib.secrets.api_keys import key_hash

COUNT = 10
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # nothing that looks like something else
_LENGTH = 24  # 118 bits: from 112 on a plain hash would do (ASVS V6.5.2)


def new_codes() -> list[str]:
    """Return new codes in groups of four. They are shown once and never stored."""
    texts = ["".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH)) for _ in range(COUNT)]
    return ["-".join(text[at : at + 4] for at in range(0, _LENGTH, 4)) for text in texts]


def code_hash(code: str, user_id: str, pepper: bytes) -> str:
    """Return the keyed hash under which a person's code is stored; case, spaces and hyphens don't count."""
    letters = "".join(character for character in code.lower() if character in _ALPHABET)
    return key_hash(f"recovery-code\0{user_id}\0{letters}", pepper)
