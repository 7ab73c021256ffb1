"""Models and embeddings with OpenAI's own Python SDK."""

from __future__ import annotations

import math

import openai
import pytest
from openai import OpenAI

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import sim_model


def test_listing_models(headgate: Headgate) -> None:
    """Both providers' models are listed, each under its provider's name, and one of them answers when called."""
    with headgate.openai() as client:
        models = {model.id: model for model in client.models.list()}
        assert "sim/chat" in models
        assert models["sim/chat"].owned_by == "sim"
        assert {name for name, model in models.items() if model.owned_by == "openai"} >= {
            "openai/listed-there",  # by the server that stands at OPENAI_BASE_URL, which is not OpenAI's
            "openai/vendor/deep",
        }
        assert all(model.object == "model" for model in models.values())
        answer = client.chat.completions.create(model="sim/chat", messages=[{"role": "user", "content": "Hi"}])

    assert answer.choices[0].message.content


def test_describing_a_model(headgate: Headgate) -> None:
    """Any model that a request could name can be looked up; another is NotFoundError."""
    with headgate.openai() as client:
        for name in ("sim/chat", "sim/chat-lat50-chunks3", "openai/gpt-4o"):
            assert client.models.retrieve(name).id == name
        assert client.models.retrieve("chat-tools").id == "sim/chat-tools"
        with pytest.raises(openai.NotFoundError, match=r"Did you mean sim/chat-tools"):
            client.models.retrieve("nobody/chat-tool")


def test_the_end_of_a_name_at_a_slashed_base_url(headgate: Headgate) -> None:
    """As people write them: a model without its vendor, and a base URL with a slash too many."""
    with OpenAI(base_url=f"{headgate.base_url}/v1/", api_key=headgate.key, max_retries=0) as client:
        answer = client.chat.completions.create(model="chat-tools", messages=[{"role": "user", "content": "Hi"}])
        assert answer.choices[0].message.content
        assert headgate.call("GET", "/v1/models/").status_code == 200
        with pytest.raises(openai.NotFoundError, match=r"/v1/responses is not offered here"):
            client.responses.create(model="chat-tools", input="Hi")


def test_embeddings_as_numbers(headgate: Headgate) -> None:
    """Several texts are embedded at once, in order, each as a vector of the dimensions that were asked for."""
    with headgate.openai() as client:
        answer = client.embeddings.create(
            model=sim_model(), input=["one", "two", "one"], encoding_format="float", dimensions=16
        )

    vectors = [item.embedding for item in answer.data]
    assert [item.index for item in answer.data] == [0, 1, 2]
    assert [len(vector) for vector in vectors] == [16] * 3
    assert vectors[0] == vectors[2] != vectors[1]
    assert math.isclose(math.hypot(*vectors[0]), 1, rel_tol=1e-3)
    assert answer.usage.prompt_tokens == 3


def test_embeddings_in_the_sdks_own_way(headgate: Headgate) -> None:
    """The SDK asks for base64 unless told otherwise, and decodes it to the same vectors."""
    with OpenAI(base_url=f"{headgate.base_url}/v1", api_key=headgate.key, max_retries=0) as client:
        packed = client.embeddings.create(model=sim_model(), input="one")
        plain = client.embeddings.create(model=sim_model(), input="one", encoding_format="float")

    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding)


def test_embedding_tokens(headgate: Headgate) -> None:
    """Lists of token numbers are embedded as well as texts."""
    with headgate.openai() as client:
        one = client.embeddings.create(model=sim_model(), input=[1, 2, 3], encoding_format="float")
        two = client.embeddings.create(model=sim_model(), input=[[1, 2], [3]], encoding_format="float")

    assert (len(one.data), len(two.data)) == (1, 2)


@pytest.mark.parametrize("status", [400, 429, 500])
def test_embedding_errors(headgate: Headgate, status: int) -> None:
    """The provider's errors raise their classes here too."""
    with headgate.openai() as client, pytest.raises(openai.APIStatusError) as raised:
        client.embeddings.create(model=sim_model(f"err{status}"), input="one", encoding_format="float")

    assert raised.value.status_code == status
