"""What counts as the isolate's memory: Python's, and what JavaScript still held when V8 had collected."""

from __future__ import annotations

from tools.soak_memory import MB, WITHIN_LOOKS, Memory


def told(memory: Memory, wasm: int, *scripts: int) -> None:
    for script in scripts:
        memory._heard(str(script * MB), 1)
        memory._note(wasm * MB)


def test_garbage_is_not_held() -> None:
    """A peak between two collections does not count; what stays for long does."""
    memory = Memory()
    told(memory, 60, 20, 90, 30)
    assert (memory.most, memory.wrong()) == (80 * MB, "")
    assert "90" in memory.told()
    told(memory, 60, *([75] * WITHIN_LOOKS))
    assert memory.most == 135 * MB
    assert "at most 135 MB" in memory.wrong()


def test_what_was_never_measured_is_wrong() -> None:
    memory = Memory()
    memory._heard("an error", 2)
    memory._note(60 * MB)
    assert memory.wrong() == "the isolate's memory was never measured"
