"""Sessions and tokens on the real runtime: WebCrypto signs, and what was ended is over at once, on both APIs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import jwt as pyjwt
import pytest

from lib.http.cookies import SESSION_COOKIE
from tests.e2e.support.headgate import Headgate, chat_body
from tests.e2e.support.store import stored_bytes
from tools.end_sessions import end_sessions
from tools.project import ToolError
from tools.stack import Stack
from tools.verify_ledger import Asked

MODEL = "sim/chat-chunks1"
Json = dict[str, Any]


def tokens(headgate: Headgate, body: Json) -> httpx.Response:
    return headgate.http.post(f"{headgate.base_url}/api/v1/tokens", json=body)


def app(headgate: Headgate, stack: Stack) -> tuple[Headgate, Json]:
    """An app that the administrator has signed in with: as a client, and what it got."""
    body = {"grant_type": "password", "email": stack.admin_email, "password": stack.admin_password}
    answer = tokens(headgate, body)
    assert answer.status_code == 200, answer.text
    data: Json = answer.json()["data"]
    return headgate.as_key(data["access_token"]), data


def refreshed(headgate: Headgate, token: str) -> httpx.Response:
    return tokens(headgate, {"grant_type": "refresh_token", "refresh_token": token})


def chat(headgate: Headgate) -> int:
    return headgate.chat(MODEL).status_code


def test_an_access_token_that_others_can_verify(headgate: Headgate, stack: Stack) -> None:
    """By the published keys, with PyJWT: made by WebCrypto, for this deployment's address."""
    client, data = app(headgate, stack)
    answer = headgate.http.get(f"{headgate.base_url}/.well-known/jwks.json")
    assert "max-age" in answer.headers["cache-control"]
    key = pyjwt.PyJWKSet.from_dict(answer.json())[pyjwt.get_unverified_header(data["access_token"])["kid"]]
    claims = pyjwt.decode(
        data["access_token"], key, algorithms=["ES256"], audience="headgate", issuer=headgate.base_url
    )
    assert (claims["org"], claims["exp"] - claims["iat"], data["expires_in"]) == (stack.org_id, 900, 900)
    assert all("d" not in key for key in answer.json()["keys"])
    assert client.get("/api/v1/keys").status_code == 200
    assert client.post("/api/v1/keys", {"name": "made by a person"}).status_code == 201
    assert chat(client) == 200


def test_refresh_tokens_work_once(headgate: Headgate, stack: Stack) -> None:
    """A second use ends all that came of the sign-in: here and on the AI API, whose isolate had it cached."""
    client, data = app(headgate, stack)
    other, _ = app(headgate, stack)
    following = refreshed(headgate, data["refresh_token"])
    assert following.status_code == 200
    thief = headgate.as_key(following.json()["data"]["access_token"])
    assert (chat(client), chat(thief), chat(other)) == (200, 200, 200)
    assert refreshed(headgate, data["refresh_token"]).status_code == 401
    assert refreshed(headgate, following.json()["data"]["refresh_token"]).status_code == 401
    for ended in (client, thief):
        assert (ended.get("/api/v1/keys").status_code, chat(ended)) == (401, 401)
    assert (other.get("/api/v1/keys").status_code, chat(other)) == (200, 200)


def test_an_app_signs_out(headgate: Headgate, stack: Stack) -> None:
    client, data = app(headgate, stack)
    assert chat(client) == 200
    assert client.delete("/api/v1/tokens/current").status_code == 204
    assert (client.get("/api/v1/keys").status_code, chat(client)) == (401, 401)
    assert refreshed(headgate, data["refresh_token"]).status_code == 401


@pytest.mark.parametrize("changed", ["header", "payload", "signature"])
def test_a_token_that_was_changed_is_refused(headgate: Headgate, stack: Stack, changed: str) -> None:
    """In any of its parts; the answer does not tell which."""
    _, data = app(headgate, stack)
    parts = data["access_token"].split(".")
    at = ["header", "payload", "signature"].index(changed)
    parts[at] = parts[at][:10] + ("A" if parts[at][10] != "A" else "B") + parts[at][11:]
    client = headgate.as_key(".".join(parts))
    answer = client.get("/api/v1/keys")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_token")
    assert chat(client) == 401


