"""A provider that takes too long: here it has one second (UPSTREAM_TIMEOUT_SECONDS) for a whole call."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.support.headgate import Headgate
from tests.e2e.support.names import sim_model
from tests.e2e.support.sim import SimulatedProvider
from tests.e2e.support.sse import DONE, content, payloads

pytestmark = pytest.mark.once

WITH_USAGE: dict[str, Any] = {"stream_options": {"include_usage": True}}
PATHS = pytest.mark.parametrize("more", [WITH_USAGE, {}], ids=["native", "filtered"])


@pytest.mark.parametrize("fields", [{}, {"stream": True}, {"stream": True, **WITH_USAGE}], ids=str)
def test_before_the_first_byte(impatient: Headgate, impatient_sim: SimulatedProvider, fields: dict[str, Any]) -> None:
    """A provider that has not begun is given up with a 504, let go, and its input is charged."""
    model = sim_model("lat20000")

    answer = impatient.chat(model, **fields)

    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "upstream_timeout"
    assert impatient_sim.cancellation(model).phase in {"before_first_byte", "non_streaming"}
    record = impatient.record(model)
    assert (record["cause"], record["estimated"], record["output_tokens"]) == ("upstream_timeout", True, 0)
    assert record["input_tokens"] > 0


def test_in_the_middle_of_a_whole_answer(impatient: Headgate, impatient_sim: SimulatedProvider) -> None:
    """A provider that stops in the middle of an answer that is not streamed is a 504 too."""
    model = sim_model("stall2")

    answer = impatient.chat(model)

    assert answer.status_code == 504
    assert impatient_sim.cancellation(model).phase == "non_streaming"
    assert impatient.record(model)["cause"] == "upstream_timeout"


@PATHS
@pytest.mark.parametrize("words", ["stall3-chunks20", "chunks500-gap20"], ids=["stalled", "slow"])
def test_in_the_middle_of_a_stream(
    impatient: Headgate, impatient_sim: SimulatedProvider, words: str, more: dict[str, Any]
) -> None:
    """A stream that stalls, or goes on for too long, ends in an error event, and the provider is let go."""
    model = sim_model(words)

    answer = impatient.chat(model, stream=True, **more)

    found = payloads(answer.content)
    assert DONE not in found
    assert found[-1]["error"]["code"] == "upstream_timeout"
    assert content(answer.content).startswith(impatient_sim.text(3))
    served = impatient_sim.cancellation(model).tokens_served
    record = impatient.record(model)
    assert (record["cause"], record["status"]) == ("upstream_timeout", 200)
    assert served - 1 <= record["output_tokens"] <= 2 * served + 2


@pytest.mark.parametrize("fields", [{}, {"stream": True}], ids=["whole", "stream"])
def test_a_provider_that_nobody_answers_for(impatient: Headgate, fields: dict[str, Any]) -> None:
    """A provider that can't be reached is a 502 that does not tell its address, and costs nothing."""
    model = "openai/gpt-4o"
    own = impatient.as_key(impatient.new_key().secret)

    answer = own.chat(model, **fields)

    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "upstream_error"
    assert "127.0.0.1" not in answer.text
    key_id = next(key["id"] for key in impatient.all_pages("/api/v1/keys") if own.key.startswith(key["prefix"]))
    [record] = impatient.records(key_id=key_id)
    assert (record["cause"], record["cost_nano_usd"], record["estimated"]) == ("upstream_unreachable", 0, False)
