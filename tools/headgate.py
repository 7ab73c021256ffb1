"""The command line: ./headgate migrate, seed, reconcile, end-sessions, verify-ledger, verify-audit, secret-status."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.config import ConfigError, older_secrets
from tools import secret_status, verify_audit
from tools.d1_target import D1Target
from tools.doctor import doctor, site_of
from tools.end_sessions import end_sessions
from tools.migrate import seed
from tools.migrations import Condition, Line, Target, quoted
from tools.overlay import read_overlay, write_configuration
from tools.postgres import KEPT, PROGRAMS, Postgres
from tools.postgres_access import Access
from tools.postgres_target import PostgresTarget
from tools.project import ROOT, ToolError
from tools.reconcile import reconcile
from tools.seed import (
    ADMIN_EMAIL,
    LINK_HOURS,
    as_json,
    checked_email,
    first_access,
    link_statements,
    new_link,
    required_secret,
    statements,
)
from tools.setup import set_up
from tools.state import STORES, State, Store, store_named
from tools.verify_ledger import asked, local_credentials, verify

ABOUT = """\
Change and seed Headgate's database, and verify its ledger and its audit log.

Which one: --store, or the variable STORE, says d1 (the default) or postgres. D1 is the local database in the folder
--state, or with --remote the one at
Cloudflare that wrangler.toml names, with deploy.toml over it. PostgreSQL is the one at DATABASE_URL
(postgresql://user:password@host:5432/database, as the owner of the tables), or without that variable the local one in
--state, which is started for the run.
"""
MIGRATE = "Apply, undo or list the migrations. docs/migrations.md tells how to write one."
SEED = """\
Make the first organisation, its administrator and an API key, and print them once. A database that has them already is
not changed. For a database that is not in --state, HEADGATE_SECRET must be the deployment's own; and its administrator
gets no password but a link to choose one, which a second run makes anew for as long as none is chosen.
"""
LINK = f"Open `set_password` below the deployment's address: it works once, within {LINK_HOURS} hours."
VERIFY = """\
Ask a running Headgate whether each budget's counter is the sum of its records, for all organisations. Exits with 0 only
where all agree. docs/ledger.md tells what is compared. Needs the deployment's HEADGATE_SECRET, or a local --state.
"""
RECONCILE = """\
After the database was restored to an earlier day: have the gates of a running Headgate read its rules anew, and write
the calls that its ledger has lost into it again, as far as the gates remember them (a day). Then compare, as
verify-ledger does. Doing it again changes nothing. docs/backup.md tells who wins. Needs the deployment's
HEADGATE_SECRET, or a local --state.
"""
ENDING = """\
Sign a person, or everybody, out of a running Headgate: all sessions and all tokens of apps end at once. API keys stay.
It is noted in each person's log. Needs the deployment's HEADGATE_SECRET, or a local --state.
"""
AUDIT = """\
Read the audit logs of all organisations and people, and tell which rows were changed, removed, inserted or moved, and
which logs were emptied. Exits with 0 only where all are as they were written. Rows that were cut off at the end show
only beside an earlier run: keep what --json prints, and give it to --heads. Needs the deployment's HEADGATE_SECRET, or
a local --state, which may be in use meanwhile.
"""
EXAMINING = """\
Ask a running Headgate from outside what its users would meet: whether it is ready and how far its parts are, whether
prompts with SQL and <script> reach it, whether streams are held back, whether an ended key is refused at once, and
more; and say of each what to do. Exits with 1 where something has failed. With a key in HEADGATE_KEY (never on the
command line) more is asked: two short answers of --model are paid for.
"""
ROTATING = """\
Tell how much still hangs on the secret that HEADGATE_SECRET was before, and ends when HEADGATE_SECRET_PREVIOUS goes.
Exits with 0 only where nothing does. docs/rotation.md tells how a secret is rotated. Needs the new HEADGATE_SECRET, or
a local --state, which may be in use meanwhile.
"""


@dataclass(frozen=True)
class Place:
    """The database that a run works on. No state: it is not a local one."""

    target: Target
    state: State | None
    name: str


class _Exact(argparse.ArgumentParser):
    """Takes no shortened option, which may be a typo of another: `--rem` is refused."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)


def parser() -> argparse.ArgumentParser:
    plain = argparse.RawDescriptionHelpFormatter
    which = _Exact(add_help=False)
    which.add_argument("--store", choices=STORES, help="d1 or postgres (default: STORE, else d1)")
    which.add_argument("--remote", action="store_true", help="the D1 database at Cloudflare")
    which.add_argument(
        "--state", metavar="FOLDER", help="the folder of local data (default: STATE, else .wrangler/state)"
    )

    top = _Exact(prog="headgate", description=ABOUT, formatter_class=plain)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    migrate = commands.add_parser("migrate", help="apply, undo or list the migrations", description=MIGRATE)
    actions = migrate.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("up", parents=[which], help="apply all that are pending")
    down = actions.add_parser("down", parents=[which], help="undo the last")
    down.add_argument("--steps", type=int, default=1, metavar="N", help="how many (default: 1)")
    down.add_argument("--yes", action="store_true", help="yes, data may be lost: needed unless the database is local")
    status = actions.add_parser("status", parents=[which], help="list them")
    status.add_argument("--check", action="store_true", help="exit with 1 unless all are applied as they are here")
    seeding = commands.add_parser(
        "seed", parents=[which], help="make the first organisation", description=SEED, formatter_class=plain
    )
    seeding.add_argument("--email", help=f"the administrator's (default: ADMIN_EMAIL, else {ADMIN_EMAIL})")
    verifying = commands.add_parser(
        "verify-ledger", help="compare counters with records", description=VERIFY, formatter_class=plain
    )
    verifying.add_argument("--json", action="store_true", help="print all that was found, for programs")
    reconciling = commands.add_parser(
        "reconcile", help="after a restore: gates and database", description=RECONCILE, formatter_class=plain
    )
    reconciling.add_argument("--json", action="store_true", help="print what was done, for programs")
    ending = commands.add_parser("end-sessions", help="sign people out", description=ENDING, formatter_class=plain)
    whose = ending.add_mutually_exclusive_group(required=True)
    whose.add_argument("--email", metavar="ADDRESS", help="of one person")
    whose.add_argument("--everyone", action="store_true", help="of all people")
    for command in (verifying, reconciling, ending):
        command.add_argument("--url", help="where it is (default: what `make dev` runs)")
        command.add_argument(
            "--state", metavar="FOLDER", help="whose secret to use (default: STATE, else .wrangler/state)"
        )
    examining = commands.add_parser(
        "doctor", help="ask from outside whether all is well", description=EXAMINING, formatter_class=plain
    )
    examining.add_argument("url", metavar="URL", nargs="?", help="where it is (default: what `make dev` runs)")
    examining.add_argument("--model", default="", help="one that the key may call, and that takes a second or two")
    examining.add_argument("--json", action="store_true", help="print what was found, for programs")
    auditing = commands.add_parser(
        "verify-audit", parents=[which], help="verify the audit log", description=AUDIT, formatter_class=plain
    )
    auditing.add_argument("--heads", metavar="FILE", help="what an earlier run with --json has printed")
    auditing.add_argument("--json", action="store_true", help="print what was found, for programs")
    rotating = commands.add_parser(
        "secret-status",
        parents=[which],
        help="what hangs on an old secret",
        description=ROTATING,
        formatter_class=plain,
    )
    rotating.add_argument("--since", metavar="TIME", required=True, help="when the new secret was deployed")
    rotating.add_argument("--json", action="store_true", help="print the numbers, for programs")
    return top


@contextmanager
def place_of(options: argparse.Namespace, environment: Mapping[str, str], *, reading: bool = False) -> Iterator[Place]:
    """The database that was asked for; a local one is ours alone until the end, unless we are only `reading`.

    Raises ToolError.
    """
    store = store_named(options.store or environment.get("STORE") or "d1")
    url = environment.get("DATABASE_URL") if store == "postgres" else None
    if options.remote and store == "postgres":
        raise ToolError("--remote is for D1: a PostgreSQL elsewhere is named by DATABASE_URL.")
    if (options.remote or url) and options.state:
        raise ToolError("--state names a local database, and this one is not: leave one of the two out.")
    if options.remote:
        configuration = write_configuration(read_overlay("d1"), "d1")
        yield Place(D1Target.remote(configuration), None, "D1 at Cloudflare")
    elif url:
        yield Place(PostgresTarget(url), None, "PostgreSQL at DATABASE_URL")
    else:
        folder = options.state or environment.get("STATE") or ROOT / ".wrangler" / "state"
        state = State(Path(folder).expanduser())
        with _running(state, store) if reading and _in_use(state) else _local(state, store) as place:
            yield place


def _in_use(state: State) -> bool:
    try:
        state.hold()
    except ToolError:
        return True
    state.release()
    return False


@contextmanager
def _running(state: State, store: Store) -> Iterator[Place]:
    """The database of a Headgate that runs: beside it one may read."""
    if store == "d1":
        yield Place(D1Target.local(state), state, f"D1 in {state.folder}")
        return
    access = Access.read(state.postgres / KEPT)
    if access is None:
        raise ToolError(f"{state.folder} has no PostgreSQL yet.")
    yield Place(PostgresTarget(access.owner_url), state, f"PostgreSQL in {state.folder}")


@contextmanager
def _local(state: State, store: Store) -> Iterator[Place]:
    state.hold()
    try:
        if store == "d1":
            yield Place(D1Target.local(state), state, f"D1 in {state.folder}")
            return
        server = _server(state)
        try:
            server.start()
            yield Place(PostgresTarget(server.owner_url), state, f"PostgreSQL in {state.folder}")
        finally:
            server.stop()
    finally:
        state.release()


def _server(state: State) -> Postgres:
    if not (PROGRAMS / "postgres").is_file():
        with redirect_stdout(sys.stderr):
            set_up(postgres=True)

    def on_line(line: str, _stream: int) -> None:  # where `make dev` writes it too
        with state.log.open("a", encoding="utf-8") as log:
            log.write(f"postgres: {line}\n")

    return Postgres(state.postgres, on_line)


def up(place: Place) -> int:
    names = place.target.up()
    for name in names:
        print(f"applied {name}")
    if not names:
        print(f"{place.name} is up to date.")
    return 0


def down(place: Place, steps: int, *, yes: bool) -> int:
    if place.state is None and not yes:  # an address on this machine may be a tunnel to production
        raise ToolError(f"going back loses data in {place.name}: say --yes if that is what you want.")
    names = place.target.down(steps)
    for name in names:
        print(f"undid {name}")
    if not names:
        print(f"{place.name} has no migrations to undo.")
    return 0


def table(lines: Sequence[Line]) -> str:
    rows = [("NAME", "APPLIED AT", "STATE"), *((line.name, line.applied_at or "-", line.condition) for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{name:{widths[0]}}  {moment:{widths[1]}}  {state}" for name, moment, state in rows)


def status(place: Place, *, check: bool) -> int:
    lines = place.target.status()
    print(table(lines))
    return int(check and any(line.condition is not Condition.APPLIED for line in lines))


def seed_place(place: Place, email: str | None) -> int:
    chosen = checked_email(email or os.environ.get("ADMIN_EMAIL") or ADMIN_EMAIL)
    if place.state is not None:
        made, new = seed(place.state, place.target, chosen)
        if new:
            print(as_json(made), end="")
        else:
            print(f"{place.name} has organisation {made.org_id} already: see {place.state.credentials}.")
        return 0
    seed_elsewhere(place, chosen, required_secret(os.environ))
    return 0


def seed_elsewhere(place: Place, chosen: str, secret: str) -> str | None:
    """Seed a database that is not in a local state; return the key where one was made."""
    if place.target.rows(f"SELECT id FROM users WHERE email = {quoted(chosen)}"):
        link_again(place, chosen, secret)
        return None
    access = first_access(chosen)
    # Before the database changes: a run that is killed now leaves nothing behind but these lines, and never a key that
    # nobody has seen.
    print(as_json(access), end="", flush=True)
    place.target.execute(statements(access, secret))
    print(f"{place.name} knows these credentials now. They are shown only this once.\n{LINK}", file=sys.stderr)
    return access.api_key


def link_again(place: Place, email: str, secret: str) -> None:
    """Make another link for an account that has no way in yet: the first may have ended unused."""
    without = (
        f"SELECT id FROM users WHERE email = {quoted(email)} AND password_hash IS NULL AND deleted_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM logins WHERE logins.user_id = users.id)"
    )
    found = place.target.rows(without)
    if not found:
        print(f"{place.name} has an account for {email} already: nothing was changed.")
        return
    link = new_link()
    print(json.dumps({"admin_email": email, "set_password": link}, indent=2), flush=True)
    place.target.execute(link_statements(str(found[0]["id"]), email, link, secret))
    print(f"The account for {email} has no password yet: this is its only link now.\n{LINK}", file=sys.stderr)


def secret_of(place: Place) -> str:
    """Return the deployment's secret. Raises ToolError."""
    if place.state is not None and "HEADGATE_SECRET" not in os.environ:
        return place.state.secrets()["HEADGATE_SECRET"]
    return required_secret(os.environ)


def verify_place(place: Place, options: argparse.Namespace) -> int:
    store: Store = "postgres" if isinstance(place.target, PostgresTarget) else "d1"
    secret = secret_of(place)
    try:
        older = older_secrets(os.environ.get("HEADGATE_SECRET_PREVIOUS", ""), secret)
    except ConfigError as error:
        raise ToolError(str(error)) from None
    return verify_audit.verify(place.target, store, secret, heads=options.heads, as_json=options.json, older=older)


def ask_running(options: argparse.Namespace) -> int:
    """Do what a running Headgate is asked for. Raises ToolError."""
    where = asked(options.url, options.state, os.environ)
    if options.command == "end-sessions":
        return end_sessions(where, options.email)
    return (reconcile if options.command == "reconcile" else verify)(where, as_json=options.json)


def examined(options: argparse.Namespace) -> int:
    """Ask from outside; what `make dev` runs with its own key. Raises ToolError."""
    if options.url:
        site = site_of(options.url, os.environ.get("HEADGATE_KEY", ""), options.model)
    else:
        local = local_credentials(os.environ)
        site = site_of(str(local["base_url"]), str(local["api_key"]), options.model or "sim/chat-chunks40-gap25")
    return doctor(site, as_json=options.json)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    if options.command in ("verify-ledger", "reconcile", "end-sessions"):
        return ask_running(options)
    if options.command == "doctor":
        return examined(options)
    reading = options.command in ("verify-audit", "secret-status")
    with place_of(options, os.environ, reading=reading) as place:
        if options.command == "verify-audit":
            return verify_place(place, options)
        if options.command == "secret-status":
            return secret_status.status(place.target, secret_of(place), options.since, as_json=options.json)
        if options.command == "seed":
            return seed_place(place, options.email)
        if options.action == "up":
            return up(place)
        if options.action == "down":
            return down(place, options.steps, yes=options.yes)
        return status(place, check=options.check)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ToolError as error:
        sys.exit(f"headgate: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
