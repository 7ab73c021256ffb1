"""Authenticated encryption with WebCrypto."""

from __future__ import annotations

import secrets
from typing import Any

import js
from js import Object
from pyodide.ffi import JsException, to_js

_NONCE_BYTES = 12


class WebCryptoSealer:
    """Implements `lib.secrets.keeping.Sealer`: AES-256-GCM, a random nonce in front of the text (NIST SP 800-38D)."""

    async def seal(self, key: bytes, text: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = await js.crypto.subtle.encrypt(_algorithm(nonce), await _import(key), to_js(text))
        return nonce + bytes(sealed.to_bytes())

    async def open(self, key: bytes, sealed: bytes) -> bytes:
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            opened = await js.crypto.subtle.decrypt(_algorithm(nonce), await _import(key), to_js(text))
        except JsException:
            raise ValueError("the text can't be opened with this key") from None
        return bytes(opened.to_bytes())


def _algorithm(nonce: bytes) -> Any:
    return to_js({"name": "AES-GCM", "iv": to_js(nonce)}, dict_converter=Object.fromEntries)


async def _import(key: bytes) -> Any:
    return await js.crypto.subtle.importKey("raw", to_js(key), "AES-GCM", False, to_js(["encrypt", "decrypt"]))
