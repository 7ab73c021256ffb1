"""Nothing of a provider's key reaches a client."""

from __future__ import annotations

import json
import re
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lib.gateway.redaction import REDACTED, redact

KEY_CHARACTERS = string.ascii_letters + string.digits + "-_.+/="
SECRETS = st.text(KEY_CHARACTERS, min_size=4, max_size=60).filter(lambda secret: secret not in REDACTED.decode())
NOT_A_WORD = re.compile(r"[0-9*]")  # which tells a key from English words with a hyphen
AROUND = st.text(string.printable, max_size=30)


@given(secret=SECRETS, before=AROUND, after=AROUND, times=st.integers(1, 4))
def test_a_secret_never_survives(secret: str, before: str, after: str, times: int) -> None:
    """Wherever it stands, and however often, also right beside itself."""
    body = (before + secret * times + after).encode()
    assert secret.encode() not in redact(body, (secret,))


@given(SECRETS, SECRETS, AROUND)
def test_of_several_secrets_none_survives(one: str, other: str, around: str) -> None:
    """Also where one is a part of the other."""
    redacted = redact(f"{one}{around}{other}{around}{one}{other}".encode(), (one, other))
    assert one.encode() not in redacted
    assert other.encode() not in redacted


@given(SECRETS)
def test_a_secret_inside_json_does_not_survive(secret: str) -> None:
    """As a provider would quote it: in a message, as the plain text that JSON allows for it."""
    body = json.dumps({"error": {"message": f"Incorrect API key provided: {secret}. See https://x.example."}})
    assert secret not in json.loads(redact(body.encode(), (secret,)))["error"]["message"]


@pytest.mark.parametrize("secret", ["sim/secret+key=", "pass/word"])
def test_a_secret_that_json_may_write_otherwise_does_not_survive_either(secret: str) -> None:
    r"""PHP and others write `\/` for a slash."""
    body = json.dumps({"error": {"message": f"wrong key {secret}"}}).replace("/", "\\/")
    assert secret not in json.loads(redact(body.encode(), (secret,)))["error"]["message"]


@given(
    kind=st.sampled_from(["sk", "pk", "rk", "key", "xai", "gsk", "org", "proj"]),
    rest=st.text(string.ascii_letters + string.digits + "-_*", min_size=8, max_size=60).filter(NOT_A_WORD.search),
)
def test_what_looks_like_a_key_does_not_survive_though_it_is_not_ours(kind: str, rest: str) -> None:
    """Masked keys too: OpenAI quotes a key's first and last characters, with stars between."""
    assume(rest.encode() not in REDACTED)
    quoted = json.dumps({"message": f"Incorrect API key provided: {kind}-{rest}."}).encode()
    assert rest.encode() not in redact(quoted, ())


@given(
    st.dictionaries(st.text(string.ascii_lowercase, min_size=1), st.text(string.ascii_lowercase + " .,:", max_size=40))
)
def test_what_is_no_key_is_left_alone(body: dict[str, str]) -> None:
    """Byte for byte: clients read these errors."""
    text = json.dumps(body).encode()
    assert redact(text, ("sk-0123456789",)) == text


@pytest.mark.parametrize(
    "text",
    [
        b'{"message":"Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000"}',
        b'{"message":"Use key-value pairs, or an org-level setting"}',
        b'{"message":"Unknown parameter: task-specific"}',
        b'{"message":"max_tokens is too large: 99999","param":"max_tokens"}',
    ],
)
def test_common_errors_are_left_alone(text: bytes) -> None:
    """English words with a hyphen are no keys."""
    assert redact(text, ()) == text


def test_the_result_is_still_json() -> None:
    """A client parses it as before."""
    body = b'{"error":{"message":"bad key sk-abc123DEF456","param":null}}'
    assert json.loads(redact(body, ())) == {"error": {"message": "bad key [redacted]", "param": None}}
