"""All routes. A new resource is a module beside these and a line here."""

from __future__ import annotations

from lib.http.route import Route
from routes import (
    adjustments,
    ai_models,
    budgets,
    chat,
    docs,
    embeddings,
    explanations,
    health,
    key_actions,
    keys,
    ledger,
    limits,
    operator,
    org_models,
    orgs,
    sessions,
    tokens,
    usage,
)

ROUTES: list[Route] = [
    *chat.ROUTES,
    *embeddings.ROUTES,
    *ai_models.ROUTES,
    *orgs.ROUTES,
    *keys.ROUTES,
    *key_actions.ROUTES,
    *org_models.ROUTES,
    *limits.ROUTES,
    *budgets.ROUTES,
    *adjustments.ROUTES,
    *explanations.ROUTES,
    *usage.ROUTES,
    *ledger.ROUTES,
    *operator.ROUTES,
    *tokens.ROUTES,
    *sessions.ROUTES,
    *health.ROUTES,
    *docs.ROUTES,
]
