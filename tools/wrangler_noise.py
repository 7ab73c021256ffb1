"""What wrangler says at each start that is no news: a warning is a line, and the indented lines below it."""

from __future__ import annotations

# A part of the warning's first lines, and why it is none.
KNOWN = (
    "Scheduled Workers are not automatically triggered",  # true, and nothing to mend
    "Processing wrangler.toml configuration",  # judged below: only where it is about the binding that PostgreSQL lacks
)
LEFT_OUT = ('"env.postgres"', "d1_databases", "not inherited by environments")


class News:
    """Tells line by line what is worth a person's attention."""

    def __init__(self) -> None:
        self._inside = False

    def is_news(self, line: str) -> bool:
        if "WARNING" in line:
            self._inside = any(part in line for part in KNOWN)
            return not self._inside
        if self._inside and (line.startswith(" ") or not line.strip()):
            about_the_binding = any(part in line for part in LEFT_OUT)
            return line.lstrip().startswith("- ") and not about_the_binding
        self._inside = False
        return True
