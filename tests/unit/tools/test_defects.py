"""What of a log tells of a defect of ours."""

from __future__ import annotations

import pytest

from tools.defects import DEFECTS, defects


@pytest.mark.parametrize("sign", DEFECTS)
def test_each_sign_is_found_with_its_lines(sign: str) -> None:
    log = f'{{"event":"request"}}\nfirst {sign} told\nnothing\nagain {sign}\n'
    assert defects(log) == {sign: [f"first {sign} told", f"again {sign}"]}


@pytest.mark.parametrize(
    "line",
    [
        "Uncaught Error: Durable Object reset because its code was updated.",
        "Uncaught Error: The script will never generate a response: it had hung and would never generate a response",
    ],
)
def test_what_the_platform_does_is_no_defect(line: str) -> None:
    assert defects(line) == {}
    assert defects(f"{line}\nUncaught Error: another") == {"Uncaught": ["Uncaught Error: another"]}
