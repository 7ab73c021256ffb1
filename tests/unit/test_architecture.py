"""The rules that the source keeps, read from its syntax: what may import what, and how long a file may be."""

from __future__ import annotations

import ast
import importlib
import re
import statistics
import sys

import pytest

from tests.unit.source_tree import ROOT, SRC, Module, inside, modules

MODULES = modules()
PLATFORM = ("js", "pyodide", "pyodide_js", "_pyodide", "workers", "_pyodide_entrypoint_helper")
OUTER = ("lib.worker", "entry")


def every(found: dict[str, set[str]]) -> str:
    """Return what broke a rule, a line a module."""
    return "\n".join(f"{name}: {', '.join(sorted(names))}" for name, names in found.items() if names)


def test_only_the_runtime_and_the_entry_know_the_platform() -> None:
    """`js`, `pyodide` and `workers` are imported by lib.runtime, lib.worker and entry.py alone."""
    broken = {m.name: m.imported_from(*PLATFORM) for m in MODULES if not m.within("lib.runtime", *OUTER)}
    assert not every(broken)


def test_only_the_worker_imports_the_composition_root() -> None:
    """The wiring is used by the platform's entry, and by nothing that it wires."""
    broken = {
        m.name: m.imported_from("lib.worker.bootstrap")
        for m in MODULES
        if not m.within("lib.worker.serving", "lib.worker.jobs", "entry")
    }
    assert not every(broken)


def test_only_the_store_knows_its_driver() -> None:
    """pg8000 and scramp are imported by the two modules that speak PostgreSQL's protocol."""
    broken = {m.name: m.imported_from("pg8000", "scramp") for m in MODULES}
    allowed = {"lib.store.pg_wire", "lib.store.pg_connection"}
    assert {name for name, names in broken.items() if names} == allowed


def test_httpx_carries_no_call_to_a_model() -> None:
    """It costs 0.3 ms a call: identity providers and mail have it, and who asks a server for its list of models once in
    ten minutes; the AI API stays on the platform's `fetch`.
    """
    users = {m.name for m in MODULES if m.imported_from("httpx")}
    assert {"lib.runtime.fetch_transport", "lib.issuers.oidc_client", "lib.mail.http_api"} <= users
    may = ("lib.issuers", "lib.worker.bootstrap", "lib.mail", "lib.runtime", "lib.gateway.model_lists")
    assert not {m.name for m in MODULES if m.name in users and not m.within(*may)}
    assert not users & {"lib.runtime.upstream", "lib.runtime.relay", "lib.worker.serving"}


def test_tokens_are_read_and_made_at_one_place() -> None:
    """PyJWT's own `decode` takes what RFC 7515 forbids, and its client of key sets asks anybody."""
    assert {m.name for m in MODULES if m.imported_from("jwt")} == {"lib.tokens.jwt"}


def test_only_one_module_calls_fetch_for_others() -> None:
    """What goes out goes through the transport, with its limits; a call to a model has its own way."""
    callers = {m.name for m in MODULES if "js.fetch" in m.calls()}
    assert callers == {"lib.runtime.fetch_transport"}


def test_only_the_composition_names_a_store() -> None:
    """Services and routes know the port (lib.store.database); which store there is, lib.runtime decides."""
    stores = ("lib.store.d1", "lib.store.postgres", "lib.store.pg_connection", "lib.store.pg_wire", "lib.store.tenancy")
    broken = {m.name: m.imported_from(*stores) for m in MODULES if not m.within("lib.store", "lib.runtime", *OUTER)}
    assert not every(broken)


def test_a_route_module_does_not_import_another() -> None:
    """What two resources share is in a module of schemas or in a service."""
    for module in MODULES:
        if module.within("routes") and module.name != "routes":
            shared = (
                "routes.money",
                "routes.schemas",
                *(f"routes.api.{of}_schemas" for of in ("key", "rule", "usage")),
            )
            others = {name for name in module.imported_from("routes") if not any(inside(name, each) for each in shared)}
            assert not others, module.name


@pytest.mark.parametrize("module", [m for m in MODULES if not m.within("lib.runtime", *OUTER)], ids=lambda m: m.name)
def test_every_pure_module_can_be_imported_on_cpython(module: Module) -> None:
    """What does not touch the platform needs nothing of it, and importing it needs no platform module either."""
    importlib.import_module(module.name)
    assert not [name for name in PLATFORM if name in sys.modules]


def test_time_is_an_argument() -> None:
    """Only the clock and who speaks to the platform ask for the time; all else takes a Clock or `now`."""
    clocks = {"time.time", "time.monotonic", "datetime.now", "datetime.utcnow", "date.today", "datetime.today"}
    broken = {
        m.name: m.calls() & clocks
        for m in MODULES
        if not m.within("lib.runtime", "lib.worker.serving", "lib.kernel.clock")
    }
    assert not every(broken)


def test_randomness_for_secrets_and_ids_is_cryptographic() -> None:
    """The `random` module and UUIDs of other versions are used nowhere."""
    broken = {m.name: m.imported_from("random") | (m.calls() & {"uuid4", "uuid1", "uuid.uuid4"}) for m in MODULES}
    assert not every(broken)


