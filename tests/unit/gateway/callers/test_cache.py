"""KV as a cache: bounded in time, and its failures are nobody's."""

from __future__ import annotations

from lib.gateway.callers.cache import SHORTEST_SECONDS, KvCache, KvFailure, NoCache
from lib.kernel import failures
from lib.kernel.failures import Failure
from tests.unit.fakes import FakeKv, run


def test_what_was_put_is_found_until_it_is_deleted() -> None:
    """By name; what is not there is left out."""
    cache = KvCache(FakeKv())
    run(cache.put("a", "1", 100))
    assert run(cache.get(["a", "b"])) == {"a": "1"}
    run(cache.delete("a"))
    assert run(cache.get(["a"])) == {}
    assert failures.counts() == {}


def test_nothing_is_kept_for_less_than_kv_takes() -> None:
    """KV refuses a shorter time."""
    kv = FakeKv()
    run(KvCache(kv).put("a", "1", 5))
    run(KvCache(kv).put("b", "1", 500))
    assert kv.seconds == {"a": SHORTEST_SECONDS, "b": 500}


def test_a_failure_is_as_if_there_were_nothing() -> None:
    """It is noted, with KV's reason."""
    cache = KvCache(FakeKv({"a": "1"}, failure=KvFailure("429 too many")))
    assert run(cache.get(["a"])) == {}
    run(cache.put("a", "2", 100))
    run(cache.delete("a"))
    assert failures.counts() == {Failure.KV_READ.name.lower(): 1, Failure.KV_WRITE.name.lower(): 2}


def test_what_is_slow_is_not_waited_for() -> None:
    """Neither to read nor to write."""
    cache = KvCache(FakeKv({"a": "1"}, slow=True), read_seconds=0.01, write_seconds=0.01)
    assert run(cache.get(["a"])) == {}
    run(cache.put("a", "2", 100))
    assert failures.counts() == {"kv_read": 1, "kv_write": 1}


def test_without_kv_there_is_nothing() -> None:
    """A small deployment has none, and nothing fails for it."""
    cache = NoCache()
    run(cache.put("a", "1", 100))
    run(cache.delete("a"))
    assert run(cache.get(["a"])) == {}
    assert failures.counts() == {}
