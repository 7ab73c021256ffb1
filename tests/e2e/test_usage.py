"""Usage: what every call used, one by one and in sums."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.support.headgate import Headgate, Json
from tests.e2e.support.names import sim_model, upstream_name
from tests.e2e.support.sim import SimulatedProvider

SUMMED = ["input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "cost_nano_usd"]


def total(headgate: Headgate, **filters: str) -> Json:
    """The one line of everything."""
    lines = headgate.all_pages("/api/v1/usage", group_by="", **filters)
    assert len(lines) == 1
    return lines[0]


def test_the_record_of_a_call(headgate: Headgate) -> None:
    """A record tells who called what, how it ended, what it used and cost, and how long it took."""
    key, model = headgate.new_key(), sim_model("lat100-chunks8")
    began = datetime.now(UTC)
    headgate.as_key(key.secret).chat(model, stream=True)

    record = headgate.record(model)
    assert record["key_id"] == key.id
    assert (record["endpoint"], record["model"], record["streamed"]) == ("chat.completions", model, True)
    assert (record["provider"], record["upstream_model"]) == ("sim", upstream_name(model))
    assert (record["cause"], record["status"], record["estimated"]) == ("finished", 200, False)
    assert record["output_tokens"] == 8
    assert record["duration_ms"] >= record["first_byte_ms"] >= 100
    assert abs(datetime.fromisoformat(record["started_at"]) - began) < timedelta(seconds=10)


def test_embeddings_are_recorded(headgate: Headgate) -> None:
    """Embeddings have input tokens and no output."""
    model = sim_model()
    headgate.post("/v1/embeddings", {"model": model, "input": ["one text", "another"]})

    record = headgate.record(model)
    assert (record["endpoint"], record["streamed"], record["output_tokens"]) == ("embeddings", False, 0)
    assert record["input_tokens"] == 4


@pytest.mark.parametrize("fields", [{"stream": True}, {}], ids=["stream", "whole"])
def test_a_provider_that_tells_no_usage(headgate: Headgate, fields: dict[str, Any]) -> None:
    """Usage that nobody tells is estimated from the text, and said to be."""
    model = sim_model("nousage-chunks20")
    headgate.chat(model, **fields)

    record = headgate.record(model)
    assert (record["cause"], record["estimated"]) == ("finished", True)
    assert 20 <= record["output_tokens"] <= 200
    assert record["input_tokens"] > 0
    assert record["cost_nano_usd"] == record["input_tokens"] * 100 + record["output_tokens"] * 400


def test_all_calls_are_counted(own_headgate: Headgate, sim: SimulatedProvider) -> None:
    """After a mixed run the sums are the provider's own counts, and the records' sum, to the token and nano-dollar."""
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("chunks7", {}),
        ("chunks9", {"stream": True}),
        ("chunks5-split3-ping", {"stream": True, "stream_options": {"include_usage": True}}),
        ("chunks4-gap5", {"stream": True, "n": 2}),
        ("err429", {}),
        ("err500", {"stream": True}),
    ]
    models = [(sim_model(words), fields) for words, fields in kinds]
    for _ in range(9):
        for model, fields in models:
            own_headgate.chat(model, **fields)
    embedded = sim_model()
    for _ in range(6):
        own_headgate.post("/v1/embeddings", {"model": embedded, "input": ["some text", "more"]})

    records = own_headgate.records_when(60)
    line = total(own_headgate)
    assert line["requests"] == 60
    assert (line["estimated_requests"], line["unpriced_requests"]) == (0, 0)
    for name in SUMMED:
        assert line[name] == sum(record[name] for record in records)
    assert line["cost_nano_usd"] == line["input_tokens"] * 100 + line["output_tokens"] * 400
    seen = [sim.of(model) for model, _ in models] + [sim.of(embedded)]
    assert sum(item["requests"] for item in seen) == 60
    assert line["input_tokens"] == sum(item["prompt_tokens"] for item in seen)
    assert line["output_tokens"] == sum(item["completion_tokens"] for item in seen)
    causes = [record["cause"] for record in records]
    assert (causes.count("finished"), causes.count("upstream_refused")) == (42, 18)
    assert len({record["id"] for record in records}) == 60
    started = [datetime.fromisoformat(record["started_at"]) for record in records]
    assert started == sorted(started, reverse=True)


def test_groups(own_headgate: Headgate) -> None:
    """Sums can be grouped by day, model and key, and every grouping adds up to the same."""
    keys = [own_headgate.new_key() for _ in range(2)]
    models = [sim_model("chunks3"), sim_model("chunks5")]
    for key in keys:
        for model in models:
            for _ in range(2):
                own_headgate.as_key(key.secret).chat(model)
    today = datetime.now(UTC).date().isoformat()
    own_headgate.records_when(8)

    whole = total(own_headgate)
    assert (whole["day"], whole["model"], whole["key_id"]) == (None, None, None)
    assert (whole["requests"], whole["output_tokens"]) == (8, 32)
    expected = {"": 1, "day": 1, "model": 2, "key": 2, "model,key": 4, "key,day": 2, "day,model,key": 4}
    for group_by, number in expected.items():
        lines = own_headgate.all_pages("/api/v1/usage", group_by=group_by, limit=1)
        assert len(lines) == number, group_by
        for name in ["requests", *SUMMED]:
            assert sum(line[name] for line in lines) == whole[name]
    assert own_headgate.get("/api/v1/usage").json()["data"] == own_headgate.all_pages(
        "/api/v1/usage", group_by="day,model,key", limit=3
    )
    by_model = own_headgate.get("/api/v1/usage", group_by="model").json()["data"]
    assert [(line["model"], line["output_tokens"]) for line in by_model] == sorted(zip(models, (12, 20), strict=True))
    by_key = own_headgate.get("/api/v1/usage", group_by="key,day").json()["data"]
    assert {(line["key_id"], line["day"], line["requests"]) for line in by_key} == {(key.id, today, 4) for key in keys}


def test_filters(own_headgate: Headgate) -> None:
    """Records and sums can be narrowed to a model, a key and days."""
    key, model = own_headgate.new_key(), sim_model("chunks3")
    own_headgate.as_key(key.secret).chat(model)
    own_headgate.chat(model)
    own_headgate.chat(sim_model())
    own_headgate.records_when(3)

    assert len(own_headgate.records(model=model)) == 2
    assert len(own_headgate.records(model=model, key_id=key.id)) == 1
    assert total(own_headgate, model=model)["requests"] == 2
    assert total(own_headgate, key_id=key.id)["output_tokens"] == 3
    today = datetime.now(UTC).date()
    days = {"from": today.isoformat(), "to": today.isoformat()}
    before = {"from": (today - timedelta(days=3)).isoformat(), "to": (today - timedelta(days=1)).isoformat()}
    assert len(own_headgate.records(**days)) == 3
    assert own_headgate.records(**before) == []
    assert own_headgate.get("/api/v1/usage", **before).json()["data"] == []


def test_pages_of_records(own_headgate: Headgate) -> None:
    """Records come newest first, each once, however small the pages; new ones do not disturb a reader."""
    for _ in range(7):
        own_headgate.chat("sim/chat-chunks1")
    whole = own_headgate.records_when(7)

    first = own_headgate.get("/api/v1/usage/records", limit=3).json()
    own_headgate.chat("sim/chat-chunks1")
    own_headgate.records_when(8)
    rest = own_headgate.get("/api/v1/usage/records", limit=100, cursor=first["meta"]["next_cursor"]).json()
    assert first["data"] + rest["data"] == whole
    assert rest["meta"]["next_cursor"] is None
    assert [record["id"] for record in own_headgate.all_pages("/api/v1/usage/records", limit=2)][1:] == [
        record["id"] for record in whole
    ]


def test_what_is_refused_here_is_no_usage(own_headgate: Headgate) -> None:
    """Requests that never went to a provider leave no record."""
    own_headgate.chat("nobody/model")
    own_headgate.chat("sim/chat", messages=[])
    own_headgate.as_key("hg_x").chat("sim/chat")
    own_headgate.get("/v1/models")

    assert own_headgate.records() == []
