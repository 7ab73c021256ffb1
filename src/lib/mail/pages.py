"""The pages that links in mails lead to. Each sends what the link carries behind `#` to our own API, when asked to.

A mail's scanner follows links: so nothing happens before a person presses the button. The token never reaches a server
in an address, and the page takes it out of the browser's history.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from lib.http.page_policy import own_script_only

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
const send = async (method, path, body, csrf) => {
  const headers = {"content-type": "application/json", ...(csrf && {"x-csrf-token": csrf})};
  const answer = await fetch(path, {method, headers, body: JSON.stringify(body)});
  const text = await answer.text(), json = text ? JSON.parse(text) : {};
  if (!answer.ok) throw Object.assign(new Error(json.error.message), json.error);
  return json.data;
};
const post = (path, body, csrf) => send("POST", path, body, csrf);
const deeds = {
  once: fields => post(form.dataset.action, {token, ...fields}),
  sign_in: async ({name, ...fields}) => {
    const session = await post("/api/v1/sessions", fields);
    try {
      await post(form.dataset.action, {token}, session.csrf_token);
    } finally {
      await send("DELETE", "/api/v1/sessions/current", undefined, session.csrf_token);
    }
  },
  sign_up: ({totp_code, ...fields}) => post("/api/v1/users", {invitation: token, ...fields}),
};
form.addEventListener("submit", async event => {
  event.preventDefault();
  const button = event.submitter;
  button.disabled = true;
  try {
    await deeds[button.value](Object.fromEntries([...new FormData(form)].filter(([, value]) => value)));
    told.textContent = button.dataset.done;
  } catch (error) {
    told.textContent = error.message || "That did not work. Try again.";
    const asked = form.querySelector(`[data-when="${error.code}"]`);
    if (asked) {
      asked.hidden = false;
      asked.querySelector("input").focus();
    }
    button.disabled = false;
  }
});
"""


CONTENT_SECURITY_POLICY = own_script_only(_SCRIPT, _STYLE)


@dataclass(frozen=True, slots=True)
class Field:
    """What a page asks for. No `maxlength` cuts what is pasted: the API says what is too long.

    `when`: the code of the API's error upon which it is shown; it is there from the beginning where that is None.
    """

    name: str
    label: str
    type: str
    autocomplete: str
    optional: bool = False
    when: str | None = None

    def html(self) -> str:
        required = "" if self.optional else " required"
        waits = "" if self.when is None else f' data-when="{self.when}" hidden'
        return (
            f'<div{waits}><label for="{self.name}">{escape(self.label)}</label>'
            f'<input id="{self.name}" name="{self.name}"'
            f' type="{self.type}" autocomplete="{self.autocomplete}"{required}></div>'
        )


@dataclass(frozen=True, slots=True)
class Button:
    """What a page can do: one of the script's deeds, and what it says when that is done."""

    deed: str
    label: str
    done: str

    def html(self) -> str:
        return f'<button value="{self.deed}" data-done="{escape(self.done)}">{escape(self.label)}</button> '


@dataclass(frozen=True, slots=True)
class MailPage:
    """One page. `path` is what templates link to; `action` is what it asks of the API."""

    path: str
    title: str
    says: str
    action: str
    buttons: tuple[Button, ...]
    fields: tuple[Field, ...] = ()

    def html(self) -> bytes:
        """Return the page."""
        inside = "".join([*(field.html() for field in self.fields), *(button.html() for button in self.buttons)])
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width"><meta name="robots" content="noindex">'
            f"<title>{escape(self.title)}</title><style>{_STYLE}</style></head><body><h1>{escape(self.title)}</h1>"
            f'<p>{escape(self.says)}</p><form data-action="{escape(self.action)}">{inside}</form><output></output>'
            f"<script>{_SCRIPT}</script></body></html>"
        ).encode()


PAGES = [
    MailPage(
        path="/verify-email",
        title="Confirm your address",
        says="Press the button to confirm that this address is yours.",
        action="/api/v1/users/actions/verify_email",
        buttons=(Button("once", "Confirm", "Your address is confirmed. You can sign in now."),),
    ),
    MailPage(
        path="/stop-email-change",
        title="Keep your address",
        says="Press the button to keep the address of your account. Choose a new password then: somebody knows yours.",
        action="/api/v1/users/actions/stop_email_change",
        buttons=(Button("once", "Stop the change", "Your address stays. Now ask for a new password."),),
    ),
    MailPage(
        path="/reset-password",
        title="Choose a new password",
        says="All sessions of your account end when you choose a new password.",
        action="/api/v1/users/actions/reset_password",
        buttons=(Button("once", "Set the password", "Your password is set. You can sign in with it now."),),
        fields=(Field("password", "New password", "password", "new-password"),),
    ),
    MailPage(
        path="/accept-invitation",
        title="Accept the invitation",
        says=(
            "Sign in, or sign up with the address that the invitation was sent to."
            " When that is done, nobody stays signed in on this page."
        ),
        action="/api/v1/invitations/actions/accept",
        buttons=(
            Button("sign_in", "Sign in and accept", "You are a member now, and signed out here."),
            # Said in any case: nobody learns here who has an account.
            Button(
                "sign_up",
                "Sign up and accept",
                "You can sign in now. If you had an account already, or your address has to be confirmed, read"
                " your mail, then come back by the same link.",
            ),
        ),
        fields=(
            Field("email", "Address", "email", "username"),
            Field("password", "Password", "password", "current-password"),
            Field(
                "totp_code", "Code of your authenticator", "text", "one-time-code", optional=True, when="totp_required"
            ),
            Field("name", "Your name, if you sign up", "text", "name", optional=True),
        ),
    ),
]
