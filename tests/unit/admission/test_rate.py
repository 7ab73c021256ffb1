"""The ways to count: each keeps its bound in every interval, refuses nobody who keeps to it, and survives a restart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from lib.admission.rate import SLICES, AtOnce, Count, Gcra, Sliding
from tests.unit.admission.keeping import keep

BEGIN = 1_795_000_000_000  # some moment of our days
MOST_EXACT = 2**53  # beyond, JSON and SQLite's JavaScript round
WINDOWS = st.sampled_from([1, 7, 999, 1_000, 1_001, 1_500, 60_000]) | st.integers(1, 100_000)
AMOUNTS = st.integers(1, 12)
Steps = Sequence[tuple[int, int]]  # how much time passes, in thousandths of the window and ms; then an amount


def pauses(window: int) -> st.SearchStrategy[int]:
    """Times that are likely to fall on an edge: of a slice, of the window, or of both."""
    slice_ms = slice_of(window)
    edges = [0, 1, slice_ms - 1, slice_ms, window - slice_ms, window - 1, window, window + slice_ms - 1]
    return st.sampled_from([max(0, edge) for edge in edges]) | st.integers(0, 2 * window)


def slice_of(window: int) -> int:
    return -(-window // SLICES)


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    """A window, and moments at which somebody asks for an amount."""
    window = draw(WINDOWS)
    now = BEGIN + draw(st.integers(0, 2 * window))
    moments = []
    for pause, amount in draw(st.lists(st.tuples(pauses(window), AMOUNTS), max_size=25)):
        now += pause
        moments.append((now, amount))
    return window, moments


def heeding(count: Count, moments: Steps) -> list[tuple[int, int]]:
    """Return what was added by somebody who adds whenever there is room."""
    added = []
    for now, amount in moments:
        if count.wait(now, amount) == 0:
            count.add(now, amount)
            added.append((now, amount))
    return added


def answers(count: Count, now: int) -> list[int]:
    return [count.used(now), count.left(now), *(count.wait(now, amount) for amount in (0, 1, 2, 5, 10, 12))]


def wait_is_exact(count: Count, most: int, now: int, amount: int) -> None:
    wait = count.wait(now, amount)
    assert (wait == -1) == (amount > most)
    if wait > 0:
        assert count.wait(now + wait - 1, amount) == 1
        assert count.wait(now + wait, amount) == 0


def restarts_unnoticed(new: Callable[[dict[int, int]], Count], moments: Steps) -> None:
    """Compare a counter with one that is built from what was kept before every step."""
    count, kept = new({}), dict[int, int]()
    again = new(kept)
    added: list[tuple[int, int]] = []
    for index, (now, amount) in enumerate(moments):
        again = new(dict(keep(kept, again)))
        assert answers(again, now) == answers(count, now)
        if index % 3 == 2 and added:
            since, there = added.pop()
            change = amount % (there + 1) - there
            count.correct(now, since, change)
            again.correct(now, since, change)
        elif index % 5 == 4 or count.wait(now, amount) == 0:  # sometimes unheeded, as corrections are
            count.add(now, amount)
            again.add(now, amount)
            added.append((now, amount))
        assert answers(again, now) == answers(count, now)


# The sliding window


@given(histories(), st.integers(1, 20))
def test_no_interval_of_the_window_holds_more_than_the_most(history: tuple[int, Steps], most: int) -> None:
    """Half-open intervals, whatever moment they begin at: the worst ones begin at something added."""
    window, moments = history
    added = heeding(Sliding(most, window, {}), moments)
    for begin, _ in added:
        assert sum(amount for at, amount in added if begin <= at < begin + window) <= most


@given(histories(), st.integers(1, 20))
def test_who_keeps_to_the_window_and_a_slice_never_waits(history: tuple[int, Steps], most: int) -> None:
    """An exact log of everything, which admits the most in each interval of that length, is always let through."""
    window, moments = history
    count, span = Sliding(most, window, {}), window + slice_of(window)
    added: list[tuple[int, int]] = []
    for now, amount in moments:
        if amount + sum(there for at, there in added if at > now - span) <= most:
            assert count.wait(now, amount) == 0
            count.add(now, amount)
            added.append((now, amount))


@given(histories(), st.integers(1, 20), st.integers(0, 25), st.integers(0, 120_000))
def test_a_sliding_windows_wait_is_exact(history: tuple[int, Steps], most: int, amount: int, later: int) -> None:
    """When nothing else is added, there is room after the wait and not a millisecond before. Never: only too much."""
    window, moments = history
    count = Sliding(most, window, {})
    for now, there in moments:  # unheeded: also from too full
        count.add(now, there)
    wait_is_exact(count, most, (moments[-1][0] if moments else BEGIN) + later % (window + 1), amount)


class Log:
    """All that was ever added to a sliding window, and until when each counts."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.entries: list[list[int]] = []

    def counts_until(self, at: int) -> int:
        slice_ms = slice_of(self.window)
        return (at // slice_ms + 1) * slice_ms - 1 + self.window

    def used(self, now: int) -> int:
        return sum(amount for at, amount in self.entries if self.counts_until(at) > now)


@given(histories(), st.integers(1, 20), st.lists(st.integers(0, 15), min_size=25, max_size=25))
def test_corrected_amounts_count_as_if_they_had_come_so(
    history: tuple[int, Steps], most: int, actual: list[int]
) -> None:
    """What is less is taken back as long as it counts; what is more counts from when it is known."""
    window, moments = history
    count, log = Sliding(most, window, {}), Log(window)
    open_calls: list[tuple[int, list[int], int]] = []
    for index, (now, amount) in enumerate(moments):
        count.add(now, amount)
        log.entries.append([now, amount])
        open_calls.append((now, log.entries[-1], actual[index]))
        if index % 2:
            since, entry, used = open_calls.pop(amount % len(open_calls))
            count.correct(now, since, used - entry[1])
            if used > entry[1]:
                log.entries.append([now, used - entry[1]])
            else:
                entry[1] = used
        assert count.used(now) == log.used(now)
        assert count.left(now) == max(0, most - log.used(now))


@given(histories(), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=25, max_size=25), st.booleans())
@example((1_000, [(BEGIN, 1), (BEGIN + 5, 1), (BEGIN + 6, 1)]), [(10, 3)] * 25, True)
def test_two_corrections_leave_nothing_behind(
    history: tuple[int, Steps], actual: list[tuple[int, int]], restarted: bool
) -> None:
    """A call of unknown bound is charged a guess, which counts later than the call, and then less: nothing is lent."""
    window, moments = history
    most, kept = 20, dict[int, int]()
    count = Sliding(most, window, kept)
    calls: list[tuple[int, int, list[int]]] = []
    for index, (now, _) in enumerate(moments):
        count = Sliding(most, window, dict(keep(kept, count))) if restarted else count
        count.add(now, 0)
        calls.append((now, 0, list(actual[index])))
        since, charged, ends = calls.pop(0)
        if index % 3 and ends:
            count.correct(now, since, ends[0] - charged)
            calls.append((since, ends[0], ends[1:]))
        else:
            calls.insert(0, (since, charged, ends))
        counting = sum(part for at, part, _ in calls if at > now - window)
        assert count.used(now) >= counting
    end = (moments[-1][0] if moments else BEGIN) + 2 * window
    assert (count.used(end), count.left(end), count.wait(end, most)) == (0, most, 0)


