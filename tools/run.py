"""Run another program, and say what went wrong when it fails."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.process import tie
from tools.project import ROOT, ToolError

HEAD_LINES, TAIL_LINES = 15, 25  # a program says why at the start or at the end


def shortened(lines: list[str]) -> list[str]:
    if len(lines) <= HEAD_LINES + TAIL_LINES:
        return lines
    return [*lines[:HEAD_LINES], "…", *lines[-TAIL_LINES:]]


def run(
    command: Sequence[str | Path], *, what: str, env: Mapping[str, str] | None = None, cwd: Path = ROOT, hint: str = ""
) -> str:
    """Return what `command` printed. Raises ToolError with its last lines, and `hint`, when it fails."""
    arguments = [str(part) for part in command]
    try:
        done = subprocess.run(
            [*tie(), *arguments],
            env=dict(env) if env is not None else None,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise ToolError(f"{what}: {error}") from error
    if done.returncode != 0:
        lines = shortened((done.stdout + done.stderr).strip().splitlines())
        raise ToolError(
            "\n".join([f"{what} failed (exit {done.returncode}): {' '.join(arguments)}", *lines, hint]).strip()
        )
    return done.stdout
