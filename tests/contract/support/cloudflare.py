"""A stand-in for Cloudflare's API, for the real wrangler: what `make deploy` asks of it, and no more.

As https://developers.cloudflare.com/api/ and wrangler's own source describe it. Its databases are SQLite.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tools.local_d1 import statements

Json = dict[str, Any]
ACCOUNT = "0123456789abcdef0123456789abcdef"
TOKEN = "a-token-of-the-stand-in"
SUBDOMAIN = "someone"


class Refused(Exception):
    """Cloudflare's error: a status, its code and its words."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Asked:
    found: re.Match[str]
    query: dict[str, list[str]]
    body: bytes
    content_type: str

    @property
    def json(self) -> Json:
        return dict(json.loads(self.body))

    def parts(self) -> dict[str, bytes]:
        """The parts of a form, by name."""
        head = f"content-type: {self.content_type}\r\n\r\n".encode()
        form = BytesParser().parsebytes(head + self.body)
        found = {}
        for part in form.get_payload():
            assert not isinstance(part, str)
            content = part.get_payload(decode=True)
            found[str(part.get_param("name", header="content-disposition"))] = bytes(content)
        return found


@dataclass
class Cloudflare:
    """An account with nothing in it. `changes` are the calls that were no questions, by method and path."""

    changes: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    accounts: list[Json] = field(default_factory=lambda: [{"id": ACCOUNT, "name": "Stand-in"}])
    databases: dict[str, sqlite3.Connection] = field(default_factory=dict)
    namespaces: dict[str, str] = field(default_factory=dict)
    buckets: list[str] = field(default_factory=list)
    queues: dict[str, list[Json]] = field(default_factory=dict)
    workers: dict[str, Json] = field(default_factory=dict)  # the newest version's metadata
    secrets: dict[str, str] = field(default_factory=dict)
    has_r2: bool = True
    hyperdrives: dict[str, Json] = field(default_factory=dict)
    crons: list[str] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def make_database(self, name: str) -> None:
        self.databases[name] = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self.databases[name].row_factory = sqlite3.Row

    def answer(self, method: str, target: str, body: bytes, content_type: str) -> Any:
        parts = urlsplit(target)
        path = unquote(parts.path).removeprefix("/client/v4").replace(f"/accounts/{ACCOUNT}", "")
        with self.lock:
            if method != "GET" and not path.endswith("/query"):
                self.changes.append(f"{method} {path}")
            for known, pattern, answer in ROUTES:
                if known == method and (found := re.fullmatch(pattern, path)):
                    return answer(self, Asked(found, parse_qs(parts.query), body, content_type))
            self.unknown.append(f"{method} {path}")
            raise Refused(404, 7003, f"Could not route to {path}")


def check_token(shown: str | None) -> None:
    if shown != f"Bearer {TOKEN}":
        raise Refused(403, 9109, "Invalid access token")


def whoami(account: Cloudflare, _asked: Asked) -> Any:
    return [{"account": each, "roles": []} for each in account.accounts]


def d1_list(account: Cloudflare, _asked: Asked) -> Any:
    return [{"uuid": identifier(name), "name": name, "version": "production"} for name in account.databases]


def d1_one(account: Cloudflare, asked: Asked) -> Any:
    wanted = asked.found[1]
    for name in account.databases:
        if wanted in (name, identifier(name)):
            return {"uuid": identifier(name), "name": name}
    raise Refused(404, 7404, f"The database {wanted} could not be found")


def d1_make(account: Cloudflare, asked: Asked) -> Any:
    name = str(asked.json["name"])
    if name in account.databases:
        raise Refused(400, 7502, "A database with this name exists already")
    account.make_database(name)
    return {"uuid": identifier(name), "name": name}


def d1_query(account: Cloudflare, asked: Asked) -> Any:
    """Each statement's rows; all or nothing."""
    database = account.databases[str(d1_one(account, asked)["name"])]
    return in_one(database, str(asked.json["sql"]))


def d1_import(account: Cloudflare, asked: Asked) -> Any:
    """A file: where to put it, then what came of it."""
    name, wish = str(d1_one(account, asked)["name"]), asked.json
    if wish["action"] == "init":
        filename = f"{wish['etag']}.sql"
        return {"success": True, "upload_url": f"{account.url}/upload/{filename}", "filename": filename}
    assert wish["action"] == "ingest"
    results = in_one(account.databases[name], account.uploads[wish["filename"]].decode())
    meta = {"duration": 1.0, "rows_read": 0, "rows_written": 0, "size_after": 0}
    done = {"num_queries": len(results), "final_bookmark": "1", "meta": meta}
    return {"success": True, "status": "complete", "messages": [], "at_bookmark": "1", "result": done}


