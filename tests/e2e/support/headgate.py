"""A client of Headgate for tests: plain HTTP, one key, and short ways to ask for what many tests need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx
from openai import AsyncOpenAI, OpenAI

from tests.e2e.support.names import letters
from tests.e2e.support.poll import until

Json = dict[str, Any]


@dataclass(frozen=True)
class Key:
    """An API key as its maker got it."""

    id: str
    secret: str
    etag: str
    data: Json


@dataclass(frozen=True)
class Headgate:
    """Calls one running Headgate with one key. All clients of a stack share their connections."""

    http: httpx.Client
    base_url: str
    key: str

    def as_key(self, key: str) -> Headgate:
        """The same Headgate, called with another key."""
        return replace(self, key=key)

    def call(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> httpx.Response:
        """Send a request with our key; `more` is httpx's (json, content, params …)."""
        own = {"authorization": f"Bearer {self.key}", **(headers or {})}
        return self.http.request(method, self.base_url + path, headers=own, **more)

    def get(self, path: str, **params: str | int) -> httpx.Response:
        return self.call("GET", path, params=params or None)

    def post(self, path: str, body: Json, **headers: str) -> httpx.Response:
        return self.call("POST", path, json=body, headers={n.replace("_", "-"): v for n, v in headers.items()})

    def put(self, path: str, body: Json, **headers: str) -> httpx.Response:
        return self.call("PUT", path, json=body, headers={n.replace("_", "-"): v for n, v in headers.items()})

    def patch(self, path: str, body: Json, **headers: str) -> httpx.Response:
        return self.call("PATCH", path, json=body, headers={n.replace("_", "-"): v for n, v in headers.items()})

    def delete(self, path: str, **headers: str) -> httpx.Response:
        return self.call("DELETE", path, headers={n.replace("_", "-"): v for n, v in headers.items()})

    def chat(self, model: str, **fields: Any) -> httpx.Response:
        """Ask for a chat completion."""
        return self.post("/v1/chat/completions", chat_body(model, **fields))

    def new_key(self, **fields: Any) -> Key:
        """Make a key."""
        answer = self.post("/api/v1/keys", {"name": f"Key {letters()}", **fields})
        assert answer.status_code == 201, answer.text
        data = answer.json()["data"]
        return Key(data["id"], data["secret"], answer.headers["etag"], data)

    def all_pages(self, path: str, **params: str | int) -> list[Json]:
        """Every item of a list, page by page."""
        items: list[Json] = []
        cursor: dict[str, str] = {}
        while True:
            answer = self.get(path, **params, **cursor)
            assert answer.status_code == 200, answer.text
            items += answer.json()["data"]
            following = answer.json()["meta"]["next_cursor"]
            if following is None:
                return items
            cursor = {"cursor": following}

    def records(self, **filters: str) -> list[Json]:
        """The usage records that match, newest first."""
        return self.all_pages("/api/v1/usage/records", limit=100, **filters)

    def record(self, model: str) -> Json:
        """The one usage record of a model that was called once; waits until it is settled."""
        [record] = until(lambda: self.records(model=model) or None, f"a usage record of {model}")
        return record

    def records_when(self, number: int, **filters: str) -> list[Json]:
        """The records that match, once there are so many."""
        found: list[Json] = []

        def enough() -> bool:
            found[:] = self.records(**filters)
            return len(found) == number

        until(enough, f"{number} usage records")
        return found

    def openai(self) -> OpenAI:
        """The official SDK, which checks every answer against its own types and never tries twice."""
        return OpenAI(
            base_url=f"{self.base_url}/v1",
            api_key=self.key,
            max_retries=0,
            _strict_response_validation=True,
            timeout=60,
        )

    def async_openai(self) -> AsyncOpenAI:
        """The same for asyncio."""
        return AsyncOpenAI(
            base_url=f"{self.base_url}/v1",
            api_key=self.key,
            max_retries=0,
            _strict_response_validation=True,
            timeout=60,
        )


def chat_body(model: str, **fields: Any) -> Json:
    """The body of a request for a chat completion."""
    return {"model": model, "messages": [{"role": "user", "content": "Say hello."}], **fields}
