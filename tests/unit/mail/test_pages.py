"""The pages that links in mails lead to."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from lib.access.principal import SELF
from lib.mail import templates
from lib.mail.pages import CONTENT_SECURITY_POLICY, PAGES, MailPage
from tests.seen import ROUTER
from tests.unit.world import new_world


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_a_page_runs_only_its_own_script(page: MailPage) -> None:
    """The policy names it, and the style, by their hashes; the page asks an action that there is."""
    answer = new_world().ask("GET", page.path, key=None)
    assert answer.status == 200
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["referrer-policy"] == "no-referrer"
    text = answer.body.decode()
    for tag in ("script", "style"):
        [inside] = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in CONTENT_SECURITY_POLICY
    assert "require-trusted-types-for 'script'; trusted-types 'none'" in CONTENT_SECURITY_POLICY
    route, _ = ROUTER.match("POST", page.action)
    assert route.permission in (None, SELF)
    for button in page.buttons:
        assert f"  {button.deed}: " in text


def test_every_link_of_a_mail_leads_to_a_page() -> None:
    """On the deployment's own address, with the token behind `#`."""
    url, token = "https://h.example", "hgm_token"
    mails = [
        make("a@b.example", url, token, 1)
        for make in (
            templates.verify_address, templates.confirm_new_address, templates.reset_password, templates.finish_sign_up,
            templates.invitation, templates.address_change_asked,
        )
    ]  # fmt: skip
    paths = set()
    for mail in mails:
        links = re.findall(r"https?://\S+", mail.text)
        [link] = links
        assert link.startswith(f"{url}/")
        assert link.endswith(f"#token={token}")
        paths.add(link.removeprefix(url).partition("#")[0])
    assert paths == {page.path for page in PAGES}


def test_a_password_is_masked_and_may_be_pasted() -> None:
    """ASVS V6.2.6 and V6.2.7: its field hides it and is named for password managers; no script looks at pasting."""
    seen = 0
    for page in PAGES:
        text = page.html().decode()
        for tag in re.findall(r"<input [^>]*password[^>]*>", text):
            seen += 1
            assert 'type="password"' in tag
            assert re.search(r'autocomplete="(new|current)-password"', tag)
        assert not re.search(r"paste|keydown|keypress|beforeinput|readonly", text)
    assert seen == 2


def test_the_page_that_signs_in_can_ask_for_a_code_and_signs_out() -> None:
    """ASVS V7.4.4. It asks once the API has said that it needs one; tests/e2e/browser_walk.test.ts presses it."""
    [page] = [page for page in PAGES if any(button.deed == "sign_in" for button in page.buttons)]
    text = page.html().decode()
    [asked] = re.findall(r'<div data-when="(\w+)" hidden><label[^<]*</label><input ([^>]*)></div>', text)
    assert asked[0] == "totp_required"
    assert 'name="totp_code"' in asked[1]
    assert "required" not in asked[1]
    [deed] = re.findall(r"\n  sign_in: (.*?)\n  \},", text, re.DOTALL)
    begins, ends = deed.index('post("/api/v1/sessions"'), deed.index('send("DELETE", "/api/v1/sessions/current"')
    assert begins < deed.index("finally") < ends


def test_nothing_that_is_typed_or_pasted_is_cut() -> None:
    """ASVS V6.2.8: no field takes less than the API, which says itself what is too long."""
    fields = [tag for page in PAGES for tag in re.findall(r"<input [^>]*>", page.html().decode())]
    assert len(fields) >= 5
    assert not [tag for tag in fields if re.search("maxlength|pattern", tag)]