@given(histories(), st.integers(1, 20))
def test_a_sliding_window_restarts_from_its_changes(history: tuple[int, Steps], most: int) -> None:
    """At any moment: a counter made anew answers as the old one, from then on."""
    window, moments = history
    restarts_unnoticed(lambda kept: Sliding(most, window, kept), moments)


@given(histories(), WINDOWS, st.integers(1, 20), st.integers(1, 20))
@example((1_000_000, [(BEGIN, 1)]), 100_000_000, 1, 1)
@example((100_000_000, [(BEGIN, 1)]), 1_000_000, 1, 1)
@example((1_000, [(BEGIN, 1), (BEGIN + 1, 1)]), 1_001, 20, 20)
def test_a_window_may_be_changed(history: tuple[int, Steps], new: int, most: int, new_most: int) -> None:
    """Nothing that still counts is forgotten, and nothing counts longer than the longer window and a slice of each."""
    old, moments = history
    before = Sliding(most, old, {})
    added = heeding(before, moments)
    now = moments[-1][0] if moments else BEGIN
    kept = keep({}, before)
    count = Sliding(new_most, new, dict(kept))
    for pause in (0, 1, slice_of(new)):
        now += pause
        assert answers(Sliding(new_most, new, dict(keep(kept, count))), now) == answers(count, now)
        assert count.used(now) >= sum(amount for at, amount in added if at > now - min(old, new))
        if count.wait(now, 1) == 0:
            count.add(now, 1)
            added.append((now, 1))
    end = now + max(old, new) + slice_of(old) + slice_of(new)
    assert (count.used(end), count.wait(end, new_most)) == (0, 0)


