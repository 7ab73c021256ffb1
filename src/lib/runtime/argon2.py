"""Argon2id in the Worker: the reference library that the wheel `argon2-cffi-bindings` carries, called by ctypes.

argon2-cffi itself needs cffi, which PyPI has not for this platform. The functions are those of the reference
implementation's argon2.h (https://github.com/P-H-C/phc-winner-argon2): they take a text that ends in NUL and give 0 for
success.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lib.sign_in.passwords import HASH_BYTES, HashCost

_PACKAGE = "_argon2_cffi_bindings"
_MOST_ENCODED = 256


class CtypesArgon2:
    """Implements `lib.sign_in.passwords.PasswordHasher`."""

    def hash(self, secret: bytes, salt: bytes, cost: HashCost) -> str:
        encoded = ctypes.create_string_buffer(_MOST_ENCODED)
        failure = _library().argon2id_hash_encoded(
            *(cost.passes, cost.memory_kib, cost.lanes),
            *(secret, len(secret), salt, len(salt), HASH_BYTES, encoded, _MOST_ENCODED),
        )
        if failure:
            raise MemoryError(f"argon2id_hash_encoded failed: {failure}")
        return encoded.value.decode()

    def verify(self, encoded: str, secret: bytes) -> bool:
        return _library().argon2id_verify(encoded.encode(), secret, len(secret)) == 0


@cache
def _library() -> Any:
    """Load the library at first use. A snapshot that is made with it can't be restored: workerd loads the libraries
    anew in an order of its own, and finds pydantic's at another place ("Expected table base"). tools/snapshot.py looks
    that it can be loaded after restoring.
    """
    spec = find_spec(_PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    [path] = [path for folder in folders for path in Path(folder).glob("_ffi*.so")]
    library = ctypes.CDLL(str(path))
    size, number, text = ctypes.c_size_t, ctypes.c_uint32, ctypes.c_char_p
    library.argon2id_hash_encoded.argtypes = [
        *(number, number, number), *(text, size, text, size), *(size, text, size),
    ]  # fmt: skip
    library.argon2id_verify.argtypes = [text, text, size]
    return library
