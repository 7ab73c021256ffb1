"""What is stored: no key, no provider's key and no secret answer, so that a stolen database opens nothing."""

from __future__ import annotations

import base64
import re

from tests.e2e.conftest import PROVIDER_KEY
from tests.e2e.support.headgate import Headgate
from tests.e2e.support.log import after
from tests.e2e.support.names import letters, sim_model
from tests.e2e.support.scripted import ScriptedUpstream
from tests.e2e.support.store import stored_bytes
from tools.stack import Stack


def test_nothing_secret_is_stored(headgate: Headgate, stack: Stack, upstream: ScriptedUpstream) -> None:
    """After every kind of use, neither the store nor a gate has a key, a provider's key, or an Idempotency-Key."""
    repeat = f"repeat-{letters(20)}"
    idempotent = headgate.post("/api/v1/keys", {"name": "kept"}, idempotency_key=repeat).json()["data"]
    headgate.post("/api/v1/keys", {"name": "kept"}, idempotency_key=repeat)
    plain = headgate.new_key()
    words = f"private-{letters(20)}"
    model = sim_model()
    for own in (headgate, headgate.as_key(plain.secret), headgate.as_key(idempotent["secret"])):
        own.chat(model, messages=[{"role": "user", "content": words}])
        own.chat(upstream.answers(b'{"choices":[]}'), messages=[{"role": "user", "content": words}])
    assert len(headgate.records(model=model)) == 3

    stored = stored_bytes(stack)

    assert model.encode() in stored  # so this is the right place to look
    assert plain.data["prefix"].encode() in stored
    readable = stored + without_base64(stored)
    made = [headgate.key, plain.secret, idempotent["secret"], repeat, words]
    for secret in [*made, PROVIDER_KEY, *stack.state.secrets().values()]:
        assert secret.encode() not in readable
        assert secret[len(secret) // 2 :].encode() not in readable


def without_base64(stored: bytes) -> bytes:
    """What anyone can read of texts that are only encoded. Where one begins is unknown, so each place is tried."""
    runs = re.findall(rb"[A-Za-z0-9+/_-]{40,}", stored)
    cuts = (run[start:].translate(bytes.maketrans(b"-_", b"+/")) for run in runs for start in range(4))
    return b"".join(base64.b64decode(cut[: len(cut) // 4 * 4]) for cut in cuts)


def test_nothing_secret_is_logged(headgate: Headgate, stack: Stack, upstream: ScriptedUpstream) -> None:
    """No key, no provider's key, no prompt and no answer is in the log, whatever happened."""
    words = f"private-{letters(20)}"
    key = headgate.new_key(name=f"name-{letters(20)}")
    own = headgate.as_key(key.secret)
    message = [{"role": "user", "content": words}]
    answers = [
        own.chat(model, messages=message, stream=stream)
        for model in (sim_model(), sim_model("err500"), sim_model("late1"), upstream.answers(b"<", status="500 x"))
        for stream in (True, False)
    ]
    json_header = {"content-type": "application/json"}
    answers.append(own.call("POST", "/v1/chat/completions", content=words.encode(), headers=json_header))

    log = after(stack, *answers)

    for secret in (key.secret, headgate.key, PROVIDER_KEY, words, key.data["name"], *stack.state.secrets().values()):
        assert secret not in log
    assert "Hello from the" not in log
