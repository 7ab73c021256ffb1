"""The deployment's settings, read once from the environment's variables and secrets.

Those of providers are in `lib.gateway.providers`, those of identity providers in `lib.issuers.settings`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

MIN_SECRET_CHARACTERS = 32
MOST_OLDER_SECRETS = 3
MOST_ORIGINS = 100
# As browsers write it (RFC 6454, 6.2): lower case, no path. Without TLS only this machine's own pages may call.
_ORIGIN = re.compile(r"(https://[a-z0-9.-]{1,253}|http://(localhost|127\.0\.0\.1))(:[1-9][0-9]{0,4})?")
# OWASP's weakest advice for Argon2id: 7 MiB and five passes.
LEAST_PASSWORD_WORK = 7 * 1024 * 5
MOST_DOMAINS = 100
_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+")
RESEND_URL = "https://api.resend.com/emails"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# https://developers.cloudflare.com/durable-objects/reference/data-location/
LOCATIONS = ("wnam", "enam", "sam", "weur", "eeur", "apac", "oc", "afr", "me")
JURISDICTIONS = ("eu", "us", "fedramp")
# A name has nothing in it that would have to be quoted in a mail's header.
_SENDER = re.compile(
    r"(?P<bare>[^\s<>@,;\"]{1,64}@[^\s<>@,;\"]{1,189})"
    r"|(?P<name>[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}) <(?P<address>[^\s<>@,;\"]{1,64}@[^\s<>@,;\"]{1,189})>"
)


class ConfigError(Exception):
    """A variable is missing or malformed. The message names it and never its value."""


class StoreKind(StrEnum):
    """Where the data is: the variable STORE."""

    D1 = "d1"
    POSTGRES = "postgres"


class SignUp(StrEnum):
    """Who may make an account: the variable SIGN_UP. With an invitation everybody may."""

    OPEN = "open"
    DOMAIN = "domain"
    INVITATION = "invitation"


class Records(StrEnum):
    """Where single usage records stay: the variable LEDGER_RECORDS."""

    STORE = "store"  # for LEDGER_RETENTION_DAYS, then in the archive
    ARCHIVE = "archive"  # in the store until their day is settled and summed, then in the archive


class MailKind(StrEnum):
    """Who takes our mails: the variable MAIL."""

    NONE = "none"
    OUTBOX = "outbox"  # kept and shown at /dev/outbox, on a developer's machine only
    CLOUDFLARE = "cloudflare"  # the binding EMAIL
    HTTP = "http"  # a provider with Resend's API


@dataclass(frozen=True, slots=True)
class MailConfig:
    """Settings of mail.

    kind: MAIL. address, name: MAIL_FROM, `no-reply@example.com` or `Headgate <no-reply@example.com>`.
    api_url, api_key: MAIL_API_URL and MAIL_API_KEY, of the provider.
    """

    kind: MailKind = MailKind.NONE
    address: str = ""
    name: str = ""
    api_url: str = ""
    api_key: str = field(default="", repr=False)

    @property
    def sender(self) -> str:
        """Return address and name as they stand in a mail."""
        return f"{self.name} <{self.address}>" if self.name else self.address


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """Settings of people's accounts.

    sign_up: SIGN_UP, who may make an account. sign_up_domains: SIGN_UP_DOMAINS, the domains of addresses for `domain`.
    password_min_length: PASSWORD_MIN_LENGTH, in characters. password_memory_kib, password_passes:
    PASSWORD_MEMORY_KIB, PASSWORD_PASSES, what one hash costs (Argon2id).
    public_url: PUBLIC_URL, where people reach this deployment; links in mails lead there and nowhere else.
    """

    sign_up: SignUp = SignUp.INVITATION
    sign_up_domains: frozenset[str] = frozenset()
    password_min_length: int = 12
    password_memory_kib: int = 19 * 1024
    password_passes: int = 2
    public_url: str | None = None


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Settings of what people sign in with.

    issuer: PUBLIC_URL, where people reach this deployment; access tokens name it as who has made them.
    cors_origins: CORS_ORIGINS, the origins whose pages may call this deployment, with credentials.
    idle_minutes, days: SESSION_IDLE_MINUTES, SESSION_DAYS, after which a browser's session ends: unused, and at all.
    refresh_days: REFRESH_DAYS, how long an app stays signed in at most.
    """

    issuer: str = "urn:headgate"
    cors_origins: frozenset[str] = frozenset()
    idle_minutes: int = 1440
    days: int = 14
    refresh_days: int = 30


