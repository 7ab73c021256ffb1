"""Examples for the OpenAPI document: one for each body and each answer, made from its schema.

What a field holds is told by its name (`_SAMPLES`), where that fits its schema; a body that needs thought is written
out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lib.kernel.money import with_dollars

Schema = Mapping[str, Any]

_ID = "01900000-0000-7000-8000-000000000001"
_MESSAGES = [{"role": "user", "content": "Say hello."}]
_USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
_SAMPLES: Mapping[str, Any] = {
    "action": "key.created",
    "actor": f"user:{_ID}",
    "address": "203.0.113.7",
    "code": "123456",
    "cause": "finished",
    "created": 1764590400,
    "current_password": "correct horse battery staple",
    "day": "2026-12-01",
    "email": "ann@example.com",
    "end_user": "ann",
    "endpoint": "/v1/chat/completions",
    "id": _ID,
    "input_tokens": 812,
    "ip_ranges": ["203.0.113.0/24"],
    "limit": 100,
    "limit_nano_usd": 20 * 10**9,
    "message": "There is no such thing.",
    "model": "openai/gpt-4o-mini",
    "models": ["openai/gpt-4o-mini"],
    "name": "Backend",
    "new_password": "a longer horse battery staple",
    "origins": ["https://app.example.com"],
    "output_tokens": 64,
    "password": "correct horse battery staple",
    "permissions": ["usage:read"],
    "prefix": "hg_abcdefgh",
    "provider": "openai",
    "request_id": _ID,
    "return_to": "/app",
    "role": "developer",
    "scopes": ["chat:write"],
    "time_zone": "Europe/Berlin",
    "admission": "exact",
    "token": "the-token-of-the-mail",
    "totp_code": "123456",
    "upstream_model": "gpt-4o-mini",
    "window": "month",
    "window_seconds": 60,
}
_BODIES: Mapping[str, Any] = {
    "ChatRequest": {"model": "openai/gpt-4o-mini", "messages": _MESSAGES, "max_tokens": 100},
    "EmbeddingsRequest": {"model": "openai/text-embedding-3-small", "input": ["Say hello."]},
    "CreateAdjustment": {"kind": "top_up", "amount_usd": "5.00", "note": "for the launch"},
    "CreateBudget": {"name": "All of us", "scope": {"type": "org"}, "window": "month", "limit_usd": "20.00"},
    "CreateInvitation": {"email": "bob@example.com", "role": "developer"},
    "CreateKey": {"name": "Backend", "scopes": ["chat:write"]},
    "CreateLimit": {
        "name": "Each key",
        "scope": {"type": "key", "id": "*"},
        "unit": "requests",
        "limit": 100,
        "window_seconds": 60,
    },
    "GivenRole": {"role": "developer"},
    "MintKey": {
        "end_user": "ann",
        "minutes": 15,
        "budget_usd": "0.05",
        "models": ["openai/gpt-4o-mini"],
        "origins": ["https://app.example.com"],
    },
    "NewTokens": {"grant_type": "password", "email": "ann@example.com", "password": _SAMPLES["password"]},
    "PutModel": {
        "provider": "openai",
        "upstream_model": "gpt-4o-mini",
        "price": {"input_usd_per_million_tokens": "0.15", "output_usd_per_million_tokens": "0.60"},
    },
    "UpdateBudget": {"limit_usd": "30.00"},
    "UpdateMember": {"role": "developer"},
}
# What a provider answers, as it came.
_ANSWERS: Mapping[str, Any] = {
    "/v1/chat/completions": {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1764590400,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
        "usage": _USAGE,
    },
    "/v1/embeddings": {
        "object": "list",
        "model": "text-embedding-3-small",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    },
}
_TYPES: Mapping[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


def body_example(name: str, schemas: Schema) -> Any:
    """Return what may be sent as the schema of this name: what it needs, or one field where it needs none."""
    if name in _BODIES:
        return _BODIES[name]
    schema = schemas[name]
    wanted = schema.get("required") or list(schema.get("properties", {}))[:1]
    return {field: _example(schema["properties"][field], schemas, field) for field in wanted}


def answer_example(path: str, name: str, schemas: Schema) -> Any:
    """Return what a path may answer as the schema of this name, with all its fields."""
    return _ANSWERS.get(path) or _example(schemas[name], schemas, "")


def _example(schema: Schema, schemas: Schema, name: str) -> Any:
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rpartition("/")[2]], schemas, name)
    sample = _SAMPLES.get(name, _ID if name.endswith("_id") else None)
    if sample is not None and _fits(schema, sample):
        return sample
    if "anyOf" in schema:
        return _example(schema["anyOf"][0], schemas, name)
    for key in ("const", "enum", "examples", "default"):
        if schema.get(key) is not None:
            return schema[key][0] if key in ("enum", "examples") else schema[key]
    if "properties" in schema:
        fields = {field: _example(each, schemas, field) for field, each in schema["properties"].items()}
        return {**fields, **{field: text for field, text in with_dollars(fields).items() if field in fields}}
    return _plain(schema, schemas, name)


def _plain(schema: Schema, schemas: Schema, name: str) -> Any:
    kind = schema.get("type")
    if kind == "array":
        return [_example(schema["items"], schemas, "")] if "items" in schema else []
    if kind == "string":
        texts = {"date-time": "2026-12-01T12:00:00Z", "date": "2026-12-01", "uri": "https://example.com/"}
        return texts.get(schema.get("format", ""), name or "text")
    plain = {"integer": schema.get("minimum", 0), "number": 0, "boolean": True, "object": {}}
    return plain.get(str(kind))


def _fits(schema: Schema, sample: Any) -> bool:
    if "anyOf" in schema:
        return any(_fits(choice, sample) for choice in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return sample in schema.get("enum", [schema.get("const")])
    kind = _TYPES.get(str(schema.get("type")))
    if kind is None or not isinstance(sample, kind):
        return False
    if isinstance(sample, str):
        length = schema.get("minLength", 0) <= len(sample) <= schema.get("maxLength", len(sample))
        return length and "format" not in schema and bool(re.search(schema.get("pattern", ""), sample))
    if isinstance(sample, list):
        return all(_fits(schema.get("items", {}), item) for item in sample)
    return True


def with_examples(document: dict[str, Any], errors: Mapping[str, Mapping[str, Any]]) -> None:
    """Put an example into each body and answer of the document; `errors` are those of the error answers, by their name
    among its components.
    """
    schemas = document["components"]["schemas"]
    document["components"]["examples"] = {name: {"value": value} for name, value in errors.items()}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                content["example"] = body_example(_named(content), schemas)
            for status, response in operation["responses"].items():
                for content in response.get("content", {}).values():
                    error = f"{_named(content)}{status}"
                    if error in errors:
                        content["examples"] = {"error": {"$ref": f"#/components/examples/{error}"}}
                    else:
                        content["example"] = answer_example(path, _named(content), schemas)


def _named(content: Schema) -> str:
    return str(content["schema"]["$ref"].rpartition("/")[2])
