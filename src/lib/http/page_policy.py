"""What our own pages may do, as their Content-Security-Policy (https://www.w3.org/TR/CSP3/) says it."""

from __future__ import annotations

import base64
import hashlib


def own_script_only(script: str, style: str) -> str:
    """Return the policy of a page that runs one inline script, looks as `style` says, and asks nobody but us.

    `trusted-types`: no text becomes markup, whatever the script does with what it was sent.
    """
    return (
        f"default-src 'none'; script-src {_hashed(script)}; style-src {_hashed(style)}; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _hashed(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