@dataclass(frozen=True, slots=True)
class PlaceConfig:
    """Where Durable Objects are made: see `lib.runtime.objects.placement`.

    gate_location: GATE_LOCATION, near what the gates are made. jurisdiction: JURISDICTION, what all of them stay in.
    """

    gate_location: str | None = None
    jurisdiction: str | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """Settings; the names in upper case are the environment's.

    secret: HEADGATE_SECRET, at least 32 characters, from which the pepper of the API keys is derived.
    older_secrets: HEADGATE_SECRET_PREVIOUS, those that it was before, with commas; see `lib.secrets.rotation`.
    upstream_timeout_seconds: UPSTREAM_TIMEOUT_SECONDS, how long one call to a provider may last, its stream included.
    output_floor_tokens: OUTPUT_FLOOR_TOKENS, the least output that a budget must cover where a client sets no maximum.
    default_output_tokens: DEFAULT_OUTPUT_TOKENS, the most that we ask for then of a model whose maximum nobody told.
    ledger_records: LEDGER_RECORDS, where single usage records stay.
    ledger_retention_days: LEDGER_RETENTION_DAYS, how long in the store, where they stay there.
    account, session, mail, place: see there.
    """

    secret: str = field(repr=False)
    upstream_timeout_seconds: int
    output_floor_tokens: int
    default_output_tokens: int
    ledger_retention_days: int
    ledger_records: Records = Records.STORE
    account: AccountConfig = AccountConfig()
    session: SessionConfig = SessionConfig()
    mail: MailConfig = MailConfig()
    place: PlaceConfig = PlaceConfig()
    older_secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return all secrets that hold, the current one first."""
        return (self.secret, *self.older_secrets)


def read_config(variable: Callable[[str], str | None]) -> Config:
    """Read the settings through `variable`, which returns a variable's text or None. Raises ConfigError."""
    secret = variable("HEADGATE_SECRET") or ""
    if len(secret) < MIN_SECRET_CHARACTERS:
        raise ConfigError(f"HEADGATE_SECRET must have at least {MIN_SECRET_CHARACTERS} characters")
    return Config(
        secret=secret,
        upstream_timeout_seconds=_whole("UPSTREAM_TIMEOUT_SECONDS", variable, 600, 3600),
        output_floor_tokens=_whole("OUTPUT_FLOOR_TOKENS", variable, 64, 9999),
        default_output_tokens=_whole("DEFAULT_OUTPUT_TOKENS", variable, 4096, 99_999),
        ledger_retention_days=_whole("LEDGER_RETENTION_DAYS", variable, 30, 3650, least=7),
        ledger_records=Records(_one_of("LEDGER_RECORDS", variable, tuple(Records)) or Records.STORE),
        account=(account := _account(variable)),
        session=_session(variable),
        mail=_mail(variable, account.public_url),
        place=read_place(variable),
        older_secrets=older_secrets(variable("HEADGATE_SECRET_PREVIOUS") or "", secret),
    )


def read_place(variable: Callable[[str], str | None]) -> PlaceConfig:
    """Read where Durable Objects are made. Raises ConfigError."""
    return PlaceConfig(_one_of("GATE_LOCATION", variable, LOCATIONS), _one_of("JURISDICTION", variable, JURISDICTIONS))


def older_secrets(text: str, current: str) -> tuple[str, ...]:
    """Read a list with commas, without the current one, which may stand there before there is a new one.

    Raises ConfigError.
    """
    listed = tuple(dict.fromkeys(each.strip() for each in text.split(",") if each.strip()))
    if len(listed) > MOST_OLDER_SECRETS or any(len(each) < MIN_SECRET_CHARACTERS for each in listed):
        raise ConfigError(
            f"HEADGATE_SECRET_PREVIOUS must list at most {MOST_OLDER_SECRETS} secrets with commas between them, each of"
            f" at least {MIN_SECRET_CHARACTERS} characters"
        )
    return tuple(each for each in listed if each != current)


def _session(variable: Callable[[str], str | None]) -> SessionConfig:
    public_url = variable("PUBLIC_URL")
    return SessionConfig(
        issuer=base_url("PUBLIC_URL", public_url) if public_url else SessionConfig().issuer,
        cors_origins=_origins("CORS_ORIGINS", variable("CORS_ORIGINS") or ""),
        idle_minutes=_whole("SESSION_IDLE_MINUTES", variable, 1440, 9999),
        days=_whole("SESSION_DAYS", variable, 14, 90),
        refresh_days=_whole("REFRESH_DAYS", variable, 30, 365),
    )


def _origins(name: str, text: str) -> frozenset[str]:
    """Read a list with commas. `*` is no origin: with credentials it would let in every page there is."""
    origins = [origin.strip() for origin in text.split(",") if origin.strip()]
    if len(origins) > MOST_ORIGINS or not all(_ORIGIN.fullmatch(origin) for origin in origins):
        raise ConfigError(f"{name} must list at most {MOST_ORIGINS} origins as browsers send them: https://example.com")
    return frozenset(origins)


