"""Which models a provider has: ours or its own list, kept for a while."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import httpx
import pytest
from hypothesis import given

from lib.gateway.model_lists import MOST_MODELS, ModelLists, names_in
from lib.gateway.providers.vendor import Vendor
from lib.kernel.errors import BadRequest
from lib.kernel.failures import Failure
from tests.unit.fakes import FakeClock, run
from tests.unit.gateway.calls import PROVIDER, SECRET
from tests.unit.gateway.fake_upstream import FakeUpstream
from tests.unit.gateway.providers.configuring import provider
from tests.unit.strategies import JSON

THEIRS = replace(PROVIDER, vendor=replace(PROVIDER.vendor, lists_itself=True))


def listing(*names: object) -> bytes:
    return json.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in names]}).encode()


class Asking:
    """Lists at one provider, and a clock."""

    def __init__(self, *names: object) -> None:
        self.upstream, self.clock = FakeUpstream(listing=listing(*names)), FakeClock()
        self.lists = ModelLists(self.upstream.http, self.clock)

    def names(self) -> tuple[str, ...]:
        return run(self.lists.of(THEIRS))


def test_only_another_server_than_openais_is_asked() -> None:
    """Ours knows what OpenAI has; a server at another address has models of its own."""
    for address, asked in (("https://api.openai.com/v1", False), ("https://gpu.example/v1", True)):
        openai = provider("openai", OPENAI_BASE_URL=address)
        assert (openai.listing is not None, "gpt-4o" in openai.listed) == (asked, not asked)
    asking = Asking("x")
    assert run(asking.lists.of(replace(PROVIDER, vendor=Vendor("sim", lists_itself=False, listed=("a",))))) == ("a",)
    assert asking.upstream.read == []


def test_a_list_is_kept_for_ten_minutes() -> None:
    """It is asked for with the deployment's key, as every call is."""
    asking = Asking("llama-3", "vendor/b")
    assert [asking.names() for _ in range(3)] == [("llama-3", "vendor/b")] * 3
    assert asking.upstream.read == [(f"{PROVIDER.base_url}/models", f"Bearer {SECRET}")]
    asking.upstream.listing = listing("new")
    asking.clock.advance(seconds=599)
    assert asking.names() == ("llama-3", "vendor/b")
    asking.clock.advance(seconds=1)
    assert asking.names() == ("new",)


@pytest.mark.parametrize("failure", [httpx.ConnectError(""), httpx.ReadTimeout(""), b"<html>", b"{}", b'{"data":{}}'])
def test_a_list_that_cannot_be_had_leaves_what_there_was(
    failure: bytes | BaseException, noted: list[dict[str, object]]
) -> None:
    """Nothing, or the last one. It is asked for again after 30 seconds, not by every request."""
    asking = Asking("llama-3")
    asking.names()
    asking.upstream.listing = failure
    asking.clock.advance(seconds=600)
    assert [asking.names() for _ in range(3)] == [("llama-3",)] * 3
    assert [line["failure"] for line in noted] == [Failure.MODEL_LIST_AWAY.name.lower()]
    asking.upstream.listing = listing("back")
    asking.clock.advance(seconds=30)
    assert asking.names() == ("back",)
    nothing = Asking()
    nothing.upstream.listing = failure
    assert nothing.names() == ()


def test_a_list_that_nobody_answers_is_not_asked_for_by_everybody() -> None:
    """A request may end unheard in the middle of it: that is not counted as one under way for ever."""
    asking = Asking("x")
    for _ in range(9):
        begun = asking.lists.of(THEIRS)
        with suppress(StopIteration):  # of one that did not ask
            begun.send(None)
        begun.close()
    assert len(asking.upstream.read) == 4
    asking.clock.advance(seconds=5)
    assert asking.names() == ("x",)


def test_what_can_be_no_name_is_left_out() -> None:
    """And what stands there twice, and what is beyond the most."""
    assert names_in(listing("a", 7, None, "", "a", "b\n", "x" * 257, "/c", "d/e")) == ("a", "d/e")
    assert len(names_in(listing(*map(str, range(MOST_MODELS + 5))))) == MOST_MODELS


def test_a_list_may_stand_alone() -> None:
    """As Together's does, without the object around it."""
    assert names_in(json.dumps([{"id": "a/b", "object": "model"}, 7]).encode()) == ("a/b",)


@given(JSON)
def test_no_list_breaks_the_reader(value: object) -> None:
    """It is somebody else's."""
    for whole in (value, {"data": value}, {"data": [value]}, {"data": [{"id": value}]}):
        try:
            assert all(isinstance(name, str) for name in names_in(json.dumps(whole).encode()))
        except BadRequest:
            continue
