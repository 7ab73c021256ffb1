"""What is written without `Work`, and so without an event, is listed here with its reason: nothing is by forgetting."""

from __future__ import annotations

import ast

from tests.unit.source_tree import Module, modules

# By function: why no event tells of it.
WRITTEN = {
    "lib.keys.key_store._move": "the hash under which a key is found, when the deployment's secret is replaced",
    "lib.sign_in.login_store.move": "the same of a way in",
    "lib.sign_in.mail_token_store.purge": "what is over",
    "lib.users.people.ensure_key": "the key on which a member's calls are counted; nobody has its secret",
    "lib.sign_in.second_factor._move": "the same secret, sealed by another key",
    "lib.sign_in.second_factor.accepts": "a code is used up; what it is used for is noted",
    "lib.sessions.session_store.purge": "what is over",
    "lib.sessions.session_store.renew": "the same session under another secret",
    "lib.sessions.session_store.touch": "that a session is in use",
    "lib.sessions.sessions._forget": "the session that a new one, which is noted, takes the place of",
    "lib.tokens.signing_key_store.insert": "a key of the deployment",
    "lib.tokens.signing_key_store.purge": "what is over",
    "lib.sign_in.suspension.set_org": "the keys once more: one may have been made meanwhile",
    "lib.sign_in.suspension._set_keys": "the keys of a person whose suspension is noted in its own log",
    "lib.tokens.token_store.purge": "what is over",
    "lib.tokens.token_store.rotate": "the next token of a family, whose beginning is noted",
    "lib.keys.browser_keys.purge": "budgets of keys that are over",
    "lib.web.idempotency._take": "an answer that is kept for a day",
    "lib.web.idempotency.keep": "the same",
    "lib.web.idempotency.purge": "the same",
    "lib.web.idempotency.release": "the same",
}
# By function: why it tells a gate itself.
TOLD = {
    "lib.keys.browser_keys.purge": "budgets of keys that are over have no event",
    "lib.sign_in.suspension.set_person": "also where the person is no member any more, and has left keys",
    "lib.reconcile.reconciliation.reconcile": "the store was restored: all of it may be another",
    "lib.web.idempotency._replay": "what was made before may be untold",
}


def calls(module: Module, *names: str) -> set[str]:
    """Return the functions of a module that call one of these, also as a method of a database or of the gates."""
    found = set()
    for function in ast.walk(module.tree):
        if isinstance(function, ast.AsyncFunctionDef | ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                    found.add(f"{module.name}.{function.name}")
                elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
                    owner = ast.unparse(node.func.value).rpartition(".")[2]
                    if owner in ("database", "gates", "work"):
                        found.add(f"{module.name}.{function.name}")
    return found


def test_no_change_is_without_its_event() -> None:
    """People's, organisations' and routes' rows are written by `Work`; the ledger's have books of their own."""
    rules = ("lib.rules.rule_service", "lib.admission.rule_store", "lib.admission.policy_store")
    books = (
        "lib.admission",
        "lib.ledger",
        "lib.reconcile",
        "lib.store",
        "lib.audit",
        "lib.events",
        "lib.worker",
        "lib.runtime",
    )
    looked = [m for m in modules() if m.within(*rules) or not m.within(*books)]
    found = {each for m in looked for each in calls(m, "batch", "execute")}
    assert found == set(WRITTEN)


def test_nobody_else_tells_a_gate() -> None:
    """What an event means for one stands in `lib.events.event`."""
    looked = [m for m in modules() if not m.within("lib.runtime", "lib.events")]
    ways = ("accounts_changed", "rules_changed", "rule_changed", "tell_gates")
    found = {each for m in looked for each in calls(m, *ways)}
    assert found == set(TOLD)