def in_one(database: sqlite3.Connection, sql: str) -> list[Json]:
    database.execute("BEGIN")
    try:
        results = [[dict(row) for row in database.execute(statement)] for statement in statements(sql)]
    except sqlite3.Error as error:
        database.execute("ROLLBACK")
        raise Refused(400, 7500, str(error)) from error
    database.execute("COMMIT")
    return [{"results": rows, "success": True, "meta": {"duration": 1}} for rows in results]


def kv_list(account: Cloudflare, _asked: Asked) -> Any:
    return [{"id": key, "title": title} for title, key in account.namespaces.items()]


def kv_make(account: Cloudflare, asked: Asked) -> Any:
    title = str(asked.json["title"])
    return {"id": account.namespaces.setdefault(title, identifier(title).replace("-", "")), "title": title}


def r2_list(account: Cloudflare, _asked: Asked) -> Any:
    if not account.has_r2:
        raise Refused(403, 10042, "Please enable R2 through the Cloudflare Dashboard.")
    return {"buckets": [{"name": name, "creation_date": "2026-11-01T00:00:00Z"} for name in account.buckets]}


def r2_one(account: Cloudflare, asked: Asked) -> Any:
    if asked.found[1] not in account.buckets:
        raise Refused(404, 10006, "The specified bucket does not exist.")
    return {"name": asked.found[1]}


def r2_make(account: Cloudflare, asked: Asked) -> Any:
    account.buckets.append(str(asked.json["name"]))
    return {}


def queue_list(account: Cloudflare, asked: Asked) -> Any:
    wanted = asked.query.get("name", list(account.queues))
    return [queue(account, name) for name in account.queues if name in wanted]


def queue(account: Cloudflare, name: str) -> Json:
    consumers = account.queues[name]
    return {
        "queue_id": identifier(name),
        "queue_name": name,
        "consumers": consumers,
        "producers": [],
        "consumers_total_count": len(consumers),
        "producers_total_count": 0,
        "created_on": "2026-11-01T00:00:00Z",
        "settings": {},
    }


def queue_make(account: Cloudflare, asked: Asked) -> Any:
    name = str(asked.json["queue_name"])
    if name in account.queues:
        raise Refused(409, 11009, f"Queue name '{name}' is already taken")
    account.queues[name] = []
    return queue(account, name)


def consumer(account: Cloudflare, asked: Asked) -> Any:
    wish = asked.json
    if (dead := wish.get("dead_letter_queue")) and dead not in account.queues:
        raise Refused(400, 100_127, f"Queue {dead} not found")
    [name] = [name for name in account.queues if identifier(name) == asked.found[1]]
    account.queues[name] = [{**wish, "consumer_id": "c1", "script": wish["script_name"]}]
    return account.queues[name][0]


def hyperdrive(account: Cloudflare, asked: Asked) -> Any:
    if asked.found[1] not in account.hyperdrives:
        raise Refused(404, 2009, "Hyperdrive config not found")
    return {"id": asked.found[1], "name": "headgate", "caching": account.hyperdrives[asked.found[1]]}


def known(account: Cloudflare, asked: Asked) -> Json:
    if asked.found[1] not in account.workers:
        raise Refused(404, 10007, "This Worker does not exist on your account.")
    return account.workers[asked.found[1]]


def service(account: Cloudflare, asked: Asked) -> Any:
    known(account, asked)
    script = {"tag": "tag", "tags": [], "last_deployed_from": "wrangler", "migration_tag": "v2"}
    return {"default_environment": {"environment": "production", "script": script}}


def settings(account: Cloudflare, asked: Asked) -> Any:
    return {"bindings": known(account, asked)["bindings"], "tags": []}


def secret_list(account: Cloudflare, asked: Asked) -> Any:
    known(account, asked)
    return [{"name": name, "type": "secret_text"} for name in sorted(account.secrets)]


def upload(account: Cloudflare, asked: Asked) -> Any:
    """A new version: its bindings lead to what is there, or are those of the last version."""
    metadata = json.loads(asked.parts()["metadata"])
    before = {each["name"]: each for each in account.workers.get(asked.found[1], {}).get("bindings", [])}
    bindings = []
    for binding in metadata["bindings"]:
        if binding["type"] == "inherit" and binding["name"] not in before:
            raise Refused(400, 10021, f"{binding['name']} can't be inherited")
        if binding["type"] == "secret_text":
            account.secrets[binding["name"]] = binding["text"]
        bindings.append(before[binding["name"]] if binding["type"] == "inherit" else binding)
    account.workers[asked.found[1]] = {**metadata, "bindings": bindings}
    script = {"etag": "e", "id": asked.found[1]}
    return {"id": "1" * 32, "deployment_id": "1" * 32, "startup_time_ms": 5, "resources": {"script": script}, **script}


