"""A chat completion's bound is never below the worst tokenizer's count: one token for each byte it is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.gateway.bounds import MOST_TOKENS, Bound
from lib.gateway.formats.format import Writing
from lib.gateway.formats.openai.chat import CHAT, ChatRequest
from lib.gateway.models import ImageRule, ModelFacts
from lib.kernel import json_body
from lib.kernel.errors import BadRequest
from tests.unit.strategies import TEXT

USER = {"role": "user", "content": "hi"}
RULE = ImageRule(low=7, high=70, original=700)
PIXEL = "data:image/png;base64," + "A" * 5000
# OpenAI's marks, each of one token: https://github.com/openai/harmony and the older <|im_start|>role<|im_sep|>.
MARKS = 5


def bounded(body: dict[str, object], rule: ImageRule | None = RULE) -> Bound:
    whole = {"model": "m", "messages": [USER], **body}
    return Writing(CHAT, ChatRequest.model_validate(whole), whole, "m", ModelFacts(image_rule=rule)).bound()


def tokens(body: dict[str, object]) -> int:
    found = bounded(body)
    assert found.reason is None
    assert found.input_tokens is not None
    return found.input_tokens


def size(text: object) -> int:
    return len(text.encode()) if isinstance(text, str) else 0


def shown(message: dict[str, Any]) -> int:
    """Count the bytes and marks of a message as a model is shown it."""
    content = message.get("content")
    total = MARKS + sum(size(message.get(name)) for name in ("role", "name", "tool_call_id", "refusal"))
    total += sum(size(p.get("text")) + 1 for p in content) if isinstance(content, list) else size(content)
    for call in message.get("tool_calls", ()):
        function = call["function"]
        total += (
            MARKS + size(call["id"]) + size(" to=functions.") + size(function["name"]) + size(function["arguments"])
        )
    return total


def declared(schema: dict[str, Any], indent: int = 0) -> str:
    """Write a schema as OpenAI is seen to: as a TypeScript type with comments."""
    if "enum" in schema:
        return " | ".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
    if schema.get("type") == "array":
        return declared(schema["items"], indent) + "[]"
    if schema.get("type") != "object":
        return str(schema.get("type", "any"))
    lines = ["{"]
    for name, inner in schema["properties"].items():
        lines += [f"// {line}" for line in inner.get("description", "").splitlines()]
        lines.append(f"{name}?: {declared(inner, indent + 1)},")
    return "\n".join([*lines, "}"])


def tool_text(tool: dict[str, Any]) -> str:
    function = tool["function"]
    return (
        f"// {function['description']}\ntype {function['name']} = (_: {declared(function['parameters'])}) => any;\n\n"
    )


TEXT_PARTS = st.lists(TEXT.map(lambda text: {"type": "text", "text": text}), min_size=1, max_size=4)
CALLS = st.lists(
    st.builds(
        lambda name, arguments: {"id": "", "type": "function", "function": {"name": name, "arguments": arguments}},
        TEXT,
        TEXT,
    ),
    max_size=3,
)
MESSAGES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "developer"]), "content": TEXT | TEXT_PARTS},
        optional={"name": TEXT},
    ),
    st.fixed_dictionaries(
        {"role": st.just("assistant"), "content": st.none() | TEXT}, optional={"tool_calls": CALLS, "refusal": TEXT}
    ),
    st.fixed_dictionaries({"role": st.just("tool"), "content": TEXT | TEXT_PARTS, "tool_call_id": TEXT}),
)
LEAVES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.just({"type": "string"}),
    st.builds(lambda text: {"type": "number", "description": text}, TEXT),
    st.builds(lambda values: {"enum": values}, st.lists(st.integers() | TEXT, min_size=1, max_size=4)),
)


def an_object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: (
        st.dictionaries(TEXT, inner, max_size=4).map(an_object)
        | inner.map(lambda items: {"type": "array", "items": items})
    ),
    max_leaves=8,
)
TOOLS = st.lists(
    st.builds(
        lambda name, text, schema: {
            "type": "function",
            "function": {"name": name, "description": text, "parameters": schema},
        },
        TEXT,
        TEXT,
        SCHEMAS,
    ),
    max_size=4,
)


@given(st.lists(MESSAGES, min_size=1, max_size=5))
def test_messages_of_every_kind_are_covered(messages: list[dict[str, Any]]) -> None:
    """Texts, parts, names, tool calls and their results; measured from the body."""
    assert tokens({"messages": messages}) >= sum(map(shown, messages)) + MARKS


@given(TOOLS)
def test_tools_are_covered(tools: list[dict[str, Any]]) -> None:
    """Their names, descriptions and schemas, in the form that a model is shown."""
    heading = "# Tools\n\n## functions\n\nnamespace functions {\n\n} // namespace functions"
    assert tokens({"tools": tools}) >= sum(size(tool_text(tool)) for tool in tools) + size(heading) + shown(USER)


@given(SCHEMAS)
def test_an_answers_schema_is_covered(schema: dict[str, Any]) -> None:
    """`response_format` is shown to the model too, as a type and perhaps as JSON beside."""
    asked = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    form = declared(schema) + json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    assert tokens({"response_format": asked}) >= size(form) + shown(USER)


def test_the_older_functions_count_as_tools_do() -> None:
    """Clients from before the tools still send them."""
    function = {"name": "f", "description": "d" * 100, "parameters": {"type": "object"}}
    more = tokens({"functions": [function]}) - tokens({})
    assert more >= 2 * len(json.dumps(function, separators=(",", ":")))


def referring(references: dict[str, Any], schema: dict[str, Any]) -> dict[str, object]:
    parameters = {**schema, "$defs": references}
    return {"tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}]}


def test_a_reference_counts_as_what_it_names() -> None:
    """A provider may write the definition at each place."""
    long = {"type": "string", "description": "d" * 1000}
    uses = {str(n): {"$ref": "#/$defs/a~1b"} for n in range(10)}
    assert tokens(referring({"a/b": long}, an_object(uses))) >= 10 * 1000 * 2


def doubling(steps: int) -> dict[str, object]:
    definitions: dict[str, Any] = {"0": {"description": "d" * 10}}
    for step in range(1, steps + 1):
        two = {"$ref": f"#/$defs/{step - 1}"}
        definitions[str(step)] = {"properties": {"a": two, "b": two}}
    return referring(definitions, {"$ref": f"#/$defs/{steps}"})


def test_definitions_that_double_each_other_count_in_full() -> None:
    """Ten steps are a thousand copies; fifty, more than any number of tokens."""
    assert tokens(doubling(10)) >= 2 * 10 * 2**10
    assert "too large" in str(bounded(doubling(50)).reason)


@pytest.mark.parametrize(
    ("definitions", "schema"),
    [
        ({}, {"$ref": "#"}),
        ({}, {"$ref": "#anchor"}),
        ({}, {"$ref": "#/$defs/missing"}),
        ({"a": 5}, {"$ref": "#/$defs/a/b"}),
        ({"a": {"$ref": "#/$defs/b"}, "b": {"items": {"$ref": "#/$defs/a"}}}, {"$ref": "#/$defs/a"}),
        ({str(n): {"$ref": f"#/$defs/{n + 1}"} for n in range(100)}, {"$ref": "#/$defs/0"}),
        ({"a": {"description": "d" * 300_000}}, {"$ref": "#/$defs/a"}),
    ],
)
def test_references_without_an_end_have_no_bound(definitions: dict[str, Any], schema: dict[str, Any]) -> None:
    """They go in circles, to nowhere, too deep, or are too many to follow in time."""
    found = bounded(referring(definitions, schema))
    assert found.input_tokens is None
    assert "schema" in str(found.reason)


def test_a_reference_to_another_document_adds_nothing() -> None:
    """Nobody fetches it."""
    assert tokens(referring({}, {"$ref": "https://example.com/schema"})) < 2000


def image(**fields: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": fields}]}]}


@pytest.mark.parametrize(("detail", "most"), [("low", 7), ("high", 70), ("original", 700), ("auto", 700), (None, 700)])
@pytest.mark.parametrize("url", [PIXEL, "https://example.com/a.png", "HTTP://example.com/" + "é" * 90])
def test_an_image_counts_by_the_rule_and_not_by_its_bytes(url: str, detail: object, most: int) -> None:
    """Whatever its size. A detail that is left to the provider may be any."""
    body = image(url=url) if detail is None else image(url=url, detail=detail)
    beside = len(json_body.dump({"model": "m", **body})) - size(url)
    assert beside < 200
    assert tokens(body) - beside == most + tokens({}) - len(json_body.dump({"model": "m", "messages": [USER]}))


def test_every_image_counts() -> None:
    """The same one twice is two."""
    part = {"type": "image_url", "image_url": {"url": PIXEL}}
    one, five = (tokens({"messages": [{"role": "user", "content": [part] * count}]}) for count in (1, 5))
    assert five - one >= 4 * 700


def test_an_image_for_a_model_without_a_rule_has_no_bound() -> None:
    """Another vendor's model may cut it into as many tokens as it likes."""
    found = bounded(image(url=PIXEL), None)
    assert found.input_tokens is None
    assert "image" in str(found.reason)