@given(st.sampled_from([1_000, 1_001, 5_000]))
def test_a_sliding_window_keeps_at_most_a_thousand_slices_and_two(window: int) -> None:
    """However much comes, and however long it runs."""
    count, kept = Sliding(10**9, window, {}), dict[int, int]()
    step = max(1, slice_of(window) // 2)
    for now in range(BEGIN, BEGIN + 3 * window, step):
        count.add(now, 1)
        if now % 10 == 0:
            assert len(keep(kept, count)) <= SLICES + 2
    assert len(keep(kept, count)) <= SLICES + 2


# With a burst


@st.composite
def bursts(draw: st.DrawFn) -> tuple[tuple[int, int, int], list[tuple[int, int]]]:
    """Most, window and burst, and moments near those at which something becomes free."""
    most, window, burst = draw(st.integers(1, 15)), draw(WINDOWS), draw(st.integers(1, 20))
    per_one = -(-window // most)
    pause = st.sampled_from([0, 1, per_one - 1, per_one, per_one * 2]) | st.integers(0, per_one * 6)
    now = BEGIN
    moments = []
    for passed, amount in draw(st.lists(st.tuples(pause, AMOUNTS), max_size=25)):
        now += passed
        moments.append((now, amount))
    return (most, window, burst), moments


def within_burst(rule: tuple[int, int, int], added: Steps) -> bool:
    """Tell whether in no interval of t ms there is more than burst + most * t / window. Exact, over all intervals."""
    most, window, burst = rule
    for first, (begin, _) in enumerate(added):
        total = 0
        for end, amount in added[first:]:
            total += amount
            if total * window > burst * window + most * (end - begin):
                return False
    return True


@given(bursts())
def test_no_interval_holds_more_than_the_burst_and_the_rate(history: tuple[tuple[int, int, int], Steps]) -> None:
    """For each t: at most burst + most * t / window in any t milliseconds."""
    rule, moments = history
    assert within_burst(rule, heeding(Gcra(*rule, {}), moments))


@given(bursts())
def test_who_keeps_to_burst_and_rate_never_waits(history: tuple[tuple[int, int, int], Steps]) -> None:
    """The bound is exact: what it allows is allowed."""
    rule, moments = history
    count = Gcra(*rule, {})
    added: list[tuple[int, int]] = []
    for now, amount in moments:
        conforms = within_burst(rule, [*added, (now, amount)])
        assert (count.wait(now, amount) == 0) == conforms
        if conforms:
            count.add(now, amount)
            added.append((now, amount))


@given(bursts(), st.integers(0, 25), st.booleans())
def test_a_bursts_wait_is_exact(history: tuple[tuple[int, int, int], Steps], amount: int, heeded: bool) -> None:
    """To the millisecond, also when more was added than there was room for."""
    rule, moments = history
    count = Gcra(*rule, {})
    for now, there in moments:
        if not heeded or count.wait(now, there) == 0:
            count.add(now, there)
    now = moments[-1][0] if moments else BEGIN
    wait_is_exact(count, rule[2], now, amount)
    assert count.left(now) == max(0, rule[2] - count.used(now))
    assert count.wait(now, count.left(now)) == 0 or count.used(now) > rule[2]
    assert count.wait(now, count.left(now) + 1) != 0


@given(bursts(), st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), min_size=25, max_size=25))
@example(((1, 1_000, 2), [(BEGIN, 2), (BEGIN + 1_000, 1), (BEGIN + 1_000, 2)]), [(0, 2), (1, 9), (2, 9)])
def test_what_has_leaked_out_is_not_lent_again(
    history: tuple[tuple[int, int, int], Steps], ends: list[tuple[int, int]]
) -> None:
    """Estimates are replaced by less, at any later time: what was used keeps the bound in every interval."""
    rule, moments = history
    count = Gcra(*rule, {})
    actual: list[tuple[int, int]] = []
    under_way: list[tuple[int, int, int, int]] = []  # when it ends; since, estimate and amount
    for index, (now, estimate) in enumerate(moments):
        for entry in [entry for entry in under_way if entry[0] <= index]:
            under_way.remove(entry)
            count.correct(now, entry[1], entry[3] - entry[2])
        if count.wait(now, estimate) == 0:
            used, calls = ends[index]
            count.add(now, estimate)
            actual.append((now, min(used, estimate)))
            under_way.append((index + calls, now, estimate, min(used, estimate)))
    assert within_burst(rule, actual)


