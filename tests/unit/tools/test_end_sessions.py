"""./headgate end-sessions: whom it asks for, and that it must be said whose sessions are meant."""

from __future__ import annotations

from typing import Any

import pytest

from tools import end_sessions, headgate
from tools.verify_ledger import Asked

WHERE = Asked("http://127.0.0.1:1", "s" * 32)
ALL = "/api/v1/operator/users/actions/end_all_sessions"


def asked(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any]) -> list[tuple[object, ...]]:
    """Answer with these, one after the other; return what is asked."""
    seen: list[tuple[object, ...]] = []
    left = list(answers)

    def ask(where: Asked, *more: object) -> dict[str, Any]:
        assert where is WHERE
        seen.append(more)
        return left.pop(0)

    monkeypatch.setattr(end_sessions, "ask", ask)
    return seen


def test_of_one_person(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seen = asked(monkeypatch, {"data": {"user_id": "u"}})
    assert end_sessions.end_sessions(WHERE, "ada@example.com") == 0
    assert seen == [("/api/v1/operator/users/actions/end_sessions", "POST", {"email": "ada@example.com"})]
    assert capsys.readouterr().out == "1 person is signed out everywhere.\n"


def test_of_everyone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """To the last page."""
    people = [{"user_id": "u"}] * 20
    pages = [{"data": people, "meta": {"next_cursor": "a b"}}, {"data": people[:1], "meta": {"next_cursor": None}}]
    seen = asked(monkeypatch, *pages)
    assert end_sessions.end_sessions(WHERE, None) == 0
    assert seen == [(ALL, "POST"), (f"{ALL}?cursor=a+b", "POST")]
    assert capsys.readouterr().out == "21 people are signed out everywhere.\n"


@pytest.mark.parametrize("more", [[], ["--email", "a@b.example", "--everyone"], ["--email"]])
def test_it_must_be_said_whose(more: list[str]) -> None:
    """One person or everybody: nobody signs all people out by forgetting a word."""
    with pytest.raises(SystemExit):
        headgate.parser().parse_args(["end-sessions", *more])
