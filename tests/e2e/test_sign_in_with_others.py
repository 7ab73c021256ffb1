"""Signing in with others on the real runtime: at a real OpenID provider (npm: oidc-provider), twice, and at a GitHub.

a test's browser → Headgate (workerd) → the provider → back, and Headgate → its token endpoint, keys, userinfo
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.support.browser import Browser
from tests.e2e.support.hostile_issuer import HostileIssuer, Script, breaks_off, pours, says, waits
from tests.e2e.support.issuer import CLIENT_ID, CLIENT_SECRET, Github, Issuer
from tests.e2e.support.log import after, told
from tests.e2e.support.names import letters
from tests.e2e.support.stacks import Stacks
from tools.ports import free_port
from tools.stack import Stack

AUTH, LOGINS = "/api/v1/auth", "/api/v1/me/logins"


@dataclass
class Place:
    """Headgate, and whom one may sign in with there: `acme` tells the address at its userinfo endpoint, `corp` in the
    ID token, and `github` by its API. `hostile` does what a test wants.
    """

    http: httpx.Client
    base_url: str
    github: Github
    hostile: HostileIssuer
    stack: Stack

    def browser(self) -> Browser:
        return Browser(self.http, self.base_url)


@pytest.fixture(scope="module")
def place(stacks: Stacks, http: httpx.Client) -> Iterator[Place]:
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"
    lines: list[str] = []

    def back(name: str) -> str:
        return f"{base_url}{AUTH}/{name}/callback"

    def note(line: str, _stream: int) -> None:
        lines.append(line)

    with ExitStack() as everything:
        acme = Issuer(back("acme"), on_line=note)
        everything.callback(acme.stop)
        corp = Issuer(back("corp"), "--alg", "ES256", "--claims-in-token", on_line=note)
        everything.callback(corp.stop)
        github = everything.enter_context(Github(back("github")))
        hostile = everything.enter_context(HostileIssuer())
        variables = {"PUBLIC_URL": base_url, "SIGN_UP": "open", "OIDC_PROVIDERS": "acme,corp,github,hostile"}
        variables |= {"OIDC_ACME_ISSUER": acme.wait(), "OIDC_CORP_ISSUER": corp.wait()}
        variables |= {"OIDC_HOSTILE_ISSUER": hostile.url, "OIDC_ACME_RESPONSE_MODE": "query"}
        variables |= {"OIDC_GITHUB_URL": github.url, "OIDC_GITHUB_API_URL": github.url}
        for name in ("ACME", "CORP", "GITHUB", "HOSTILE"):
            variables |= {f"OIDC_{name}_CLIENT_ID": CLIENT_ID, f"OIDC_{name}_CLIENT_SECRET": CLIENT_SECRET}
        stack = everything.enter_context(stacks.new("others", port=port, variables=variables))
        yield Place(http, base_url, github, hostile, stack)


def at_provider(browser: Browser, provider: str, account: str, **query: str) -> httpx.Response:
    """Be sent to a provider and sign in there; return its answer, which sends the browser back."""
    begun = browser.ask("GET", f"{AUTH}/{provider}/start", params=query)
    assert begun.status_code == 303, begun.text
    return sign_in_there(browser, begun, account)


def sign_in_there(browser: Browser, begun: httpx.Response, account: str) -> httpx.Response:
    interaction = browser.follow(begun, until="/interaction/")
    url = httpx.URL(interaction.url).join(interaction.headers["location"])
    done = browser.ask("POST", str(url), data={"account": account})
    return browser.follow(done, until="/callback")


def come_back(browser: Browser, sent: httpx.Response) -> httpx.Response:
    """Bring the answer: by the address that it leads to, or by the form of its page."""
    if sent.is_redirect:
        return browser.ask("GET", sent.headers["location"])
    posted = browser.submit(sent)
    assert posted.status_code == 303, posted.text
    assert "?" not in posted.headers["location"]
    return browser.ask("GET", posted.headers["location"])


def sign_in(browser: Browser, provider: str, account: str, **query: str) -> httpx.Response:
    return come_back(browser, at_provider(browser, provider, account, **query))


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


@pytest.mark.parametrize("provider", ["acme", "corp"])
def test_a_person_signs_up_and_in_at_a_real_provider(place: Place, provider: str) -> None:
    """With RS256, userinfo and a code in an address; with ES256, claims in the token and a code in a form. The second
    time it is the same account.
    """
    name = letters()
    browser = place.browser()
    back = sign_in(browser, provider, name, return_to="/api/v1/me")
    assert (back.status_code, back.headers["location"]) == (303, f"{place.base_url}/api/v1/me")
    me = browser.follow(back).json()["data"]
    assert (me["email"], me["name"], me["email_verified"]) == (f"{name}@people.example", f"Person {name}", True)
    assert len(me["memberships"]) == 1
    again = place.browser()
    assert sign_in(again, provider, name).status_code == 303
    assert again.user_id() == me["id"]


def test_the_cookies_are_as_browsers_protect_them(place: Place) -> None:
    """Two in one answer: the attempt's ends, the session's begins."""
    browser = place.browser()
    back = sign_in(browser, "acme", letters())
    ended, begun = back.headers.get_list("set-cookie")
    assert ended.startswith("__Host-headgate-sign-in=; Path=/; Max-Age=0;")
    assert begun.startswith("__Host-headgate=hgs_")
    assert all(cookie.endswith("HttpOnly; Secure; SameSite=Lax") for cookie in (ended, begun))


def test_one_address_at_two_providers_is_one_account(place: Place) -> None:
    """Both have verified it, and so has the account."""
    name = letters()
    first, second = place.browser(), place.browser()
    sign_in(first, "acme", name)
    assert sign_in(second, "corp", name).status_code == 303
    assert second.user_id() == first.user_id() is not None
    listed = second.ask("GET", LOGINS).json()["data"]
    assert [login["email"] for login in listed] == [f"{name}@people.example"] * 2


def test_a_link_of_anothers_page_signs_nobody_in_unasked(place: Place) -> None:
    """Who is signed in at the provider is asked there nevertheless; from a page of ours, it answers by itself."""
    pressed = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-user": "?1"}
    browser = place.browser()
    sign_in(browser, "acme", letters())

    def led_from(site: str, **more: str) -> httpx.Response:
        return browser.ask("GET", f"{AUTH}/acme/start", headers={**pressed, "sec-fetch-site": site, **more})

    assert "/callback" in browser.follow(led_from("same-origin"), until="/callback").headers["location"]
    asked = browser.follow(led_from("cross-site"), until="/interaction/")
    assert "/interaction/" in asked.headers["location"]
    refused = led_from("cross-site", **{"sec-fetch-dest": "iframe"})
    assert (refused.status_code, code(refused)) == (403, "navigation_required")


def test_an_address_that_nobody_has_verified_opens_nothing(place: Place) -> None:
    """The account of the real owner stays closed."""
    name = letters()
    sign_in(place.browser(), "acme", name)
    browser = place.browser()
    answer = sign_in(browser, "corp", f"unverified-{name}")
    assert (answer.status_code, code(answer)) == (403, "email_not_verified")
    assert browser.user_id() is None


def test_who_refuses_there_is_told_so(place: Place) -> None:
    browser = place.browser()
    answer = sign_in(browser, "acme", "")
    assert (answer.status_code, code(answer)) == (403, "sign_in_refused")
    assert "access_denied" in answer.json()["error"]["message"]


def test_an_attempt_is_this_browsers_and_works_once(place: Place) -> None:
    """Another browser's callback and a second use are refused; the provider takes its code once as well."""
    browser, victim = place.browser(), place.browser()
    sent = at_provider(browser, "acme", letters())
    assert code(come_back(victim, sent)) == "sign_in_expired"
    site = urlsplit(place.base_url).netloc
    kept = dict(browser.cookies[site])
    assert come_back(browser, sent).status_code == 303
    thief = place.browser()
    thief.cookies[site] = kept
    assert come_back(thief, sent).status_code in (409, 502)
    assert thief.user_id() is None


