"""The local PostgreSQL, by a real server: it ends well, ends badly, starts again, and says why it cannot."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pg8000.exceptions import DatabaseError
from pg8000.native import Connection

from tools.children import children, command_name
from tools.ports import HOST
from tools.postgres import Postgres
from tools.project import ROOT, ToolError


def quiet(_line: str, _stream: int) -> None:
    """Nobody reads the log."""


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    parts = urlsplit(url)
    assert parts.username
    where = {"host": parts.hostname, "port": parts.port, "database": parts.path[1:], "password": parts.password}
    with closing(Connection(parts.username, timeout=10, **where)) as connection:
        yield connection


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    server = Postgres(tmp_path / "private" / "server", quiet)
    server.folder.parent.mkdir(mode=0o700)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = Postgres(tmp_path_factory.mktemp("postgres"), quiet)
    server.start()
    yield server
    server.stop()


def wait_until_ended(*pids: int) -> None:
    deadline = time.monotonic() + 10
    while any(command_name(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def write_a_row(server: Postgres) -> None:
    with connected(server.owner_url) as connection:
        connection.run("CREATE TABLE notes (note text)")
        connection.run("INSERT INTO notes VALUES ('kept')")


def rows(server: Postgres) -> object:
    with connected(server.owner_url) as connection:
        return connection.run("SELECT note FROM notes")


def test_what_was_committed_outlives_a_stop_and_a_crash_on_the_same_port(postgres: Postgres) -> None:
    postgres.start()
    first = (postgres.port, postgres.owner_url, postgres.worker_url, postgres.superuser_url)
    write_a_row(postgres)

    for end in (postgres.stop, postgres.kill, postgres.kill):
        end()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((HOST, postgres.port), timeout=5)
        postgres.start()
        assert rows(postgres) == [["kept"]]

    assert (postgres.port, postgres.owner_url, postgres.worker_url, postgres.superuser_url) == first


def test_another_run_finds_the_data_the_port_and_the_passwords(postgres: Postgres) -> None:
    postgres.start()
    write_a_row(postgres)
    postgres.stop()

    again = Postgres(postgres.folder, quiet)
    again.start()
    try:
        assert (again.owner_url, again.worker_url) == (postgres.owner_url, postgres.worker_url)
        assert rows(again) == [["kept"]]
    finally:
        again.stop()


def test_another_run_whose_port_is_taken_gets_another(postgres: Postgres) -> None:
    postgres.start()
    postgres.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((HOST, postgres.port))
        other.listen()

        again = Postgres(postgres.folder, quiet)
        again.start()
        again.stop()

        assert again.port != postgres.port
        assert Postgres(postgres.folder, quiet).port == again.port


def test_starting_twice_is_starting_once(shared: Postgres) -> None:
    with connected(shared.owner_url) as connection:
        shared.start()
        assert connection.run("SELECT 1") == [[1]]


def test_a_second_server_over_the_same_data_is_refused(shared: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.postgres.DYING_SECONDS", 0.3)

    with pytest.raises(ToolError, match="runs already"):
        Postgres(shared.folder, quiet).start()

    with connected(shared.owner_url) as connection:
        assert connection.run("SELECT 1") == [[1]]


def test_a_first_start_that_was_cut_short_begins_anew(postgres: Postgres) -> None:
    """Without what is kept last, nobody knows the passwords: a half-made database is of no use to anyone."""
    postgres.start()
    postgres.stop()
    (postgres.folder / "server.json").unlink()

    again = Postgres(postgres.folder, quiet)
    again.start()
    try:
        assert again.owner_url != postgres.owner_url
        with connected(again.owner_url) as connection:
            assert connection.run("SELECT 1") == [[1]]
    finally:
        again.stop()


def test_a_number_that_a_crash_left_and_another_program_got_does_not_stop_it(postgres: Postgres) -> None:
    postgres.start()
    write_a_row(postgres)
    postgres.kill()
    file = postgres.folder / "data" / "postmaster.pid"
    _, _, rest = file.read_text().partition("\n")
    with subprocess.Popen(["sleep", "60"], user=file.stat().st_uid) as other:
        try:
            file.write_text(f"{other.pid}\n{rest}")
            postgres.start()
            assert rows(postgres) == [["kept"]]
        finally:
            other.kill()


def test_a_stop_is_in_order_also_with_a_client_and_a_kill_is_not(tmp_path: Path) -> None:
    lines: list[str] = []
    server = Postgres(tmp_path / "server", lambda line, _stream: lines.append(line))

    def said(words: str) -> bool:
        return any(words in line for line in lines)

    server.start()
    with connected(server.worker_url):
        before = time.monotonic()
        server.stop()
    assert time.monotonic() - before < 10
    assert said("database system is shut down")
    server.start()
    assert not said("not properly shut down")
    server.kill()
    server.start()
    server.stop()
    assert said("not properly shut down")


def test_a_crash_leaves_no_process(postgres: Postgres) -> None:
    postgres.start()
    with connected(postgres.superuser_url) as connection:
        query = "SELECT pid FROM pg_stat_activity"
        found = [int(row[0]) for row in connection.run(query) or []]
        assert len(found) > 1
        assert {command_name(pid) for pid in found} == {"postgres"}

        postgres.kill()

    wait_until_ended(*found)
    postgres.start()  # so that its end in order gives back the shared memory


def test_the_passwords_are_in_files_of_their_owner_alone(shared: Postgres) -> None:
    secrets = [urlsplit(url).password or "" for url in (shared.owner_url, shared.worker_url, shared.superuser_url)]

    assert len({*secrets}) == 3
    assert all(len(secret) == 32 for secret in secrets)
    assert sorted(path.name for path in shared.folder.iterdir()) == ["data", "server.json"]
    assert stat.S_IMODE((shared.folder / "server.json").stat().st_mode) == 0o600
    assert stat.S_IMODE((shared.folder / "data").stat().st_mode) == 0o700


def test_a_wrong_password_is_refused(shared: Postgres) -> None:
    secret = urlsplit(shared.worker_url).password or ""

    with (
        pytest.raises(DatabaseError, match="password authentication failed"),
        connected(shared.worker_url.replace(secret, "wrong")),
    ):
        pass


def test_the_owner_owns_the_database_and_is_no_superuser(shared: Postgres) -> None:
    with connected(shared.owner_url) as connection:
        connection.run("CREATE TABLE owned (id bigint)")
        connection.run("GRANT SELECT ON owned TO headgate_app")
        connection.run("CREATE ROLE another NOLOGIN")
        flags = "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        assert connection.run(flags) == [[False, False, True, False]]
        connection.run("DROP ROLE another")
        connection.run("DROP TABLE owned")


def test_the_worker_reads_what_the_group_may_and_makes_nothing(shared: Postgres) -> None:
    with connected(shared.owner_url) as owner:
        owner.run("CREATE TABLE granted (id bigint)")
        owner.run("CREATE TABLE kept_back (id bigint)")
        owner.run("GRANT SELECT ON granted TO headgate_app")
    with connected(shared.worker_url) as worker:
        flags = "SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        assert worker.run(flags) == [[False, False, False]]
        assert worker.run("SELECT * FROM granted") == []
        for refused in ("SELECT * FROM kept_back", "CREATE TABLE own (id bigint)", "CREATE SCHEMA own"):
            with pytest.raises(DatabaseError, match="permission denied"):
                worker.run(refused)
    with connected(shared.owner_url) as owner:
        owner.run("DROP TABLE granted, kept_back")


def test_it_is_made_for_text_of_all_kinds_and_listens_here_only(shared: Postgres) -> None:
    with connected(shared.superuser_url) as connection:
        shown = {name: connection.run(f"SHOW {name}") for name in ("server_encoding", "listen_addresses", "fsync")}
        assert shown == {"server_encoding": [["UTF8"]], "listen_addresses": [[HOST]], "fsync": [["on"]]}
        assert connection.run("SHOW unix_socket_directories") == [[""]]
        assert connection.run("SHOW password_encryption") == [["scram-sha-256"]]
        assert connection.run("SHOW max_connections") == [["500"]]


STARTS_AND_WAITS = """
import sys, time
from pathlib import Path
from tools.postgres import Postgres
server = Postgres(Path(sys.argv[1]), lambda line, stream: None)
server.start()
print(server._process.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a program can't be tied to its parent")
def test_it_dies_with_its_parent_and_starts_again(postgres: Postgres) -> None:
    command = [sys.executable, "-c", STARTS_AND_WAITS, str(postgres.folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert children(pid)
        parent.send_signal(signal.SIGKILL)
    wait_until_ended(pid)

    again = Postgres(postgres.folder, quiet)  # the killed run has kept the port and the passwords
    again.start()
    again.stop()


def test_without_its_programs_it_says_how_to_bring_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.postgres.PROGRAMS", tmp_path)

    with pytest.raises(ToolError, match=r"run `python3 -m tools\.setup --postgres`"):
        Postgres(tmp_path / "server", quiet).start()


def test_data_that_it_cannot_read_is_said_with_its_own_words(postgres: Postgres) -> None:
    postgres.start()
    postgres.stop()
    (postgres.folder / "data" / "PG_VERSION").write_text("9\n")

    with pytest.raises(ToolError, match="incompatible"):
        Postgres(postgres.folder, quiet).start()
