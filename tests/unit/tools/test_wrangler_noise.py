from __future__ import annotations

from tools.wrangler_noise import News

BINDING = """\
▲ [WARNING] Processing wrangler.toml configuration:
    - "env.postgres" environment configuration
      - There is a d1_databases binding with name "DB" at the top level, but not on "env.postgres".
        This is not what you probably want, since "d1_databases" configuration is not inherited by environments.
        Please add a binding for "DB" to "env.postgres.d1_databases.bindings".
"""
CRONS = """\
▲ [WARNING] Scheduled Workers are not automatically triggered during local development.
  To manually trigger a scheduled event, run:
    curl "http://127.0.0.1:1/cdn-cgi/local/scheduled"
"""


def shown(text: str) -> list[str]:
    news = News()
    return [line for line in text.splitlines() if news.is_news(line)]


def test_what_is_said_at_every_start_is_no_news() -> None:
    assert shown(BINDING + CRONS) == []


def test_what_follows_is() -> None:
    assert shown(CRONS + "[ERROR] no such module\n  at entry.py") == ["[ERROR] no such module", "  at entry.py"]


def test_another_warning_is() -> None:
    other = "▲ [WARNING] The port is taken.\n  Choose another."
    assert shown(CRONS + other) == other.splitlines()


def test_another_fault_of_the_configuration_is() -> None:
    """In the same warning, beside the one that is known."""
    assert shown(BINDING + '    - Unexpected fields found in top-level field: "crons"') == [
        '    - Unexpected fields found in top-level field: "crons"'
    ]
