"""Which models a provider has: by our table, or, at an address that is not the vendor's own, by what it lists itself.

An isolate keeps a list for ten minutes. One that can't be had again stays; where there was none, nothing is listed. A
list only helps people: each name is judged when it is called.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import httpx

from lib.gateway.providers.provider import HttpRequest, Provider
from lib.kernel import failures, json_body
from lib.kernel.clock import Clock
from lib.kernel.errors import BadRequest
from lib.kernel.failures import Failure

FRESH = timedelta(minutes=10)
AGAIN = timedelta(seconds=30)  # after a failure
# Of one call, whole. The client is made with them.
TIMEOUT_SECONDS = 5
MOST_BYTES = 4 * 1024 * 1024
MOST_MODELS = 5_000
MOST_CHARACTERS = 256
MOST_ASKING = 4  # of a provider; who comes while so many ask already is shown what is known


class ModelLists:
    """The lists, by provider."""

    def __init__(self, http: httpx.AsyncClient, clock: Clock) -> None:
        self._http = http
        self._clock = clock
        self._lists: dict[str, tuple[str, ...]] = {}
        self._until: dict[str, datetime] = {}
        self._asked: dict[str, list[datetime]] = {}  # not whether they have been answered: a request may end unheard

    async def of(self, provider: Provider) -> tuple[str, ...]:
        """Return a provider's own names of its models. Never raises for a list that can't be had."""
        listing = provider.listing
        if listing is None:
            return provider.listed
        now = self._clock.now()
        if self._until.get(provider.name, now) <= now:
            late = now - timedelta(seconds=TIMEOUT_SECONDS)
            asked = [moment for moment in self._asked.get(provider.name, ()) if moment > late]
            if len(asked) < MOST_ASKING:
                self._asked[provider.name] = [*asked, now]
                await self._ask(provider.name, listing, now)
        return self._lists.get(provider.name, provider.listed)

    async def _ask(self, name: str, listing: HttpRequest, now: datetime) -> None:
        try:
            answer = await self._http.get(listing.url, headers=listing.headers)
            self._lists[name] = names_in(answer.raise_for_status().content)
            self._until[name] = now + FRESH
        except (httpx.HTTPError, BadRequest) as failure:
            failures.note(Failure.MODEL_LIST_AWAY, f"{name}: {type(failure).__name__}")
            self._until[name] = now + AGAIN


def names_in(text: bytes) -> tuple[str, ...]:
    """Return the ids of a list as OpenAI's API has it, without what can't be a model's name. Raises BadRequest.

    Sources: https://platform.openai.com/docs/api-reference/models/list, and https://docs.together.ai/reference/models,
    where the list stands alone.
    """
    value = json_body.parse(text)
    models = value.get("data") if isinstance(value, dict) else value
    if not isinstance(models, list):
        raise BadRequest("This is no list of models.")
    ids = [model.get("id") for model in models[:MOST_MODELS] if isinstance(model, dict)]
    return tuple(dict.fromkeys(name for name in ids if isinstance(name, str) and _is_name(name)))


def _is_name(name: str) -> bool:
    return 0 < len(name) <= MOST_CHARACTERS and name.isprintable() and not name.startswith("/")