@given(bursts(), AMOUNTS, AMOUNTS)
def test_what_is_given_back_at_once_was_never_taken(
    history: tuple[tuple[int, int, int], Steps], amount: int, other: int
) -> None:
    """A reduction counts in full while nothing has leaked, whatever came between; a surplus counts from now on."""
    rule, moments = history
    count, twin = Gcra(*rule, {}), Gcra(*rule, {})
    for now, there in moments:
        count.add(now, there)
        twin.add(now, there)
    now = moments[-1][0] if moments else BEGIN
    count.add(now, amount)
    count.add(now, other)
    twin.add(now, other)
    count.correct(now, now, -amount)
    assert answers(count, now) == answers(twin, now)
    count.correct(now, now, amount)
    twin.add(now, amount)
    assert answers(count, now) == answers(twin, now)


@given(bursts())
def test_a_burst_restarts_from_its_changes(history: tuple[tuple[int, int, int], Steps]) -> None:
    """At any moment: a counter made anew answers as the old one, from then on."""
    rule, moments = history
    restarts_unnoticed(lambda kept: Gcra(*rule, kept), moments)


@given(bursts(), st.integers(1, 15), WINDOWS, st.integers(1, 20))
@example(((10, 1_000, 10), [(BEGIN, 10)]), 5, 1_000, 10)
def test_a_burst_may_be_changed(
    history: tuple[tuple[int, int, int], Steps], most: int, window: int, burst: int
) -> None:
    """Nobody waits longer than for both bursts to leak out, one after the other."""
    rule, moments = history
    before = Gcra(*rule, {})
    heeding(before, moments)
    now = moments[-1][0] if moments else BEGIN
    count = Gcra(most, window, burst, keep({}, before))
    longest = rule[2] * rule[1] // rule[0] + burst * window // most + 2
    assert 0 <= count.wait(now, 1) <= longest
    assert (count.used(now + longest), count.wait(now + longest, burst)) == (0, 0)


@given(st.sampled_from([1, 5_001, 10**7, 10**12]), st.sampled_from([1, 60_000, 2_592_000_000]), st.booleans(), AMOUNTS)
def test_what_is_kept_fits_into_the_gates_storage(most: int, window: int, sliding: bool, amount: int) -> None:
    """Slots and amounts are integers that SQLite, JSON and JavaScript hold exactly, for any limit."""
    count: Count = Sliding(most, window, {}) if sliding else Gcra(most, window, most * 10, {})
    count.add(BEGIN, amount * 7)
    changed = count.changes()
    assert changed
    assert all(abs(number) <= MOST_EXACT for slot in changed.items() for number in slot)


def test_what_has_not_changed_is_not_kept_again() -> None:
    """Each change is told once."""
    for count in (Sliding(5, 1_000, {}), Gcra(5, 1_000, 5, {})):
        assert not count.changes()
        count.add(BEGIN, 1)
        assert count.changes()
        assert not count.changes()


# At once


@given(st.integers(1, 4), st.lists(st.booleans(), max_size=20))
def test_never_more_at_once_than_the_most(most: int, steps: list[bool]) -> None:
    """Time frees nothing; only a call that ends does."""
    count, under_way, now = AtOnce(most), 0, BEGIN
    for comes in steps:
        now += 86_400_000
        room = count.wait(now, 1) == 0
        assert room == (under_way < most)
        if comes and room:
            count.add(now, 1)
            under_way += 1
        elif not comes and under_way:
            count.correct(now, BEGIN, -1)
            under_way -= 1
        assert (count.used(now), count.left(now)) == (under_way, most - under_way)
        assert not count.changes()
