"""All routes. A new resource is a module beside these and a line here."""

from __future__ import annotations

from lib.web.route import Route
from routes import health
from routes.ai import ai_models, chat, embeddings
from routes.api import (
    adjustments,
    audit,
    auth,
    budgets,
    explanations,
    invitations,
    key_actions,
    keys,
    ledger,
    limits,
    logins,
    me,
    members,
    org_models,
    orgs,
    roles,
    second_factor,
    sessions,
    teams,
    tokens,
    usage,
    users,
)
from routes.operators import operator, operator_accounts
from routes.pages import dev, docs, mail_pages

ROUTES: list[Route] = [
    *chat.ROUTES,
    *embeddings.ROUTES,
    *ai_models.ROUTES,
    *orgs.ROUTES,
    *members.ROUTES,
    *invitations.ROUTES,
    *roles.ROUTES,
    *teams.ROUTES,
    *keys.ROUTES,
    *key_actions.ROUTES,
    *org_models.ROUTES,
    *limits.ROUTES,
    *budgets.ROUTES,
    *adjustments.ROUTES,
    *explanations.ROUTES,
    *usage.ROUTES,
    *ledger.ROUTES,
    *audit.ROUTES,
    *operator.ROUTES,
    *operator_accounts.ROUTES,
    *tokens.ROUTES,
    *sessions.ROUTES,
    *users.ROUTES,
    *me.ROUTES,
    *auth.ROUTES,
    *logins.ROUTES,
    *second_factor.ROUTES,
    *mail_pages.ROUTES,
    *dev.ROUTES,
    *health.ROUTES,
    *docs.ROUTES,
]
