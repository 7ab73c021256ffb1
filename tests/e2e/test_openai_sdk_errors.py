"""Errors as OpenAI's own Python SDK raises them: the class of each tells a program what to do."""

from __future__ import annotations

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import sim_model
from tests.e2e.support.sim import SimulatedProvider

# The store is asked for nothing but the caller.
pytestmark = pytest.mark.once

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Say hello."}]
CLASSES: list[tuple[int, type[openai.APIStatusError]]] = [
    (400, openai.BadRequestError),
    (404, openai.NotFoundError),
    (409, openai.ConflictError),
    (413, openai.APIStatusError),
    (422, openai.UnprocessableEntityError),
    (429, openai.RateLimitError),
    (500, openai.InternalServerError),
    (502, openai.InternalServerError),
    (503, openai.InternalServerError),
    (504, openai.InternalServerError),
]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("status", "kind"), CLASSES, ids=lambda value: str(value) if isinstance(value, int) else "")
def test_a_provider_error_has_its_class(
    headgate: Headgate, status: int, kind: type[openai.APIStatusError], stream: bool
) -> None:
    """Each status of the provider becomes the SDK's class for it, before a stream begins as well."""
    with headgate.openai() as client, pytest.raises(kind) as raised:
        client.chat.completions.create(model=sim_model(f"err{status}"), messages=HELLO, stream=stream)

    assert type(raised.value) is kind
    assert raised.value.status_code == status
    assert raised.value.request_id
    assert isinstance(raised.value.body, dict)
    assert "as the model's name asks" in raised.value.body["message"]


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "provider_refused_key"), (403, "provider_refused_key"), (402, "provider_out_of_credit")],
)
def test_a_provider_that_refuses_our_account(
    headgate: Headgate, sim: SimulatedProvider, status: int, code: str
) -> None:
    """The caller's key is right and its budget not spent, so nothing says so, and trying again would not help."""
    model = sim_model(f"err{status}")
    with headgate.openai() as client, pytest.raises(openai.InternalServerError) as raised:
        client.with_options(max_retries=2).chat.completions.create(model=model, messages=HELLO)

    assert (raised.value.status_code, raised.value.code) == (502, code)
    assert sim.of(model)["requests"] == 1


@pytest.mark.parametrize("status", [429, 503])
def test_an_error_says_when_to_come_back(headgate: Headgate, status: int) -> None:
    """The provider's Retry-After reaches the client, and only where the provider sent one."""
    with headgate.openai() as client:
        with pytest.raises(openai.APIStatusError) as raised:
            client.chat.completions.create(model=sim_model(f"err{status}"), messages=HELLO)
        with pytest.raises(openai.APIStatusError) as without:
            client.chat.completions.create(model=sim_model("err500"), messages=HELLO)

    assert raised.value.response.headers["retry-after"] == "1"
    assert "retry-after" not in without.value.response.headers


def test_the_sdk_can_try_again(headgate: Headgate, sim: SimulatedProvider) -> None:
    """A client that retries an overloaded provider is heard each time, and told the last error."""
    model = sim_model("err503")
    with headgate.openai() as client, pytest.raises(openai.InternalServerError):
        client.with_options(max_retries=1).chat.completions.create(model=model, messages=HELLO)

    assert sim.of(model)["requests"] == 2


def test_keys_that_are_not_accepted(headgate: Headgate) -> None:
    """A wrong, a revoked and a missing key raise AuthenticationError."""
    revoked = headgate.new_key()
    assert headgate.delete(f"/api/v1/keys/{revoked.id}").status_code == 204

    for key in ("sk-somebody-elses", headgate.key[:-1] + "?", revoked.secret):
        with headgate.as_key(key).openai() as client, pytest.raises(openai.AuthenticationError) as raised:
            client.chat.completions.create(model="sim/chat", messages=HELLO)
        assert raised.value.code == "invalid_api_key"
        assert key not in raised.value.response.text

    no_key = headgate.http.post(f"{headgate.base_url}/v1/chat/completions", json={})
    assert no_key.status_code == 401
    assert no_key.json()["error"]["code"] == "missing_api_key"


def test_a_key_without_the_scope(headgate: Headgate) -> None:
    """A key that may not call models raises PermissionDeniedError."""
    with (
        headgate.as_key(headgate.new_key(scopes=["usage:read"]).secret).openai() as client,
        pytest.raises(openai.PermissionDeniedError),
    ):
        client.chat.completions.create(model="sim/chat", messages=HELLO)


@pytest.mark.parametrize("model", ["nobody/model", "nobodys", "sim/", "sim/chat-unknownword"])
def test_a_model_that_does_not_exist(headgate: Headgate, model: str) -> None:
    """An unknown provider, an unknown name and the provider's own 404 raise NotFoundError with OpenAI's code."""
    with headgate.openai() as client, pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model=model, messages=HELLO)

    assert raised.value.code == "model_not_found"


def test_a_request_that_is_not_valid(headgate: Headgate) -> None:
    """What we must read is validated before the provider is asked: BadRequestError names the field."""
    with headgate.openai() as client, pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="sim/chat", messages=[])

    assert raised.value.param == "messages"


@pytest.mark.parametrize("usage", [False, True], ids=["filtered", "native"])
@pytest.mark.parametrize(("word", "tokens"), [("late5", 5), ("cut5", 5), ("late0", 0), ("cut0", 0)])
def test_a_late_failure(headgate: Headgate, sim: SimulatedProvider, word: str, tokens: int, usage: bool) -> None:
    """When the provider fails mid-stream the client gets the text so far, and then an APIError: never a clean end."""
    texts: list[str] = []
    with headgate.openai() as client:
        stream = client.chat.completions.create(
            model=sim_model(f"{word}-chunks20"), messages=HELLO, stream=True, stream_options={"include_usage": usage}
        )
        with stream, pytest.raises(openai.APIError) as raised:
            texts.extend(choice.delta.content or "" for chunk in stream for choice in chunk.choices)

    assert "".join(texts) == sim.text(tokens)
    assert not isinstance(raised.value, openai.APIConnectionError)
    assert raised.value.message
    assert isinstance(raised.value.body, dict)
