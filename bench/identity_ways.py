"""What people, apps and keys ask, to be told who they are: what the benchmark of identity compares."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import cast

from bench.load import Expected, Job
from bench.speed import Load
from bench.stage import Stage
from tools.ports import HOST
from tools.seed import Credentials

# As Cloudflare's edge writes it: the shield and the guard count by it.
CLIENT = {"cf-connecting-ip": "203.0.113.7"}
TOKENS, SESSIONS, ME = "/api/v1/tokens", "/api/v1/sessions", "/api/v1/me"
KEY, TOKEN, COOKIE = "key", "token", "cookie"


@dataclass(frozen=True)
class Way:
    """One request. `shows` is the credential that it carries, `refreshes` that each answer brings the next body."""

    name: str
    path: str
    method: str = "GET"
    shows: str = ""
    signs_in: bool = False
    refreshes: bool = False
    status: int = 200


SIGN_IN_TOKENS = Way("sign in, for tokens", TOKENS, "POST", signs_in=True)
SIGN_IN_SESSION = Way("sign in, for a session", SESSIONS, "POST", signs_in=True, status=201)
PASSWORD = Way("one password's Argon2id, alone", "/v1/bench/password")
REFRESH = Way("refresh", TOKENS, "POST", refreshes=True)
ME_TOKEN = Way(f"`GET {ME}` by access token", ME, shows=TOKEN)
ME_COOKIE = Way(f"`GET {ME}` by session cookie", ME, shows=COOKIE)

ANONYMOUS = Way("nobody is asked for", "/v1/bench/anonymous")
KEY_CACHED = Way("**API key, cached**", "/v1/bench/cached", shows=KEY)
# In the order in which they are told.
CALLERS = (
    ANONYMOUS,
    KEY_CACHED,
    Way("API key, cached, confirmed by its gate alone", "/v1/bench/confirmed", shows=KEY),
    Way("API key, from the store", "/v1/bench/stored", shows=KEY),
    Way("access token, cached", "/v1/bench/cached", shows=TOKEN),
    Way("access token, its signature verified, from the store", "/v1/bench/stored", shows=TOKEN),
    Way("session cookie, from the store", "/v1/bench/stored", shows=COOKIE),
)


@dataclass(frozen=True)
class People:
    """Accounts that there are, each in an organisation of its own; and what the first of them has signed in with."""

    accounts: Sequence[Credentials]
    token: str = field(repr=False)
    cookie: str = field(repr=False)


def sign_in(stage: Stage, accounts: Sequence[Credentials]) -> People:
    """Have each sign in once, so that its network is known; return them."""
    first, *_ = [_token(stage, account)["access_token"] for account in accounts]
    with _post(stage, SESSIONS, _password(accounts[0])) as answer:
        cookie = answer.headers["set-cookie"].partition(";")[0]
    return People(accounts, first, cookie)


def job(way: Way, load: Load, stage: Stage, people: People, milliseconds: int) -> Job:
    """Return the job. Where tokens are refreshed, each connection begins with a family of its own."""
    shown: Mapping[str, str] = {"cookie": people.cookie} if way.shows == COOKIE else {}
    return Job(
        port=stage.headgate.port,
        method=way.method,
        path=way.path,
        key={KEY: stage.headgate.key, TOKEN: people.token}.get(way.shows, ""),
        headers={**CLIENT, **shown},
        body="",
        bodies=_bodies(way, load, stage, people),
        carried="refresh_token" if way.refreshes else None,
        connections=load.connections,
        milliseconds=milliseconds,
        requests=None,
        pause=load.pause,
        expected=Expected(status=way.status),
    )


def _bodies(way: Way, load: Load, stage: Stage, people: People) -> list[str]:
    if way.signs_in:
        grant = {"grant_type": "password"} if way.path == TOKENS else {}
        return [json.dumps({**_password(account), **grant}) for account in people.accounts]
    if way.refreshes:
        families = [_token(stage, account)["refresh_token"] for account in people.accounts[: load.connections]]
        return [json.dumps({"grant_type": "refresh_token", "refresh_token": token}) for token in families]
    return []


def _password(account: Credentials) -> dict[str, str]:
    return {"email": account.admin_email, "password": account.admin_password}


def _token(stage: Stage, account: Credentials) -> dict[str, str]:
    with _post(stage, TOKENS, {**_password(account), "grant_type": "password"}) as answer:
        return dict(json.load(answer)["data"])


def _post(stage: Stage, path: str, body: Mapping[str, str]) -> HTTPResponse:
    request = urllib.request.Request(
        f"http://{HOST}:{stage.ports.headgate}{path}",
        json.dumps(body).encode(),
        {**CLIENT, "content-type": "application/json"},
    )
    return cast("HTTPResponse", urllib.request.urlopen(request, timeout=30))
