from __future__ import annotations

from pathlib import Path

import pytest

from tools.steps import Step, do_side_by_side


class Counter:
    """A step over temporary files that counts how often it was done."""

    def __init__(self, folder: Path, fails: bool = False) -> None:
        self.done = 0
        self.fails = fails
        self.input = folder / "lock.txt"
        self.result = folder / "result"
        self.stamp = folder / "stamps" / "x"
        self.input.write_text("one")

    def make(self) -> None:
        self.done += 1
        if self.fails:
            raise RuntimeError("killed")
        self.result.touch()

    def step(self, *facts: str) -> Step:
        return Step("x", self.make, self.stamp, self.result, (self.input,), facts)


def test_a_step_is_done_once(tmp_path: Path) -> None:
    counter = Counter(tmp_path)

    counter.step("fact").do()
    counter.step("fact").do()

    assert counter.done == 1


def test_a_changed_input_or_fact_or_a_missing_result_does_it_again(tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    counter.step().do()

    counter.input.write_text("two")
    counter.step().do()
    counter.step("moved").do()
    counter.result.unlink()
    counter.step("moved").do()

    assert counter.done == 4


def test_a_failed_step_leaves_no_stamp_even_where_an_old_one_was(tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    counter.step().do()
    counter.input.write_text("two")
    counter.fails = True

    with pytest.raises(RuntimeError):
        counter.step().do()

    assert not counter.stamp.exists()
    assert not counter.step().is_done()


def test_one_chain_failing_lets_the_other_end_first(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    bad, good = Counter(tmp_path / "a", fails=True), Counter(tmp_path / "b")

    with pytest.raises(RuntimeError, match="killed"):
        do_side_by_side([bad.step()], [good.step()])

    assert good.step().is_done()
