"""The mails: text and HTML say the same, links lead to us, and nobody else's words are in them."""

from __future__ import annotations

import re
from html import unescape

import pytest

from lib.mail import templates
from lib.mail.port import Message

URL = "https://ai.acme.example"
TO = "alice@wonder.example"
TOKEN = "hgm_secret"
WITH_TOKEN = [
    templates.verify_address, templates.confirm_new_address, templates.reset_password, templates.finish_sign_up,
    templates.address_change_asked,
]  # fmt: skip
WITHOUT = [
    templates.known_address(TO),
    templates.address_changed(TO),
    templates.password_changed(TO),
    templates.second_factor_changed(TO, on=True),
    templates.second_factor_changed(TO, on=False),
]
ALL = [*WITHOUT, *(make(TO, url, TOKEN, 24) for make in WITH_TOKEN for url in (URL, None))]


def words(message: Message) -> str:
    """Return what somebody reads who sees the HTML."""
    body = message.html.partition("</title>")[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


@pytest.mark.parametrize("message", ALL, ids=lambda message: message.subject)
def test_text_and_html_say_the_same(message: Message) -> None:
    """To one address, with a subject of one line."""
    assert words(message) == " ".join(message.text.split())
    assert message.to == TO
    assert "\n" not in message.subject
    assert message.subject in unescape(message.html)


@pytest.mark.parametrize("make", WITH_TOKEN)
def test_a_link_leads_to_the_deployment_and_nowhere_else(make: templates.Template) -> None:
    """The token stands behind `#`, so that no server's log gets to see it."""
    message = make(TO, URL, TOKEN, 24)
    [link] = re.findall(r"https?://\S+", message.text)
    assert re.fullmatch(re.escape(URL) + r"/[a-z-]+#token=" + TOKEN, link)
    assert re.findall(r'href="([^"]*)"', message.html) == [link]


@pytest.mark.parametrize("make", WITH_TOKEN)
def test_without_an_address_of_our_own_there_is_no_link(make: templates.Template) -> None:
    """The token alone, for the API; no guess from a header that anybody can write."""
    message = make(TO, None, TOKEN, 24)
    assert "http" not in message.text + message.html
    assert TOKEN in message.text.split()


def test_what_is_configured_is_escaped() -> None:
    message = templates.verify_address(TO, 'https://ai.acme.example/"><script>', TOKEN, 24)
    assert "<script>" not in message.html


@pytest.mark.parametrize("message", WITHOUT, ids=lambda message: message.subject)
def test_a_notice_holds_nothing_to_click(message: Message) -> None:
    """It teaches nobody to click on what looks like it."""
    assert "href" not in message.html
    assert "hgm_" not in message.text