class Browser:
    """A browser with the cookie and the token of its session."""

    def __init__(self, headgate: Headgate, stack: Stack) -> None:
        self._headgate = headgate
        body = {"email": stack.admin_email, "password": stack.admin_password}
        self.answer = headgate.http.post(f"{headgate.base_url}/api/v1/sessions", json=body)
        assert self.answer.status_code == 201, self.answer.text
        # httpx would keep it for everybody, and it is Secure.
        headgate.http.cookies.clear()
        self.set_cookie = self.answer.headers["set-cookie"]
        self.cookie = self.set_cookie.partition(";")[0]
        self.csrf = self.answer.json()["data"]["csrf_token"]

    def call(self, method: str, path: str, *, csrf: bool = True, **more: Any) -> httpx.Response:
        headers = {"cookie": self.cookie, "origin": self._headgate.base_url, "sec-fetch-site": "same-origin"}
        headers |= {"x-csrf-token": self.csrf} if csrf else {}
        headers |= more.pop("headers", {})
        return self._headgate.http.request(method, self._headgate.base_url + path, headers=headers, **more)


def test_a_browsers_session(headgate: Headgate, stack: Stack) -> None:
    """From signing in to signing out; changes need the token, and come from our own pages."""
    browser = Browser(headgate, stack)
    assert browser.set_cookie.startswith(f"{SESSION_COOKIE}=hgs_")
    assert browser.set_cookie.endswith("; HttpOnly; Secure; SameSite=Lax")
    assert browser.call("GET", "/api/v1/keys", csrf=False).status_code == 200
    body = {"name": "made in a browser"}
    assert browser.call("POST", "/api/v1/keys", csrf=False, json=body).status_code == 403
    foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert browser.call("POST", "/api/v1/keys", headers=foreign, json=body).status_code == 403
    assert browser.call("POST", "/api/v1/keys", json=body).status_code == 201
    assert browser.call("POST", "/v1/chat/completions", json=chat_body(MODEL)).status_code == 200
    listed = browser.call("GET", "/api/v1/sessions").json()["data"]
    assert [row["current"] for row in listed].count(True) == 1
    ended = browser.call("DELETE", "/api/v1/sessions/current")
    assert (ended.status_code, "Max-Age=0" in ended.headers["set-cookie"]) == (204, True)
    assert browser.call("GET", "/api/v1/keys").status_code == 401
    assert browser.call("POST", "/v1/chat/completions", json=chat_body(MODEL)).status_code == 401


def test_signing_out_everywhere(headgate: Headgate, stack: Stack) -> None:
    """Browsers and apps, at once; keys are no sign-ins and go on."""
    browser, other = Browser(headgate, stack), Browser(headgate, stack)
    client, data = app(headgate, stack)
    assert chat(client) == 200
    assert browser.call("DELETE", "/api/v1/sessions/all").status_code == 204
    assert [each.call("GET", "/api/v1/sessions").status_code for each in (browser, other)] == [401, 401]
    assert (client.get("/api/v1/keys").status_code, chat(client)) == (401, 401)
    assert refreshed(headgate, data["refresh_token"]).status_code == 401
    assert chat(headgate) == 200
    assert chat(app(headgate, stack)[0]) == 200


@pytest.mark.parametrize("everyone", [False, True])
def test_the_operator_ends_sessions(headgate: Headgate, stack: Stack, everyone: bool) -> None:
    """Of one person, or of all: what `./headgate end-sessions` asks for holds at once, on both APIs."""
    browser, (client, data) = Browser(headgate, stack), app(headgate, stack)
    assert chat(client) == 200
    where = Asked(stack.base_url, stack.state.secrets()["HEADGATE_SECRET"])
    assert end_sessions(where, None if everyone else stack.admin_email) == 0
    assert browser.call("GET", "/api/v1/sessions").status_code == 401
    assert (client.get("/api/v1/keys").status_code, chat(client)) == (401, 401)
    assert refreshed(headgate, data["refresh_token"]).status_code == 401
    assert chat(headgate) == 200
    assert chat(app(headgate, stack)[0]) == 200
    with pytest.raises(ToolError, match="401"):
        end_sessions(replace(where, secret="x" * 32), None)


def test_secrets_of_sign_ins_are_stored_nowhere(headgate: Headgate, stack: Stack) -> None:
    """Neither the cookie's, nor a refresh token, nor an access token; the signing key only sealed."""
    browser, (_, data) = Browser(headgate, stack), app(headgate, stack)
    stored = stored_bytes(stack)
    for secret in (browser.cookie.partition("=")[2].partition(".")[0], data["refresh_token"], data["access_token"]):
        assert secret.encode() not in stored
    assert b'"d":' not in b"".join(line for line in stored.splitlines() if b'"crv"' in line)


def test_another_sites_page_may_not_ask(headgate: Headgate) -> None:
    """No list of origins, no permission. (The AI API answers the preflight of any: its keys may name origins.)"""
    headers = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    answer = headgate.http.options(f"{headgate.base_url}/api/v1/keys", headers=headers)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