def part(**fields: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": [fields]}]}


UNPROVED: list[dict[str, object]] = [
    {"prediction": {"type": "content", "content": "x"}},
    {"audio": {"voice": "alloy", "format": "wav"}},
    {"modalities": ["text", "audio"]},
    {"web_search_options": {}},
    {"plugins": [{"id": "web"}]},
    {"x" * 500: 1},
    {"prompt_cache_retention": "24h"},
    {"tools": [{"type": "web_search"}]},
    {"tools": [{"type": "function", "function": {"name": "f"}, "cache_control": {}}]},
    {"tools": [{"function": {"name": "f"}}]},
    {"tools": [{"type": None}]},
    {"tools": ["x"]},
    {"tools": {}},
    {"functions": [5]},
    part(type="input_audio", input_audio={"data": "", "format": "wav"}),
    part(type="file", file={"file_id": "f"}),
    part(type="video_url", video_url={"url": PIXEL}),
    part(type="text", text="x", cache_control={"type": "ephemeral"}),
    part(type=["text"], text="x"),
    part(text="x"),
    part(type="image_url", image_url=PIXEL),
    image(),
    image(url=5),
    image(url="data:application/pdf;base64,AA"),
    image(url="gs://bucket/a.png"),
    image(url=PIXEL, detail="ultra"),
    image(url=PIXEL, detail=["low"]),
    image(url=PIXEL, frames=9),
    {"messages": [{"role": "assistant", "audio": {"id": "a"}}]},
    {"messages": [{"role": "user", "content": "x", "file_ids": ["f"]}]},
]


@pytest.mark.parametrize("fields", UNPROVED, ids=lambda fields: str(fields)[:60])
def test_what_may_cost_more_has_no_bound(fields: dict[str, object]) -> None:
    """Sounds, files, searches, dearer services, and every field that we do not know."""
    found = bounded({**fields, "max_tokens": 5, "n": 2})
    assert (found.input_tokens, found.wanted_output, found.choices, found.has_output) == (None, 5, 2, True)
    assert found.reason
    assert len(found.reason) < 200


def test_fields_that_are_null_are_not_set() -> None:
    """SDKs send back an assistant's message with all its fields."""
    said = {"role": "assistant", "content": "x", "refusal": None, "audio": None, "function_call": None}
    body: dict[str, object] = {"messages": [{**said, "annotations": []}], "prediction": None, "audio": None}
    assert tokens({**body, "tools": None, "n": None, "modalities": ["text"], "service_tier": "auto"}) > 0


@pytest.mark.parametrize(
    ("fields", "wanted", "choices"),
    [
        ({}, None, 1),
        ({"max_tokens": None, "max_completion_tokens": None, "n": None}, None, 1),
        ({"max_tokens": 5}, 5, 1),
        ({"max_completion_tokens": 6}, 6, 1),
        ({"max_tokens": 9, "max_completion_tokens": 6}, 9, 1),
        ({"max_tokens": 5, "max_completion_tokens": 6}, 6, 1),
        ({"max_tokens": MOST_TOKENS, "n": 128}, MOST_TOKENS, 128),
        ({"n": 2, "best_of": 7}, None, 7),
        ({"n": 7, "best_of": 2}, None, 7),
    ],
)
def test_the_larger_of_two_limits_holds(fields: dict[str, object], wanted: int | None, choices: int) -> None:
    """A provider may heed either."""
    found = bounded(fields)
    assert (found.wanted_output, found.choices) == (wanted, choices)
    assert found.has_output


@pytest.mark.parametrize("value", [0, -1, 1.0, 2.5, "5", True, False, [], {}, 2**53, 10**30])
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "n", "best_of"])
def test_a_number_that_is_none_is_refused(name: str, value: object) -> None:
    """A lenient provider might take it for any number. The answer names the field."""
    with pytest.raises(BadRequest) as refused:
        bounded({name: value})
    assert refused.value.param == name


@pytest.mark.parametrize("name", ["n", "best_of"])
def test_no_more_choices_than_openai_makes(name: str) -> None:
    with pytest.raises(BadRequest):
        bounded({name: 129})
