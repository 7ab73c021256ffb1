"""A person's browser, as far as signing in needs one: it keeps each site's cookies, and follows where it is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

MOST_REDIRECTS = 12


@dataclass
class Browser:
    """Secure cookies are kept for this machine's addresses too, as browsers do; httpx's own jar would not."""

    http: httpx.Client
    base_url: str
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)
    crossing: set[str] = field(default_factory=set)  # names of cookies that go with another site's POST
    visited: list[str] = field(default_factory=list)

    def ask(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, crosses: bool = False, **more: Any
    ) -> httpx.Response:
        """Send one request, and keep the cookies of its answer. A path is Headgate's."""
        url = urljoin(self.base_url, url)
        self.visited.append(url)
        jar = self.cookies.setdefault(urlsplit(url).netloc, {})
        kept = {name: value for name, value in jar.items() if not crosses or name in self.crossing}
        sent = {"cookie": "; ".join(f"{name}={value}" for name, value in kept.items())} if kept else {}
        answer = self.http.request(method, url, headers={**sent, **(headers or {})}, follow_redirects=False, **more)
        self.http.cookies.clear()  # it would show every browser's to every other
        for text in answer.headers.get_list("set-cookie"):
            name, value = text.partition(";")[0].split("=", 1)
            (self.crossing.add if "samesite=none" in text.lower() else self.crossing.discard)(name)
            gone = not value or "max-age=0" in text.lower() or "expires=thu, 01 jan 1970" in text.lower()
            jar.pop(name, None) if gone else jar.update({name: value})
        return answer

    def follow(self, answer: httpx.Response, *, until: str = "") -> httpx.Response:
        """Go where an answer sends the browser, until it has arrived, or would go to an address with `until` in it."""
        for _ in range(MOST_REDIRECTS):
            target = answer.headers.get("location", "")
            if not answer.is_redirect or (until and until in target):
                return answer
            answer = self.ask("GET", urljoin(str(answer.url), target))
        raise AssertionError(f"sent around in a circle: {self.visited}")

    def submit(self, page: httpx.Response) -> httpx.Response:
        """Post the one form of a page to another site, as its script does."""
        action = re.search(r'action="([^"]+)"', page.text)
        assert action, page.text
        fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', page.text))
        data = {name: unescape(value) for name, value in fields.items()}
        return self.ask("POST", unescape(action[1]), data=data, crosses=True)

    def csrf(self) -> dict[str, str]:
        """The header that a change by cookie needs."""
        session = self.ask("GET", "/api/v1/sessions/current").json()["data"]
        return {"x-csrf-token": session["csrf_token"], "origin": self.base_url}

    def user_id(self) -> str | None:
        """Who is signed in here, if anybody."""
        answer = self.ask("GET", "/api/v1/sessions/current")
        return answer.json()["data"]["user_id"] if answer.status_code == 200 else None
