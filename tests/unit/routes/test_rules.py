"""What every route keeps to, read from the declarations: permissions, names, paths, dialects."""

from __future__ import annotations

import ast
import inspect
import re
from collections import Counter
from typing import get_args

import pytest
from pydantic import RootModel

from lib.access.principal import SELF, Permission
from lib.gateway.formats.openai.dialect import OPENAI
from lib.http.paging import PageQuery
from lib.web.render import Page
from lib.web.route import MIB, Freshness, Route
from lib.web.validate import LARGE_BYTES
from routes import ROUTES
from tests.seen import ROUTER
from tests.unit.source_tree import modules

# A route that anybody may call is listed here, by hand.
PUBLIC = {
    *(("GET", path) for path in ("/livez", "/readyz", "/openapi.json", "/docs", "/.well-known/jwks.json")),
    *(("GET", path) for path in ("/verify-email", "/reset-password", "/accept-invitation", "/dev/outbox")),
    ("GET", "/stop-email-change"),
    *(("POST", path) for path in ("/api/v1/users", "/api/v1/sessions", "/api/v1/tokens")),
    *(("GET", f"/api/v1/auth{below}") for below in ("", "/{provider}/start", "/{provider}/callback")),
    *(
        ("POST", f"/api/v1/auth{below}")
        for below in ("/{provider}/start", "/{provider}/callback", "/actions/show_code")
    ),
    *(
        ("POST", f"/api/v1/users/actions/{verb}")
        for verb in ("verify_email", "request_password_reset", "reset_password", "stop_email_change")
    ),
    ("POST", "/api/v1/keys/actions/report_leak"),
}
# What several route modules share: they have no routes of their own.
SHARED = {
    *("routes", "routes.ai", "routes.api", "routes.operators", "routes.pages", "routes.money", "routes.schemas"),
    *(f"routes.api.{of}_schemas" for of in ("key", "rule", "usage")),
}
# A DELETE has a body only where it asks for the password once more.
DELETES_WITH_BODY = {"/api/v1/me", "/api/v1/me/logins/{id}", "/api/v1/sessions/{id}"}
MANAGEMENT = [route for route in ROUTES if route.path.startswith("/api/")]


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


every_route = pytest.mark.parametrize("route", ROUTES, ids=name_of)
every_management_route = pytest.mark.parametrize("route", MANAGEMENT, ids=name_of)


@every_route
def test_a_route_names_a_permission_or_is_listed_as_public(route: Route) -> None:
    """Nothing is public by forgetting."""
    assert (route.permission is None) == ((route.method, route.path) in PUBLIC or route.operator)


@every_route
def test_only_an_operator_route_is_called_with_an_operators_token(route: Route) -> None:
    """It is known by its path, and no scope opens it."""
    assert route.operator == route.path.startswith("/api/v1/operator/")


@every_route
def test_what_is_for_a_developers_machine_is_known_by_its_path(route: Route) -> None:
    """Whatever comes below /dev/ is not for a page that another site's name has led to this machine."""
    assert route.local == route.path.startswith("/dev/")


@every_route
def test_a_permission_is_one_that_a_key_can_hold(route: Route) -> None:
    """A scope that no key can be given would lock a route for ever."""
    assert route.permission is None or route.permission in {*Permission, SELF}


@every_route
def test_reading_needs_no_more_than_reading(route: Route) -> None:
    """GET asks for a `:read` scope, and so does a POST that only looks; every other method for a `:write` scope.

    Minting has one of its own: a server that mints must not be able to make any other key.
    """
    reads = route.method == "GET" or route.path.endswith(("/actions/explain", "/actions/verify"))
    if route.permission not in (None, SELF, Permission.KEYS_MINT):
        assert route.permission is not None
        assert route.permission.endswith(":read" if reads else ":write")


@every_route
def test_a_handler_is_an_async_function_with_a_docstring(route: Route) -> None:
    """Whoever looks for a route finds a sentence that says what it does."""
    assert inspect.iscoroutinefunction(route.handler)
    assert inspect.getdoc(route.handler)


@every_route
def test_a_dialect_belongs_to_its_path(route: Route) -> None:
    """Errors before and after routing have the same shape: `/v1/` speaks OpenAI's, all else ours."""
    assert route.dialect is ROUTER.dialect_of(route.path)


@every_route
def test_only_the_ai_api_trusts_the_isolates_cache(route: Route) -> None:
    """A cached account is safe only where a gate confirms it: on POSTs of the AI API."""
    if route.freshness is Freshness.GATE:
        assert route.dialect is OPENAI
        assert route.method == "POST"


