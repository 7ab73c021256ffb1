"""The mails that we send, as text and as HTML.

Nothing in them comes from whoever caused them, such as a name: else anybody could send anything to anyone through us.
Links lead to the deployment's own address, and carry their token behind `#`, which no server and no log gets to see.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from lib.mail.port import Message

# Of (to, the deployment's address, token, hours for which it works).
Template = Callable[[str, str | None, str, int], Message]
IGNORE = "If this was not you, ignore this mail: nothing happens without the link."


def verify_address(to: str, public_url: str | None, token: str, hours: int) -> Message:
    """To whoever has signed up."""
    return _message(
        to,
        "Confirm your address",
        "Somebody, probably you, has made a Headgate account with this address. Confirm that it is yours:",
        way(public_url, "verify-email", token),
        f"This works once, for {hours} hours. {IGNORE}",
    )


def confirm_new_address(to: str, public_url: str | None, token: str, hours: int) -> Message:
    """To the address that an account shall have from now on."""
    return _message(
        to,
        "Confirm your new address",
        "This address shall be that of a Headgate account from now on. Confirm that it is yours:",
        way(public_url, "verify-email", token),
        f"This works once, for {hours} hours. {IGNORE}",
    )


def reset_password(to: str, public_url: str | None, token: str, hours: int) -> Message:
    """To whoever has forgotten the password."""
    return _message(
        to,
        "Choose a new password",
        "Somebody, probably you, has asked for a new password of the Headgate account with this address. Choose it:",
        way(public_url, "reset-password", token),
        f"This works once, for {hours} hours, and ends all sessions of the account. {IGNORE}",
    )


def finish_sign_up(to: str, public_url: str | None, token: str, hours: int) -> Message:
    """To the owner of an address with which somebody signs up that has been used before, but never confirmed.

    Whoever came first may have been a stranger, so the password is chosen anew, by who can read this.
    """
    return _message(
        to,
        "Confirm your address",
        "Somebody, probably you, has made a Headgate account with this address, and not for the first time. Confirm"
        " that the address is yours, and choose the account's password:",
        way(public_url, "reset-password", token),
        f"This works once, for {hours} hours. {IGNORE}",
    )


def known_address(to: str) -> Message:
    """To the owner of an account, when somebody signs up with its address."""
    return _message(
        to,
        "You have an account already",
        "Somebody, probably you, has tried to make a Headgate account with this address. There is one already: sign in,"
        " or ask for a new password. Nothing has changed.",
    )


def address_change_asked(to: str, public_url: str | None, token: str, hours: int) -> Message:
    """To the address that an account has, when another is to take its place."""
    return _message(
        to,
        "The address of your account is to change",
        "Somebody, probably you, has asked that your Headgate account have another e-mail address. If this was not you,"
        " stop it here, and choose a new password at once: somebody knows yours.",
        way(public_url, "stop-email-change", token),
        f"This works once, for {hours} hours, while the new address has not been confirmed.",
    )


def address_changed(to: str) -> Message:
    """To the address that an account had."""
    return _message(
        to,
        "The address of your account has changed",
        "Your Headgate account has another e-mail address from now on. If this was not you, tell your administrator at"
        " once: somebody knows your password.",
    )


def password_changed(to: str) -> Message:
    """To the owner of an account whose password has changed."""
    return _message(
        to,
        "The password of your account has changed",
        "Your Headgate account has a new password from now on, and all of its sessions have ended. If this was not you,"
        " ask for a new password at once.",
    )


def second_factor_changed(to: str, *, on: bool) -> Message:
    """To the owner of an account that asks for a code from now on, or no longer does."""
    return _message(
        to,
        f"Codes at sign-in are {'on' if on else 'off'}",
        f"Your Headgate account asks for {'a code of your authenticator' if on else 'no code any more'} when you sign"
        " in. If this was not you, change your password at once.",
    )


def invitation(to: str, public_url: str | None, token: str, hours: int) -> Message:
    """To whoever is invited. It names neither the organisation nor who invites: both may call themselves anything."""
    return _message(
        to,
        "You are invited to an organisation",
        "Somebody has invited you to an organisation on Headgate. Sign in, or sign up with this address, and accept:",
        way(public_url, "accept-invitation", token),
        f"This works once, for {hours} hours. If you know nothing of it, ignore this mail.",
    )


def way(public_url: str | None, page: str, token: str) -> str:
    """Return a link, or the bare token where the deployment has no address of its own."""
    return f"{public_url}/{page}#token={token}" if public_url else token


def _message(to: str, subject: str, *paragraphs: str) -> Message:
    html = "".join(f"<p>{_linked(paragraph)}</p>\n" for paragraph in paragraphs)
    return Message(
        to, subject, "\n\n".join(paragraphs) + "\n", f"<!doctype html>\n<title>{escape(subject)}</title>\n{html}"
    )


def _linked(paragraph: str) -> str:
    safe = escape(paragraph)
    return f'<a href="{safe}">{safe}</a>' if paragraph.startswith(("http://", "https://")) else safe
