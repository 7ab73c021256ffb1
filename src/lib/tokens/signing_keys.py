"""The keys of access tokens: made, published before they sign, and kept until nothing that they signed lives.

    ── published ──▶ signs, for 30 days ──▶ still published, for a day ──▶ deleted
       LEAD before                          tokens live for minutes

The hourly job makes the next key a few days before the last one stops, so a job that fails once is no harm; and where
there is none that signs (a new deployment), the first who needs one makes it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lib.kernel.ids import new_id
from lib.secrets.api_keys import derive
from lib.store.schema import SigningKeyRow
from lib.tokens import signing_key_store
from lib.tokens.jwk import VerifyingKey, verifying_key
from lib.tokens.jwt import InvalidToken, Signatures, Token, chosen_key

if TYPE_CHECKING:
    from lib.events.parts import Parts
    from lib.tokens.access_token import AccessToken

ALGORITHM = "ES256"  # every JWT library has it
SIGNS = timedelta(days=30)
LEAD = timedelta(days=3)
KEPT = timedelta(days=1)
# How old the isolate's copy may be, and how soon a key that it does not know lets it look again: an invented id in a
# token must not be a way to have the store read at each request.
FRESH = timedelta(minutes=5)
LOOK_AGAIN = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that may sign now."""

    key: VerifyingKey
    private_jwk: Mapping[str, Any]


class SigningKeys:
    """The isolate's copy of the deployment's keys. `signatures` is the platform's cryptography.

    `taken_apart` are access tokens as `lib.web.credentials` has read them, by their hash: verified or not.
    """

    def __init__(self, signatures: Signatures) -> None:
        self.signatures = signatures
        self.taken_apart: dict[str, tuple[Token, AccessToken]] = {}
        self._rows: list[SigningKeyRow] = []
        self._read_at: datetime | None = None
        self._opened: dict[str, Mapping[str, Any]] = {}

    async def published(self, parts: Parts, older: timedelta = FRESH) -> list[SigningKeyRow]:
        """Return the keys that tokens may be verified with, as the store had them at most `older` ago."""
        now = parts.clock.now()
        if self._read_at is None or not timedelta() <= now - self._read_at < older:
            self._rows = await signing_key_store.keys(parts.database, now)
            self._read_at = now
        return [row for row in self._rows if row.expires_at > now]

    async def verifying(self, parts: Parts, token: Token) -> VerifyingKey:
        """Return the key that a token names. Raises InvalidToken."""
        keys = [_verifying(row) for row in await self.published(parts)]
        if token.key_id not in {key.id for key in keys}:
            keys = [_verifying(row) for row in await self.published(parts, LOOK_AGAIN)]
        if token.key_id is None:
            raise InvalidToken("it names no key")
        return chosen_key(token, keys)

    async def signing(self, parts: Parts) -> SigningKey:
        """Return the key to sign with now: of those that may, and that the secret of now opens, the newest."""
        now = parts.clock.now()
        for older in (FRESH, timedelta()):
            for row in _able(await self.published(parts, older), now):
                # What another HEADGATE_SECRET has sealed signs no more here; it may go on in an isolate of the time
                # before. Made anew for each such one, keys would come without end.
                with suppress(ValueError):
                    return SigningKey(_verifying(row), await self._private(parts, row))
        row = await self._make(parts, now)
        return SigningKey(_verifying(row), await self._private(parts, row))

    async def rotate(self, parts: Parts) -> int:
        """Make the next key when it is time, and delete the old ones; return how many were deleted. The hourly job."""
        now = parts.clock.now()
        rows = await self.published(parts, timedelta())
        last = max((row.signs_until_at for row in rows), default=now)
        if last <= now + LEAD:
            await self._make(parts, max(last, now))
        return await signing_key_store.purge(parts.database, now)

    async def _make(self, parts: Parts, signs_from: datetime) -> SigningKeyRow:
        now = parts.clock.now()
        public, private = await self.signatures.new_key(ALGORITHM)
        sealed = await parts.sealer.seal(_sealing_key(parts), json.dumps(private).encode())
        row = SigningKeyRow(
            id=new_id(now),
            algorithm=ALGORITHM,
            public_jwk=json.dumps(public),
            private_sealed=base64.b64encode(sealed).decode(),
            signs_from_at=signs_from,
            signs_until_at=signs_from + SIGNS,
            expires_at=signs_from + SIGNS + KEPT,
            created_at=now,
            updated_at=now,
        )
        await signing_key_store.insert(parts.database, row)
        self._read_at = None
        return row

    async def _private(self, parts: Parts, row: SigningKeyRow) -> Mapping[str, Any]:
        """Open a private key, once in an isolate."""
        if row.id not in self._opened:
            opened = await parts.sealer.open(_sealing_key(parts), base64.b64decode(row.private_sealed))
            self._opened = {row.id: json.loads(opened)}
        return self._opened[row.id]


def public_jwk(row: SigningKeyRow) -> dict[str, Any]:
    """Return a key as it is published (RFC 7517)."""
    return {**json.loads(row.public_jwk), "kid": row.id, "alg": row.algorithm, "use": "sig"}


def _verifying(row: SigningKeyRow) -> VerifyingKey:
    return verifying_key(public_jwk(row))


def _able(rows: list[SigningKeyRow], now: datetime) -> list[SigningKeyRow]:
    """Return the keys that may sign now, the newest first."""
    able = [row for row in rows if row.signs_from_at <= now < row.signs_until_at]
    return sorted(able, key=lambda row: (row.signs_from_at, row.id), reverse=True)


def _sealing_key(parts: Parts) -> bytes:
    return derive(parts.config.secret, "signing-keys")
