"""Write docs/permissions.md: what each role may do, and what each route asks for.

Usage: python -m tools.permissions [--check]      (--check only tells whether the file is fresh)
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from lib.access.policy import PERMISSIONS, Role
from lib.access.principal import Permission
from lib.web.route import Route
from routes import ROUTES
from tools.arguments import is_check
from tools.project import ROOT

PATH = ROOT / "docs" / "permissions.md"
HEAD = """\
# Who may do what

Made by `tools/permissions.py` from `lib/access/policy.py` and the declarations of the routes; don't edit.
`make types` makes it anew.

A caller is an API key, which has the permissions that it was made with, or a person who has signed in, who has those
of its role in the active organisation. `decide` in `lib/access/policy.py` answers every question. It denies unless
all of this holds: the credential has not ended; it is used from where it may be used (IP ranges, origins) and for a
model that it may call; what is asked for belongs to the caller's organisation, or to that person; a person has codes at
sign-in where the organisation requires them (403 `second_factor_required`); and the caller has the permission.

| answer | when |
|---|---|
| 401 | nobody has said who is calling, or the credential is wrong |
| 403 | the caller may know that there is such a thing, and may not do this |
| 404 | the thing belongs to another organisation or person, or there is none: the caller can't tell which |

Nobody gives or takes more than it has itself: a key makes no wider key, and who manages members, roles or invitations
can't reach above its own permissions. Owners are made, changed and removed by owners alone, and the last owner can
neither leave nor become anything else. An organisation's own roles are any set of these permissions. Another role, or
a role's other permissions, hold from the answer on.

## Roles
"""


def render() -> str:
    """Return the page."""
    roles = ["| permission | " + " | ".join(Role) + " |", "|---|" + "---|" * len(Role)]
    for scope in Permission:
        marks = ("yes" if scope in PERMISSIONS[role] else "" for role in Role)
        roles.append(f"| `{scope}` | " + " | ".join(marks) + " |")
    routes = ["| method | path | permission |", "|---|---|---|", *map(_line, _sorted(ROUTES))]
    return "\n".join([HEAD, *roles, "", "## Routes", "", _ABOUT, "", *routes, ""])


_ABOUT = (
    "`self`: any person who has signed in, and no key. Routes for the operator take a token that `./headgate` makes;"
    " nobody's key or role opens them."
)


def _sorted(routes: Iterable[Route]) -> list[Route]:
    return sorted(routes, key=lambda route: (route.path, route.method))


def _line(route: Route) -> str:
    needed = "the operator" if route.operator else "public" if route.permission is None else f"`{route.permission}`"
    return f"| {route.method} | `{route.path}` | {needed} |"


def main() -> None:
    check, fresh = is_check(__doc__), render()
    if not check:
        PATH.write_text(fresh, encoding="utf-8")
    elif not PATH.exists() or PATH.read_text(encoding="utf-8") != fresh:
        sys.exit("docs/permissions.md is stale: run python -m tools.permissions")


if __name__ == "__main__":
    main()
