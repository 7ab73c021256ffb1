"""Identity providers on this machine: a real OpenID one (npm: oidc-provider), and GitHub as it documents itself."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tools import node
from tools.child_server import ChildServer
from tools.project import ROOT

CLIENT_ID = "headgate"
CLIENT_SECRET = "the-secret-of-headgate-:/+"


class Issuer(ChildServer):
    """Starts an OpenID provider with one client, on a free port. See issuer.ts."""

    def __init__(self, redirect_uri: str, *options: str, on_line: Callable[[str, int], None]) -> None:
        found = node.find()
        script = str(ROOT / "tests" / "e2e" / "support" / "issuer.ts")
        command = [str(found.node), script, "--redirect-uri", redirect_uri, "--client-secret", CLIENT_SECRET, *options]
        super().__init__("issuer", command, {**node.environment(found), "NODE_NO_WARNINGS": "1"}, on_line)


class Github:
    """GitHub's web flow and the two calls of its API, as docs.github.com tells them. `people` are its users by login.

    It checks what GitHub does: the client, the redirect address, the code (once) and the verifier (S256).
    """

    def __init__(self, redirect_uri: str) -> None:
        self.redirect_uri = redirect_uri
        self.people: dict[str, dict[str, Any]] = {}
        self.signed_in = ""  # the login of whoever uses the browser there
        self.codes: dict[str, tuple[str, str]] = {}  # whose code, for which challenge
        self.tokens: dict[str, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Github:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, login: str, *, verified: bool = True) -> str:
        """Make a user; return its primary address."""
        email = f"{login}@people.example"
        other = {"email": f"{login}@users.noreply.github.com", "primary": False, "verified": True, "visibility": None}
        primary = {"email": email, "primary": True, "verified": verified, "visibility": "private"}
        user = {"login": login, "id": 10_000 + len(self.people), "name": None, "email": None, "type": "User"}
        self.people[login] = {"user": user, "emails": [other, primary]}
        return email

    def authorize(self, asked: dict[str, str]) -> str:
        """Return where the browser goes: back, with a code."""
        known = asked["client_id"] == CLIENT_ID and asked["redirect_uri"] == self.redirect_uri
        if not known or asked["code_challenge_method"] != "S256" or "user:email" not in asked["scope"]:
            return f"{self.url}/404"
        code = secrets.token_hex(10)
        self.codes[code] = (self.signed_in, asked["code_challenge"])
        return f"{self.redirect_uri}?{urlencode({'code': code, 'state': asked['state']})}"

    def exchange(self, form: dict[str, str]) -> dict[str, str]:
        """Return a token, or GitHub's error, which comes with status 200 too."""
        login, challenge = self.codes.pop(form["code"], ("", ""))
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        shown = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        client = (form["client_id"], form["client_secret"], form["redirect_uri"])
        if shown != challenge or client != (CLIENT_ID, CLIENT_SECRET, self.redirect_uri):
            return {"error": "bad_verification_code", "error_description": "The code passed is incorrect or expired."}
        token = f"gho_{secrets.token_hex(18)}"
        self.tokens[token] = login
        return {"access_token": token, "scope": "read:user,user:email", "token_type": "bearer"}


def _handler(github: Github) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            if address.path == "/login/oauth/authorize":
                self._answer(302, {}, location=github.authorize(dict(parse_qsl(address.query))))
                return
            login = github.tokens.get(self.headers.get("authorization", "").removeprefix("Bearer "))
            what = {"/user": "user", "/user/emails": "emails"}.get(address.path)
            if login is None or what is None or not self.headers.get("user-agent"):
                self._answer(401 if what else 404, {"message": "Bad credentials"})
                return
            self._answer(200, github.people[login][what])

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            self._answer(200, github.exchange(dict(parse_qsl(self.rfile.read(length).decode()))))

        def _answer(self, status: int, body: object, **headers: str) -> None:
            text = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {
                "content-type": "application/json",
                "content-length": str(len(text)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
