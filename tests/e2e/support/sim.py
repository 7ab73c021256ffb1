"""What the simulated provider says of itself, and its answers without Headgate in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from tests.e2e.support.headgate import Json, chat_body
from tests.e2e.support.names import upstream_name
from tests.e2e.support.poll import until


@dataclass(frozen=True)
class Cancellation:
    """An answer whose client left: when the provider learnt of it, and what it had sent until then."""

    at_ms: int
    tokens_served: int
    phase: str


@dataclass(frozen=True)
class SimulatedProvider:
    """The provider, asked directly. Models are named as Headgate's clients name them: `sim/…`."""

    http: httpx.Client
    url: str

    def stats(self) -> Json:
        return dict(self.http.get(f"{self.url}/__stats").json())

    def of(self, model: str) -> Json:
        """The counts of one model; all zero when it was never asked for."""
        nothing = {"requests": 0, "active": 0, "completed": 0, "cancelled": 0, "completion_tokens": 0}
        return dict(self.stats()["by_model"].get(upstream_name(model), nothing))

    def wait_until_active(self, model: str) -> None:
        """Return once a request for the model is under way."""
        until(lambda: self.of(model)["active"] > 0, f"a request for {model} reaches the provider")

    def cancellation(self, model: str) -> Cancellation:
        """The cancellation of a model that was called once; waits for it."""

        def find() -> Json | None:
            found = [item for item in self.stats()["recent"] if item["model"] == upstream_name(model)]
            return found[0] if found else None

        item = until(find, f"the provider sees that the client of {model} has left")
        return Cancellation(item["at_ms"], item["tokens_served"], item["phase"])

    def chat_bytes(self, model: str, **fields: Any) -> bytes:
        """The bytes of the provider's own answer."""
        body = chat_body(upstream_name(model), **fields)
        answer = self.http.post(f"{self.url}/v1/chat/completions", json=body, headers={"authorization": "Bearer any"})
        return answer.content

    def text(self, chunks: int) -> str:
        """The text of an answer of so many chunks."""
        answer = self.http.post(
            f"{self.url}/v1/chat/completions",
            json=chat_body(f"text-chunks{chunks}"),
            headers={"authorization": "Bearer any"},
        )
        return str(answer.json()["choices"][0]["message"]["content"])