@every_route
def test_bodies_are_capped(route: Route) -> None:
    """A route with a body has a cap far below what an isolate can hold; one without never reads it."""
    assert route.max_body_bytes <= 16 * MIB
    if route.permission is None:  # there is nobody to know before a large one is read
        assert route.max_body_bytes <= LARGE_BYTES
    if route.method in ("GET", "DELETE") and route.path not in DELETES_WITH_BODY:
        assert route.body is None


@every_route
def test_a_body_model_decides_about_unknown_fields(route: Route) -> None:
    """The AI API hands unknown fields on; the management API refuses them. Neither drops them silently.

    A form is a provider's own: RFC 6749, 4.1.2 has its reader ignore what it does not know.
    """
    if route.body is not None and not route.form:
        expected = "allow" if route.dialect is OPENAI else "forbid"
        choices = get_args(route.body.model_fields["root"].annotation) if issubclass(route.body, RootModel) else ()
        for model in choices or (route.body,):
            assert model.model_config.get("extra") == expected


@every_management_route
def test_a_management_path_is_well_formed(route: Route) -> None:
    """`/api/v1/` plural nouns, nested at most two deep; actions as `/x/{id}/actions/verb`."""
    path = (
        r"/api/v1(/[a-z]+s|/usage|/me|/ledger|/audit|/operator)(/\{id(:path)?\}|/[a-z-]+s|/export)?(/actions/[a-z_]+)?"
    )
    below = r"/api/v1/[a-z]+s/\{id\}/(?P<one>[a-z]+)s(/\{(?P=one)_id\})?(/actions/[a-z]+)?"
    operator = r"/api/v1/operator/[a-z]+s/\{id\}(/usage|/actions/[a-z_]+)"
    others = r"/api/v1/auth(/\{provider\}/(start|callback)|/actions/show_code)?|/api/v1/me/[a-z]+s/\{id\}"
    assert re.fullmatch(rf"{path}|{below}|{operator}|{others}|/api/v1/[a-z]+s/current", route.path)


@every_management_route
def test_every_post_can_be_repeated(route: Route) -> None:
    """`Idempotency-Key` works on every POST of the management API, but for those that know no caller to keep it for."""
    assert route.idempotent == (route.method == "POST" and route.permission is not None)


@every_management_route
def test_the_management_api_is_made_of_operations(route: Route) -> None:
    """One answers by itself only where it says why; and none reads for itself which organisation the path names."""
    assert route.operation is not None
    assert bool(route.operation.http) == ("Response" in str(route.operation.output))
    if route.path.startswith("/api/v1/orgs/{id}"):
        assert route.operation.of_org
        assert "path['id']" not in ast.unparse(ast.parse(inspect.getsource(route.operation.run)))


@every_management_route
def test_every_list_has_pages(route: Route) -> None:
    """A list takes a cursor and a limit."""
    if isinstance(route.responses.get(200), Page):
        assert issubclass(route.query, PageQuery)


@every_management_route
def test_delete_answers_with_nothing(route: Route) -> None:
    """DELETE is 204."""
    if route.method == "DELETE":
        assert dict(route.responses) == {204: None}


def test_method_and_path_are_unique() -> None:
    """No route hides another."""
    assert max(Counter((route.method, route.path) for route in ROUTES).values()) == 1


def test_summaries_are_unique() -> None:
    """A reader of the documentation can tell any two routes apart."""
    assert [text for text, count in Counter(route.summary for route in ROUTES).items() if count > 1] == []


def test_every_route_module_is_registered() -> None:
    """A module with ROUTES that nobody registered would never be called."""
    for module in modules():
        if module.within("routes") and module.name not in SHARED:
            [declared] = [
                node.value
                for node in module.tree.body
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ROUTES"
            ]
            assert isinstance(declared, ast.List)
            handlers = [route.handler for route in ROUTES if route.handler.__module__ == module.name]
            assert len(handlers) == len(declared.elts), module.name


def test_every_handler_is_public_and_every_public_coroutine_is_a_handler() -> None:
    """What a route module shows is its handlers; everything else in it begins with an underscore."""
    used = {(route.handler.__module__, getattr(route.handler, "__name__", "")) for route in ROUTES}
    for module in modules():
        if module.within("routes") and module.name not in SHARED:
            shown = {n.name for n in module.tree.body if isinstance(n, ast.AsyncFunctionDef) and n.name[0] != "_"}
            assert {(module.name, name) for name in shown} <= used