def test_a_code_of_one_provider_is_not_brought_to_another(place: Place) -> None:
    """Mix-up: the browser began with `corp`, and an answer of `acme` comes to where `corp` sends."""
    browser = place.browser()
    at_acme = at_provider(place.browser(), "acme", letters())
    state = re.search(r'name="state" value="([^"]+)"', at_provider(browser, "corp", letters()).text)
    assert state
    mixed = httpx.URL(at_acme.headers["location"]).copy_set_param("state", state[1])
    answer = browser.ask("GET", str(mixed).replace("/acme/", "/corp/"))
    assert (answer.status_code, code(answer)) == (502, "identity_provider")
    assert browser.user_id() is None


def test_where_the_browser_goes_is_on_this_host(place: Place) -> None:
    for elsewhere in ("https://evil.example", "//evil.example", "/\\evil.example"):
        answer = place.browser().ask("GET", f"{AUTH}/acme/start", params={"return_to": elsewhere})
        assert answer.status_code == 400
    asked = place.browser().ask("GET", f"{AUTH}/acme/start", headers={"host": urlsplit(place.base_url).netloc})
    there = httpx.URL(asked.headers["location"]).params
    assert there["redirect_uri"] == f"{place.base_url}{AUTH}/acme/callback"
    assert there["code_challenge_method"] == "S256"


