"""D1's and Durable Objects' limits on CPython's SQLite: it has most of them itself, only wider."""

from __future__ import annotations

import sqlite3

from tools.production import rules

LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: rules.ROW_BYTES,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: rules.PARAMETERS,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: rules.STATEMENT_BYTES,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: rules.LIKE_BYTES,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: rules.FUNCTION_ARGUMENTS,
}


def limit(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Let a connection take no more than production does; return it."""
    for category, rule in LIMITS.items():
        connection.setlimit(category, rule.figure)
    return connection
