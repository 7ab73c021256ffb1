"""The two shapes of an error: OpenAI's under /v1, and our own under /api/v1."""

from __future__ import annotations

import httpx


def assert_error(answer: httpx.Response, status: int, *, openai: bool) -> dict[str, object]:
    """Check an error's status, headers and shape; return what it says."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    error = dict(answer.json()["error"])
    assert answer.json() == {"error": error}
    if openai:
        assert set(error) - {"details"} == {"message", "type", "param", "code"}
    else:
        assert set(error) == {"code", "message", "details", "request_id"}
        assert error["request_id"] == answer.headers["x-headgate-request-id"]
    assert error["message"]
    assert error["code"]
    return error
