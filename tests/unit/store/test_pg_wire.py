"""PostgreSQL's protocol without sockets: messages however they are cut, and nonsense that is told as such."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pg8000.core import Context
from pg8000.exceptions import InterfaceError

from lib.store.pg_wire import Wire
from tests.unit.store.fake_postgres import NOTICE, Refused, data_row, message, refusal, row_description
from tests.unit.strategies import PLACES, cut

ANSWER = b"".join(
    [
        message(b"1"),
        message(b"2"),
        row_description(["id", "größe"]),
        data_row(["a", None]),
        NOTICE,
        data_row(["é" * 300, ""]),
        message(b"C", b"SELECT 2\0"),
        message(b"Z", b"I"),
    ]
)


def wire() -> Wire:
    made = Wire("user", "password", {"database": "d"})
    made.take()
    return made


def test_the_greeting_names_the_user_and_the_database() -> None:
    """Once: what was taken is not there again."""
    made = Wire("usér", "secret", {"database": "d", "application_name": "x"})
    sent = made.take()
    length, version = struct.unpack_from("!ii", sent)
    assert (length, version) == (len(sent), 3 << 16)
    assert sent[8:] == "user\0usér\0database\0d\0application_name\0x\0\0".encode()
    assert made.take() == b""


@pytest.mark.parametrize("at", range(len(ANSWER) + 1))
def test_messages_may_be_cut_anywhere(at: int) -> None:
    """At every byte: the same messages, each once, and never before it is whole."""
    made = wire()
    messages = made.feed(ANSWER[:at]) + made.feed(ANSWER[at:])
    assert messages == wire().feed(ANSWER)
    assert b"".join(message(kind, data) for kind, data in messages) == ANSWER


@given(PLACES)
def test_messages_may_come_in_many_pieces(places: list[int]) -> None:
    """Also in empty ones."""
    made = wire()
    messages = [one for piece in cut(ANSWER, places) for one in made.feed(piece)]
    assert messages == wire().feed(ANSWER)


def test_a_group_is_one_round_trip() -> None:
    """Each statement is parsed, bound, described and executed; at the end one Sync, and no Flush."""
    made = wire()
    contexts = made.group([("SELECT $1", ["é", None]), ("COMMIT", [])])
    sent = made.take()
    kinds = [kind for kind, _ in wire().feed(sent)]
    assert b"".join(kinds) == b"PBDEPBDES"
    assert [context.statement for context in contexts] == ["SELECT $1", "COMMIT"]


def test_an_answer_is_left_in_its_context() -> None:
    """Rows as texts and None, by the columns' names; a notice is no answer."""
    made, context = wire(), Context("SELECT")
    ready = [made.handle(one, context) for one in made.feed(ANSWER)]
    assert ready == [False] * (len(ready) - 1) + [True]
    assert context.rows == [["a", None], ["é" * 300, ""]]
    assert [column["name"] for column in context.columns] == ["id", "größe"]
    assert (context.row_count, context.error) == (2, None)


@pytest.mark.parametrize(("status", "failed"), [(b"I", False), (b"T", False), (b"E", True)])
def test_it_knows_when_a_transaction_has_failed(status: bytes, failed: bool) -> None:
    """Then it must be rolled back before anything else."""
    made, context = wire(), Context("SELECT")
    for one in made.feed(refusal(Refused("23505", "déjà vu")) + message(b"Z", status)):
        made.handle(one, context)
    assert made.failed is failed
    assert context.error.args[0]["C"] == "23505"
    assert context.error.args[0]["M"] == "déjà vu"


@pytest.mark.parametrize("length", [-(2**31), -1, 0, 3, 64 * 1024 * 1024 + 1, 2**31 - 1])
def test_an_absurd_length_is_no_message(length: int) -> None:
    """It is not waited for: whoever sends that does not speak the protocol."""
    with pytest.raises(InterfaceError):
        wire().feed(b"D" + struct.pack("!i", length))


@given(st.binary(min_size=5, max_size=40))
def test_garbage_is_whole_messages_or_an_error_or_waited_for(data: bytes) -> None:
    """Nothing else, and never more bytes than came."""
    made = wire()
    try:
        messages = made.feed(data)
    except InterfaceError:
        return
    assert sum(5 + len(body) for _, body in messages) <= len(data)


@pytest.mark.parametrize("text", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n"])
def test_another_protocol_is_recognised(text: bytes) -> None:
    """A wrong port is told, not waited at."""
    with pytest.raises(InterfaceError):
        wire().feed(text)
