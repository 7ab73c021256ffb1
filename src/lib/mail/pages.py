"""The pages that links in mails lead to. Each sends what the link carries behind `#` to our own API, when asked to.

A mail's scanner follows links: so nothing happens before a person presses the button. The token never reaches a server
in an address, and the page takes it out of the browser's history.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from html import escape

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 28rem; margin: 4rem auto; padding: 0 1rem; }
label { display: block; margin: 1rem 0 .25rem; } input { font: inherit; width: 100%; padding: .4rem; }
button { font: inherit; margin: 1rem 0; padding: .4rem 1rem; }
"""
_SCRIPT = """
const token = new URLSearchParams(location.hash.slice(1)).get("token") || "";
history.replaceState(null, "", location.pathname);
const form = document.querySelector("form"), told = document.querySelector("output");
form.addEventListener("submit", async event => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  const body = Object.fromEntries(new FormData(form));
  try {
    const answer = await fetch(form.action, {
      method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify({token, ...body}),
    });
    const text = answer.ok ? "" : (await answer.json()).error.message;
    told.textContent = answer.ok ? form.dataset.done : text;
    button.disabled = answer.ok;
  } catch { told.textContent = "That did not work. Try again."; button.disabled = false; }
});
"""


def _hashed(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


# Only our own script runs, and it may ask only us.
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; script-src {_hashed(_SCRIPT)}; style-src {_hashed(_STYLE)}; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class MailPage:
    """One page. `path` is what templates link to; `action` is what it asks of the API."""

    path: str
    title: str
    says: str
    button: str
    action: str
    done: str
    asks_password: bool = False

    def html(self) -> bytes:
        """Return the page."""
        field = (
            '<label for="password">New password</label>'
            '<input id="password" name="password" type="password" autocomplete="new-password" required maxlength="256">'
            if self.asks_password
            else ""
        )
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">'
            f"<title>{escape(self.title)}</title><style>{_STYLE}</style></head><body><h1>{escape(self.title)}</h1>"
            f'<p>{escape(self.says)}</p><form action="{escape(self.action)}" data-done="{escape(self.done)}">{field}'
            f"<button>{escape(self.button)}</button></form><output></output><script>{_SCRIPT}</script></body></html>"
        ).encode()


PAGES = [
    MailPage(
        path="/verify-email",
        title="Confirm your address",
        says="Press the button to confirm that this address is yours.",
        button="Confirm",
        action="/api/v1/users/actions/verify_email",
        done="Your address is confirmed. You can sign in now.",
    ),
    MailPage(
        path="/reset-password",
        title="Choose a new password",
        says="All sessions of your account end when you choose a new password.",
        button="Set the password",
        action="/api/v1/users/actions/reset_password",
        done="Your password is set. You can sign in with it now.",
        asks_password=True,
    ),
]
