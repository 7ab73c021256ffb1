"""One Headgate on the real runtime for all tests, with two providers: the simulated one, and one that tests script.

a test's code → httpx, the openai SDK or a bare socket → Headgate (workerd) → tools/sim, or support/scripted.py
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.support.chosen import STORE
from tests.e2e.support.headgate import Headgate
from tests.e2e.support.scripted import ScriptedUpstream
from tests.e2e.support.sim import SimulatedProvider
from tests.e2e.support.stacks import Stacks, prepare
from tests.e2e.support.store import add_organisations
from tests.seen import SEEN
from tools.defects import defects
from tools.kept_snapshot import kept_snapshot
from tools.production_project import is_production
from tools.seed import Credentials
from tools.stack import Stack

# Made up, and long enough that no other text holds it by chance.
PROVIDER_KEY = "sk-e2e-ProviderKeyThatNobodyMaySee0123456789"
LISTED = "https://listed.example"  # an origin whose pages may call the shared Headgate
SPARE_ORGANISATIONS = 110


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL, leave out what does not depend on the store."""
    astray = [item.nodeid for item in items if _is(item, "alone") and not _is(item, "once")]
    if astray:
        raise pytest.UsageError(f"what is marked `alone` is run on D1 only, so mark it `once` too: {astray}")
    left = {item for item in items if STORE != "d1" and _is(item, "once")}
    config.hook.pytest_deselected(items=list(left))
    items[:] = [item for item in items if item not in left]


def _is(item: pytest.Item, marker: str) -> bool:
    return item.get_closest_marker(marker) is not None


def _note(answer: httpx.Response) -> None:
    """Note an answer of a Headgate's, but none that is its provider's: those have an id of their own."""
    ours, told = answer.headers.get("x-headgate-request-id"), answer.headers.get("x-request-id")
    if ours is not None and ours == told and answer.request.method != "OPTIONS":
        SEEN.note(answer.request.method, answer.url.raw_path.partition(b"?")[0].decode(), answer.status_code)


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    """Connections for every test's requests."""
    # Not compressed: miniflare's compression hides from the client that a refusal ends its connection.
    limits, headers = httpx.Limits(max_connections=100), {"accept-encoding": "identity"}
    hooks = {"response": [_note]}
    with httpx.Client(timeout=60, limits=limits, headers=headers, event_hooks=hooks) as client:
        yield client


@pytest.fixture(scope="session")
def upstream() -> Iterator[ScriptedUpstream]:
    """The provider `openai`, which plays what a test tells it."""
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Stacks:
    """Whoever needs a Headgate of its own has it from here."""
    snapshot = None if is_production(os.environ) else kept_snapshot()  # there the sources are others
    return Stacks(tmp_path_factory.mktemp, prepare(tmp_path_factory.mktemp("prepared")), snapshot)


@pytest.fixture(scope="session")
def unstarted(stacks: Stacks, upstream: ScriptedUpstream) -> Iterator[Stack]:
    variables = {
        "OPENAI_BASE_URL": f"{upstream.url}/v1",
        "OPENAI_API_KEY": PROVIDER_KEY,
        "CORS_ORIGINS": LISTED,
    }
    stack = stacks.new("headgate", variables=variables)
    yield stack
    stack.stop()  # its PostgreSQL may have been started before it


@pytest.fixture(scope="session")
def spare_organisations(unstarted: Stack) -> list[Credentials]:
    return add_organisations(unstarted, SPARE_ORGANISATIONS)


@pytest.fixture(scope="session")
def stack(unstarted: Stack, spare_organisations: list[Credentials]) -> Iterator[Stack]:
    """The Headgate that most tests share."""
    assert spare_organisations
    with unstarted as stack:
        yield stack
    assert defects(stack.log_path.read_text()) == {}, f"a defect of ours was met: see {stack.log_path}"


@pytest.fixture(scope="session")
def headgate(stack: Stack, http: httpx.Client) -> Headgate:
    """The shared Headgate, called with the first organisation's first key, which may do everything."""
    return Headgate(http, stack.base_url, stack.api_key)


@pytest.fixture
def own_headgate(stack: Stack, http: httpx.Client, spare_organisations: list[Credentials]) -> Headgate:
    """The shared Headgate, called for an organisation that nobody else has used or will use."""
    return Headgate(http, stack.base_url, spare_organisations.pop().api_key)


@pytest.fixture(scope="session")
def sim(stack: Stack, http: httpx.Client) -> SimulatedProvider:
    """The simulated provider of the shared Headgate."""
    return SimulatedProvider(http, stack.sim_url)


@pytest.fixture(scope="session")
def impatient_stack(stacks: Stacks) -> Iterator[Stack]:
    variables = {
        "UPSTREAM_TIMEOUT_SECONDS": "1",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "OPENAI_API_KEY": PROVIDER_KEY,
    }
    with stacks.new("impatient", variables=variables) as stack:
        yield stack


@pytest.fixture(scope="session")
def impatient(impatient_stack: Stack, http: httpx.Client) -> Headgate:
    """A Headgate that gives a provider one second, and whose provider `openai` is where nobody listens."""
    return Headgate(http, impatient_stack.base_url, impatient_stack.api_key)


@pytest.fixture(scope="session")
def impatient_sim(impatient_stack: Stack, http: httpx.Client) -> SimulatedProvider:
    """The simulated provider of the impatient Headgate."""
    return SimulatedProvider(http, impatient_stack.sim_url)