def test_a_person_signs_in_with_github(place: Place) -> None:
    """By its primary address, verified; by its number ever after, whatever it is called then."""
    login = letters()
    email = place.github.add(login)
    place.github.signed_in = login
    browser = place.browser()
    begun = browser.ask("GET", f"{AUTH}/github/start", params={"return_to": "/api/v1/me"})
    me = browser.follow(begun).json()["data"]
    assert (me["email"], me["name"]) == (email, login)
    place.github.people[login]["emails"] = []
    place.github.people[login]["user"]["login"] = f"{login}-renamed"
    again = place.browser()
    again.follow(again.ask("GET", f"{AUTH}/github/start"))
    assert again.user_id() == me["id"]


def test_an_unverified_address_at_github_opens_nothing(place: Place) -> None:
    login = letters()
    place.github.add(login, verified=False)
    place.github.signed_in = login
    browser = place.browser()
    answer = browser.follow(browser.ask("GET", f"{AUTH}/github/start"))
    assert code(answer) == "email_not_verified"


def test_ways_in_are_added_and_removed_but_for_the_last(place: Place) -> None:
    """By who is signed in, whatever the address there is."""
    browser = place.browser()
    sign_in(browser, "acme", letters())
    user_id = browser.user_id()
    other = letters()
    begun = browser.ask("POST", LOGINS, json={"provider": "corp", "return_to": LOGINS}, headers=browser.csrf())
    assert begun.status_code == 200, begun.text
    there = browser.ask("GET", begun.json()["data"]["authorization_url"])
    back = come_back(browser, sign_in_there(browser, there, f"unverified-{other}"))
    assert (back.status_code, browser.user_id()) == (303, user_id)
    first, second = [login["id"] for login in browser.follow(back).json()["data"]]
    elsewhere = place.browser()
    sign_in(elsewhere, "corp", f"unverified-{other}")
    assert elsewhere.user_id() == user_id
    assert browser.ask("DELETE", f"{LOGINS}/{first}", headers=browser.csrf()).status_code == 204
    last = browser.ask("DELETE", f"{LOGINS}/{second}", headers=browser.csrf())
    assert (last.status_code, code(last)) == (409, "last_login")


def test_a_change_by_cookie_needs_the_sessions_token(place: Place) -> None:
    browser = place.browser()
    sign_in(browser, "acme", letters())
    body = {"provider": "corp"}
    assert browser.ask("POST", LOGINS, json=body).status_code == 403
    foreign = {**browser.csrf(), "origin": "https://evil.example"}
    assert browser.ask("POST", LOGINS, json=body, headers=foreign).status_code == 403


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (says({}, 302, location="/elsewhere"), "status 302"),
        (says({}, 307, location="/elsewhere"), "status 307"),
        (pours, "over 262144 bytes"),
        (breaks_off, "no answer"),
        (waits(60), "no answer in time"),
        (says([]), "not an object"),
        (says({"issuer": "https://evil.example"}), "another issuer"),
    ],
    ids=["redirect", "redirect-307", "endless", "broken", "slow", "list", "another"],
)
def test_a_hostile_provider_costs_little_and_gets_nothing(place: Place, script: Script, reason: str) -> None:
    """No redirect is followed, no body without an end is read, nobody is waited for longer than 10 seconds."""
    place.hostile.plays(discovery=script, elsewhere=place.hostile.described())
    began = time.monotonic()
    answer = place.browser().ask("GET", f"{AUTH}/hostile/start")
    assert (answer.status_code, code(answer)) == (502, "identity_provider")
    assert time.monotonic() - began < 30
    assert place.hostile.asked == ["/discovery"]
    assert reason not in answer.text
    told(place.stack, reason)


def test_our_secret_follows_no_redirect(place: Place) -> None:
    """A token endpoint that sends elsewhere gets the secret for itself alone."""
    place.hostile.plays(
        discovery=place.hostile.described(), token=says({}, 307, location="/elsewhere"), elsewhere=says({})
    )
    browser = place.browser()
    begun = browser.ask("GET", f"{AUTH}/hostile/start")
    state = httpx.URL(begun.headers["location"]).params["state"]
    answer = browser.ask("GET", f"{AUTH}/hostile/callback", params={"code": "c", "state": state})
    assert (answer.status_code, code(answer)) == (502, "identity_provider")
    assert place.hostile.asked == ["/discovery", "/token"]


def test_the_log_has_no_secret_and_no_defect(place: Place) -> None:
    """Runs last in this file: what the tests above have had written."""
    log = after(place.stack, place.browser().ask("GET", "/livez"))
    assert CLIENT_SECRET not in log
    assert "hgs_" not in log
    assert [sign for sign in ("internal_error", "Traceback", "answer_refused") if sign in log] == []