def _account(variable: Callable[[str], str | None]) -> AccountConfig:
    sign_up = _sign_up(variable("SIGN_UP"))
    domains = _domains(variable("SIGN_UP_DOMAINS") or "")
    if sign_up is SignUp.DOMAIN and not domains:
        raise ConfigError("SIGN_UP is domain, so SIGN_UP_DOMAINS must list one")
    public_url = variable("PUBLIC_URL")
    config = AccountConfig(
        sign_up=sign_up,
        sign_up_domains=domains,
        password_min_length=_whole("PASSWORD_MIN_LENGTH", variable, 12, 128, least=8),
        password_memory_kib=_whole("PASSWORD_MEMORY_KIB", variable, 19 * 1024, 65_536, least=7 * 1024),
        password_passes=_whole("PASSWORD_PASSES", variable, 2, 20),
        public_url=base_url("PUBLIC_URL", public_url) if public_url else None,
    )
    if config.password_memory_kib * config.password_passes < LEAST_PASSWORD_WORK:
        raise ConfigError(f"PASSWORD_MEMORY_KIB times PASSWORD_PASSES must be at least {LEAST_PASSWORD_WORK}")
    return config


def _mail(variable: Callable[[str], str | None], public_url: str | None) -> MailConfig:
    kind = _mail_kind(variable("MAIL"))
    if kind is MailKind.NONE:
        return MailConfig()
    if kind is MailKind.OUTBOX and urlsplit(public_url or "").hostname not in LOOPBACK:
        # It shows everybody's mails to anybody.
        raise ConfigError("MAIL is outbox, which is for one's own machine: PUBLIC_URL must lead to 127.0.0.1")
    if kind is MailKind.OUTBOX:
        return MailConfig(kind)
    sender = _SENDER.fullmatch(variable("MAIL_FROM") or "")
    if sender is None:
        raise ConfigError("MAIL_FROM must be an address, as in `Headgate <no-reply@example.com>`")
    address, name = sender["bare"] or sender["address"], sender["name"] or ""
    if kind is not MailKind.HTTP:
        return MailConfig(kind, address, name)
    api_key = variable("MAIL_API_KEY")
    if not api_key or not (api_key.isascii() and api_key.isprintable()):
        raise ConfigError("MAIL is http, so MAIL_API_KEY must be set, and be printable ASCII")
    return MailConfig(kind, address, name, base_url("MAIL_API_URL", variable("MAIL_API_URL") or RESEND_URL), api_key)


def _mail_kind(text: str | None) -> MailKind:
    try:
        return MailKind(text or MailKind.NONE)
    except ValueError:
        raise ConfigError(f"MAIL must be {', '.join(MailKind)}") from None


def _sign_up(text: str | None) -> SignUp:
    try:
        return SignUp(text or SignUp.INVITATION)
    except ValueError:
        raise ConfigError(f"SIGN_UP must be {', '.join(SignUp)}") from None


def _domains(text: str) -> frozenset[str]:
    domains = [domain.strip().lower() for domain in text.split(",") if domain.strip()]
    plain = text.isascii()  # the lower case of some other letters is ASCII
    if not plain or len(domains) > MOST_DOMAINS or not all(_DOMAIN.fullmatch(domain) for domain in domains):
        raise ConfigError(f"SIGN_UP_DOMAINS must be at most {MOST_DOMAINS} domains with commas between them")
    return frozenset(domains)


def _one_of(name: str, variable: Callable[[str], str | None], known: tuple[str, ...]) -> str | None:
    text = variable(name) or None
    if text is not None and text not in known:
        raise ConfigError(f"{name} must be one of {', '.join(known)}")
    return text


def read_store(variable: Callable[[str], str | None]) -> StoreKind:
    """Return which store is chosen; D1 where nothing is said. Raises ConfigError."""
    try:
        return StoreKind(variable("STORE") or StoreKind.D1)
    except ValueError:
        raise ConfigError(f"STORE must be {' or '.join(StoreKind)}") from None


def base_url(name: str, text: str) -> str:
    """Return the address that a variable holds, without slashes at its end. Raises ConfigError."""
    try:
        parts = urlsplit(text)
        well_formed = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number, a bracket that is not closed
        well_formed = False
    if not well_formed or any(character in text for character in "@?#"):
        raise ConfigError(f"{name} must be an http(s) address without user, query or fragment")
    return text.rstrip("/")


def _whole(name: str, variable: Callable[[str], str | None], default: int, most: int, least: int = 1) -> int:
    text = variable(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and least <= int(text) <= most):
        raise ConfigError(f"{name} must be a whole number from {least} to {most}")
    return int(text)