def test_sql_lives_in_the_stores() -> None:
    """Routes and the pipeline have no SQL of their own."""
    sql = re.compile(r"""["'](SELECT|INSERT|UPDATE|DELETE) """)
    stores = ("lib.store", "lib.admission", "lib.ledger")
    others = ("lib.web.idempotency", "lib.worker.bootstrap", "lib.runtime", "lib.reconcile")
    own = re.compile(r"lib\.\w+\.\w+_store")
    found = [
        m.name for m in MODULES if sql.search(m.text) and not (m.within(*stores, *others) or own.fullmatch(m.name))
    ]
    assert not found


def test_a_permission_is_asked_at_one_place() -> None:
    """And so is whose organisation a path names. No service, no operation and no other face does either by hand."""
    asking = {"decide": "access.access", "require": "web.authentication", "own_org": "web.operation"}
    found = {
        name: {
            m.name
            for m in MODULES
            if m.imported_from("lib.access") and any(re.search(rf"\b{name}$", c) for c in m.calls())
        }
        for name in asking
    }
    assert found == {name: {f"lib.{module}"} for name, module in asking.items()}
    assert {m.name for m in MODULES if any(call.endswith(".may") for call in m.calls())} == {"lib.access.policy"}


def test_what_an_operation_runs_is_called_by_none_but_it() -> None:
    """A face has an operation performed: then a `Call` is of somebody who may, in the organisation that it names. And a
    route's handler is called by the pipeline alone, which has asked whether it may.
    """
    past = re.compile(r"\b(Call|self\.run|perform|handler)$")
    faces = [m for m in MODULES if m.within("lib.web") or m.imported_from("lib.web")]
    found = {m.name: {call for call in m.calls() if past.search(call)} for m in faces}
    assert {name: calls for name, calls in found.items() if calls} == {
        "lib.web.operation": {"Call", "self.run"},
        "lib.web.pipeline": {"route.handler"},
        "lib.web.route": {"operation.perform"},
    }


def test_the_entry_is_short() -> None:
    """entry.py only names what the platform calls: 60 lines at most."""
    [entry] = [m for m in MODULES if m.name == "entry"]
    assert entry.lines <= 60


def test_files_stay_readable() -> None:
    """Half the files have under 120 lines, none over 450; the row types and the prices are lists that tools make."""
    made = ("lib.store.schema", "lib.gateway.prices.price_data")
    sizes = {m.name: m.lines for m in MODULES if m.name not in made}
    assert statistics.median(sizes.values()) < 120
    assert not {name: lines for name, lines in sizes.items() if lines > 450}


def test_a_vendor_is_a_row() -> None:
    """And what such rows are made of is under 100 lines a module."""
    assert not {m.name: m.lines for m in MODULES if m.within("lib.gateway.providers") and m.lines >= 100}


# Who may name one vendor: its format, providers and their prices, and the routes of its API. The sieve is its format's;
# an example names a model.
NAMES_A_VENDOR = (
    *(
        "lib.gateway.formats.openai",
        "lib.gateway.providers",
        "lib.gateway.prices.price_data",
        "lib.gateway.streams.usage_sieve",
    ),
    *("routes.ai.chat", "routes.ai.embeddings", "routes.ai.ai_models", "lib.web.examples", "lib.web.openapi"),
)


def test_only_a_format_a_provider_and_their_routes_name_a_vendor() -> None:
    """Names and values; what a comment gives as a source is none. So another format is a package, and no branch."""
    found = {m.name: {name for name in _words(m.tree) if "openai" in name.lower()} for m in MODULES}
    assert not every({name: words for name, words in found.items() if not _inside_any(name, NAMES_A_VENDOR)})


def _inside_any(name: str, packages: tuple[str, ...]) -> bool:
    return any(inside(name, package) for package in packages)


def _words(tree: ast.Module) -> set[str]:
    """Return all names and texts of a module but its docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)}
    found: set[str] = set()
    for node in ast.walk(tree):
        for _, value in ast.iter_fields(node):
            found.update({value} if isinstance(value, str) else ())
    return found - {text for text in docstrings if text is not None}


def test_every_module_with_code_says_what_it_is() -> None:
    """A module begins with a docstring; only empty packages have none."""
    silent = [m.name for m in MODULES if m.text and m.name != "entry" and not ast.get_docstring(m.tree)]
    assert not silent


def test_a_module_has_one_name() -> None:
    """Nothing imports `src.lib…`: there a class would exist twice."""
    assert not every({m.name: m.imported_from("src") for m in MODULES})
    assert (SRC / "lib").is_dir()


def test_migrations_are_numbered_without_gaps() -> None:
    """D1 applies migrations by name: 0001, 0002 and so on, and a number is given once."""
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "migrations").glob("[0-9]*.sql"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_both_stores_have_the_same_migrations() -> None:
    """By name, each with its way back."""
    folder = ROOT / "migrations"
    names = [
        {path.name for path in (folder / part).glob("*.sql")} for part in (".", "down", "postgres", "postgres/down")
    ]
    assert names[0]
    assert names == [names[0]] * 4


def test_only_one_place_reads_the_log_of_a_running_headgate() -> None:
    """A line comes after the answer: who reads the file at once finds it or not, as the machine pleases."""
    folder = ROOT / "tests" / "e2e"
    reading = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*.py") if "log_path.read" in path.read_text()
    }
    assert reading == {"support/log.py", "conftest.py"}  # at the end of a session all its processes have ended
