"""./headgate secret-status on real databases: what hangs on an old secret is counted, and what has moved is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from lib.secrets.api_keys import secret_id
from lib.store.dialect import time_text
from tests.contract.support.migrating import Ground
from tests.contract.support.rows import SECRET
from tools.migrations import quoted
from tools.secret_status import counts, status
from tools.seed import seed_statements

NEW = "n" * 32


def test_what_has_not_moved_is_counted(ground: Ground) -> None:
    """A seeded administrator and its key; then both are used under the new secret."""
    target, now = ground.target(), datetime.now(UTC)
    target.up()
    target.execute(seed_statements(SECRET)[1])
    since = now + timedelta(minutes=5)
    found = counts(target, NEW, since, now)
    assert {name: number for name, number in found.items() if number} == {"passwords": 1, "API keys": 1}
    assert counts(target, SECRET, now - timedelta(minutes=5), now)["passwords"] == 0
    assert status(target, NEW, time_text(since), as_json=True) == 1
    target.execute(
        f"UPDATE users SET password_hash = '$argon2id$v=19$m=1,t=1,p=1,keyid={secret_id(NEW)}$a$b';"
        f"UPDATE api_keys SET last_used_at = {quoted(time_text(since))} WHERE kind <> 'person';"
    )
    assert not any(counts(target, NEW, since, now).values())
    assert status(target, NEW, time_text(since), as_json=False) == 0
