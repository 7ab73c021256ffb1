"""The local outbox: newest first, and nothing of a mail runs in the page."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.mail.port import Message
from lib.mail.sent_mail import CONTENT_SECURITY_POLICY, KeptMail, kept, outbox_page, read
from tests.unit.fakes import NOW
from tests.unit.world import World, new_world

MAIL = KeptMail("1", "a@b.example", "Hello", "See https://h.example/x#token=a&b and <b>", "<p>Hello</p>", "2026")


@given(st.integers(1, 10**9))
def test_names_sort_the_newest_first(seconds: int) -> None:
    """As KV lists them."""
    message = Message("a@b.example", "s", "t", "h")
    assert kept(message, "b", NOW + timedelta(seconds=seconds))[0] < kept(message, "a", NOW)[0]


def test_what_is_kept_can_be_read() -> None:
    """Whatever is in it."""
    message = Message("a@b.example", "Ünïcode", 'q"uote\n', "<p>&amp;</p>")
    _, text = kept(message, "id", NOW)
    assert read(text) == KeptMail("id", *(message.to, message.subject, message.text, message.html), NOW.isoformat())


def test_a_page_shows_mails_and_their_links() -> None:
    """A link can be followed; all else is text."""
    page = outbox_page([MAIL]).decode()
    assert '<a href="https://h.example/x#token=a&amp;b" rel="noreferrer">' in page
    assert "&lt;b&gt;" in page
    assert "&lt;p&gt;Hello&lt;/p&gt;" in page
    assert "No mails yet" in outbox_page([]).decode()


HOSTILE = '"><script>alert(1)</script>'


@pytest.mark.parametrize("part", ["id", "to", "subject", "text", "html", "sent_at"])
def test_nothing_of_a_mail_becomes_markup(part: str) -> None:
    """Wherever it stands, behind a link too."""
    mail = KeptMail(**{**dict.fromkeys(("id", "to", "subject", "text", "html", "sent_at"), "x"), part: HOSTILE})
    assert "<script" not in outbox_page([mail]).decode()
    linked = KeptMail("1", "t", "s", f"https://x.example/{HOSTILE}", "", "")
    assert "<script" not in outbox_page([linked]).decode()
    assert "script-src" not in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY


HERE = {"host": "localhost:8787"}


def world() -> World:
    made = new_world()
    made.people.outbox.mails += [MAIL, KeptMail("2", "c@d.example", "Newer", "t", "h", "2027")]
    return made


def test_the_outbox_is_a_page_for_people_and_data_for_programs() -> None:
    """Nobody keeps a copy: there are secrets in it."""
    made = world()
    page = made.ask("GET", "/dev/outbox", key=None, headers=HERE)
    assert page.status == 200
    assert (page.headers["cache-control"], page.headers["content-security-policy"]) == (
        "no-store",
        CONTENT_SECURITY_POLICY,
    )
    assert page.body.index(b"Newer") < page.body.index(b"Hello")
    data = made.ask("GET", "/dev/outbox", key=None, headers=HERE | {"accept": "application/json"}).data
    assert [mail["subject"] for mail in data["mails"]] == ["Newer", "Hello"]
    assert json.dumps(data["mails"][1]["text"]) == json.dumps(MAIL.text)


def test_there_is_no_outbox_where_mails_are_sent() -> None:
    """It answers as if nobody had written it."""
    made = world()
    made.parts = replace(made.parts, sent_mail=None)
    answer = made.ask("GET", "/dev/outbox", key=None, headers=HERE)
    assert (answer.status, answer.error["code"]) == (404, "not_found")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8787", "LocalHost:1", "[::1]:8787", "localhost"])
def test_the_outbox_is_for_this_machine(host: str) -> None:
    """By each of its names."""
    assert world().ask("GET", "/dev/outbox", key=None, headers={"host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("", "evil.example", "evil.example:8787", "localhost.evil.example", "127.0.0.1.evil.example", "[::1", "[::2]"),
        *("evil.example#localhost", "evil.example/@localhost", "10.0.0.7:8787", "headgate.example.com"),
    ],
)
def test_a_page_whose_name_leads_here_does_not_read_the_outbox(host: str) -> None:
    """DNS rebinding: the browser takes us for a server of the page's own site, and says so in Host."""
    answer = world().ask("GET", "/dev/outbox", key=None, headers={"host": host})
    assert (answer.status, answer.error["code"]) == (404, "not_found")


def test_without_a_host_there_is_no_outbox() -> None:
    """Denied unless it is known to be here."""
    assert world().ask("GET", "/dev/outbox", key=None).status == 404
