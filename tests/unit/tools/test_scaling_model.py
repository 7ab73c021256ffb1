"""Leasing gates: whatever is lost, doubled or restarted, no more is spent than there is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import scaling_run
from bench.scaling_messages import Answer, Ask, Cut
from bench.scaling_model import Child, Parent
from bench.scaling_run import Simulation
from bench.scaling_setting import Overshoot, Setting

SETTINGS = st.builds(
    Setting,
    children=st.integers(1, 8),
    calls=st.integers(1, 300),
    cap_calls=st.integers(0, 200),
    lease_calls=st.sampled_from([1, 4, 16, 64]),
    loss=st.sampled_from([0.0, 0.1, 0.5]),
    doubled=st.sampled_from([0.0, 0.3]),
    crash=st.sampled_from([0.0, 0.05]),
    idle=st.sampled_from([20, 200]),
    recall=st.sampled_from([0, 20]),
)


@settings(max_examples=60, deadline=None)
@given(setting=SETTINGS, seed=st.integers(0, 2**32))
def test_no_more_is_spent_than_there_is(setting: Setting, seed: int) -> None:
    """Checked after every event; and every call has one end."""
    outcome = Simulation(setting, seed).run()
    assert outcome.overshoot == 0
    assert outcome.unspent >= 0
    assert outcome.admitted + outcome.refused + outcome.unavailable == setting.calls


@settings(max_examples=30, deadline=None)
@given(setting=SETTINGS, seed=st.integers(0, 2**32))
def test_a_refusal_is_too_early_by_what_is_leased_and_unspent_at_most(setting: Setting, seed: int) -> None:
    simulation = Simulation(setting, seed)
    simulation.run()
    assert simulation.outcome.most_room <= simulation.outcome.most_leased


class Reclaiming(Parent):
    """Takes a lease back when its child has been silent, without a word from it."""

    def hear(self, ask: Ask) -> Answer:
        for place in [place for place in self.leases if place[0] != ask.child]:
            del self.leases[place]
        return super().hear(ask)


def test_the_simulation_sees_a_parent_that_reclaims_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling_run, "Parent", Reclaiming)
    with pytest.raises(Overshoot):
        Simulation(replace(Setting(), calls=2_000, cap_calls=500), 1).run()


def test_a_repeated_message_changes_nothing() -> None:
    parent, child = Parent(cap=1_000, most=300), Child(7)
    wish = child.want(100)
    answer = parent.hear(wish)
    before = replace(parent, leases=dict(parent.leases), newest=dict(parent.newest))
    assert parent.hear(wish) == answer
    assert parent == before
    assert child.hear(answer)
    assert not child.hear(answer)
    assert child.unspent == answer.amount


def test_a_wish_that_comes_again_after_its_lease_is_over_gets_nothing() -> None:
    parent, child = Parent(cap=1_000, most=300), Child(7)
    wish = child.want(100)
    child.hear(parent.hear(wish))
    assert child.hear(parent.hear(child.give_back())) is False
    assert parent.hear(wish).amount == 0
    assert (parent.free, parent.leases, child.ending) == (1_000, {}, {})


def test_what_is_spent_under_a_lease_stays_spent_and_the_rest_comes_back() -> None:
    parent, child = Parent(cap=1_000, most=300), Child(7)
    child.hear(parent.hear(child.want(100)))
    parts = child.reserve(100)
    assert parts is not None
    child.hear(parent.hear(child.give_back()))
    assert (parent.spent, parent.free) == (0, 900)  # the call under way keeps its bound
    child.settle(parts, 60)
    child.hear(parent.hear(child.give_back()))
    assert (parent.spent, parent.free) == (60, 940)


def test_an_old_cut_does_not_widen_a_lease() -> None:
    parent = Parent(cap=1_000, most=300)
    parent.hear(Ask(1, (), 1, 100))
    for amount in (50, 200):
        parent.hear(Ask(1, (Cut(1, amount, final=False),), None, 0))
    assert parent.free == 950
    parent.hear(Ask(1, (Cut(1, 20, final=True),), None, 0))
    parent.hear(Ask(1, (Cut(1, 50, final=False),), None, 0))
    assert (parent.spent, parent.free) == (20, 980)


def test_leases_shrink_as_the_budget_ends_and_never_below_the_need() -> None:
    parent = Parent(cap=1_000, most=300)
    granted = [parent.hear(Ask(child, (), 1, 10)).amount for child in range(1, 13)]
    assert granted == sorted(granted, reverse=True)
    assert granted[0] == 300
    assert min(granted) >= 10
    assert parent.hear(Ask(99, (), 1, parent.free)).amount == sum(parent.leases.values()) - sum(granted)
    assert parent.hear(Ask(100, (), 1, 1)).amount == 0