def no_deployments(account: Cloudflare, asked: Asked) -> Any:
    known(account, asked)
    return {"deployments": []}


def schedules(account: Cloudflare, asked: Asked) -> Any:
    account.crons = [str(each["cron"]) for each in json.loads(asked.body)]
    return {"schedules": json.loads(asked.body)}


def same(answer: Any) -> Callable[[Cloudflare, Asked], Any]:
    return lambda _account, _asked: answer


def identifier(name: str) -> str:
    text = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


SCRIPT = r"/workers/scripts/([^/]+)"
ROUTES: list[tuple[str, str, Callable[[Cloudflare, Asked], Any]]] = [
    ("GET", "/user/tokens/verify", same({"id": "t", "status": "active"})),
    ("GET", "/user", same({"email": "you@example.com"})),
    ("GET", "/memberships", whoami),
    ("GET", "/accounts", lambda account, _asked: account.accounts),
    ("GET", "/d1/database", d1_list),
    ("POST", "/d1/database", d1_make),
    ("GET", "/d1/database/([^/]+)", d1_one),
    ("POST", "/d1/database/([^/]+)/query", d1_query),
    ("POST", "/d1/database/([^/]+)/import", d1_import),
    ("GET", "/storage/kv/namespaces", kv_list),
    ("POST", "/storage/kv/namespaces", kv_make),
    ("GET", "/r2/buckets", r2_list),
    ("GET", "/r2/buckets/([^/]+)", r2_one),
    ("POST", "/r2/buckets", r2_make),
    ("GET", "/queues", queue_list),
    ("POST", "/queues", queue_make),
    ("POST", "/queues/([^/]+)/consumers", consumer),
    ("PUT", "/queues/([^/]+)/consumers/[^/]+", consumer),
    ("GET", "/hyperdrive/configs/([^/]+)", hyperdrive),
    ("GET", "/workers/services/([^/]+)", service),
    ("GET", SCRIPT, known),
    ("GET", f"{SCRIPT}/settings", settings),
    ("GET", f"{SCRIPT}/secrets", secret_list),
    ("GET", f"{SCRIPT}/deployments", no_deployments),
    ("POST", f"{SCRIPT}/deployments", same({})),
    ("PUT", SCRIPT, upload),
    ("POST", f"{SCRIPT}/versions", upload),
    ("PATCH", f"{SCRIPT}/script-settings", same({})),
    ("PUT", f"{SCRIPT}/schedules", schedules),
    ("GET", "/workers/workers/([^/]+)", same({"subdomain": {"enabled": True, "previews_enabled": False}})),
    ("GET", f"{SCRIPT}/subdomain", same({"enabled": True, "previews_enabled": False})),
    ("POST", f"{SCRIPT}/subdomain", same({"enabled": True, "previews_enabled": False})),
    ("GET", "/workers/subdomain", same({"subdomain": SUBDOMAIN})),
]


@contextmanager
def running() -> Iterator[Cloudflare]:
    """An account whose API answers at `url`."""
    account = Cloudflare()

    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.path.startswith("/upload/"):
                account.uploads[self.path.rpartition("/")[2]] = body
                etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
                self.reply(200, b"", ("etag", f'"{etag}"'))
                return
            status, result, errors = 200, None, []
            try:
                check_token(self.headers.get("authorization"))
                result = account.answer(self.command, self.path, body, self.headers.get("content-type") or "")
            except Refused as refusal:
                status, errors = refusal.status, [{"code": refusal.code, "message": str(refusal)}]
            count = len(result) if isinstance(result, list) else 1
            info = {"page": 1, "per_page": 100, "count": count, "total_count": count, "total_pages": 1}
            said = {"success": not errors, "errors": errors, "messages": [], "result": result, "result_info": info}
            self.reply(status, json.dumps(said).encode(), ("content-type", "application/json"))

        def reply(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
            self.send_response(status)
            for name, value in (*headers, ("content-length", str(len(body)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do  # noqa: N815 - the names that the server calls

        def log_message(self, *_: object) -> None:
            """Be silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    account.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield account
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
