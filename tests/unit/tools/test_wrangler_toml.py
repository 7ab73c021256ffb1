"""What wrangler.toml says that nothing local would notice."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from tools.project import wrangler_toml


def test_the_compatibility_date_is_four_weeks_old() -> None:
    """Deploys of Python Workers with a fresh one were refused: https://github.com/cloudflare/workers-sdk/issues/15053."""
    chosen = date.fromisoformat(wrangler_toml()["compatibility_date"])
    assert datetime.now(UTC).date() - chosen >= timedelta(weeks=4)


def test_the_share_of_logs_that_is_kept_is_said() -> None:
    """They cost more than the calls, on a large deployment."""
    observability = wrangler_toml()["observability"]
    assert observability["head_sampling_rate"] == observability["logs"]["head_sampling_rate"] == 1
