"""Signing in with another provider: the way there, the way back, and the session at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lib.http import cookies
from lib.http.response import LogFacts
from lib.issuers.issuer import Identity, Issuer, Returned, SignInAttempt, comes_by_post
from lib.issuers.oidc_client import ProviderFailure
from lib.kernel.errors import BadGateway, Conflict, NotFound, Unauthorized
from lib.sessions import csrf, sessions
from lib.sign_in import accounts, logins, reauthentication, second_factor, sign_in_cookies
from lib.users import people

if TYPE_CHECKING:
    from lib.access.principal import Principal
    from lib.http.context import Context
    from lib.http.request import Headers
    from lib.sessions.sessions import NewSession
    from lib.sign_in.parts import SigningIn
    from lib.sign_in.reauthentication import Proof
    from lib.store.schema import UserRow

GUARDED = "sign_in_with"


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and what it carries meanwhile."""

    url: str
    cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CameBack:
    """How an attempt has ended: where the browser goes, and the cookies that it gets."""

    path: str
    cookies: tuple[str, ...] = field(repr=False)


def provider_named(parts: SigningIn, name: str) -> Issuer:
    """Return a provider that is configured. Raises NotFound."""
    if name not in parts.issuers:
        raise NotFound("There is no such identity provider.")
    return parts.issuers[name]


async def begin(parts: SigningIn, name: str, return_to: str, headers: Headers) -> Begun:
    """Begin to sign in, in a browser that a person has led here: an image, a frame or a script of any page is not one.

    A link on another's page may be: then the provider asks, even whoever is signed in there (ASVS V7.6.2). Raises
    Forbidden, NotFound; BadGateway where the provider can't be asked.
    """
    csrf.check_navigation(headers, parts.config.session)
    attempt = sign_in_cookies.new_attempt(name, return_to, parts.clock.now())
    return await _begun(parts, attempt, ask=not csrf.is_trusted_page(headers, parts.config.session))


async def begin_by_page(parts: SigningIn, name: str, return_to: str, invitation: str | None, headers: Headers) -> Begun:
    """Begin to sign in from the script of a page that we trust. Raises what `begin` does."""
    csrf.check_origin(headers, parts.config.session)
    attempt = sign_in_cookies.new_attempt(name, return_to, parts.clock.now(), invitation=invitation)
    return await _begun(parts, attempt, ask=False)


async def begin_adding(
    parts: SigningIn, principal: Principal, name: str, return_to: str, proof: Proof, context: Context
) -> Begun:
    """Begin to add a way in to one's own account, from a browser that is signed in.

    Whoever finds an open session must not get a way in that stays. Raises what `reauthentication.with_session` does,
    NotFound, BadGateway, and Unauthorized where it is no session.
    """
    sessions.signed_in(principal)
    user = await people.person(parts, principal)
    await reauthentication.with_session(parts, principal, user, proof, context)
    attempt = sign_in_cookies.new_attempt(name, return_to, parts.clock.now(), user.id, epoch=user.epoch)
    return await _begun(parts, attempt, ask=False)


async def come_back(
    parts: SigningIn, attempt: SignInAttempt, returned: Returned, headers: Headers, context: Context
) -> CameBack:
    """Sign in whoever the provider says it is; or add this way in, for who has begun that.

    Raises what `logins` does, BadGateway where the provider makes no sense, and TooManyRequests.
    """
    await parts.guard.check(GUARDED, "", context.address)
    identity = await _identify(parts, attempt, returned, context)
    if attempt.user_id is not None:
        await _still_signed_in(parts, attempt.user_id, headers)
        if (await logins.open_account(parts, attempt.user_id)).epoch != attempt.epoch:
            raise sign_in_cookies.gone()
        await logins.add(parts, identity, attempt, attempt.user_id)
        return CameBack(attempt.return_to, ())
    user, invitation = await logins.person_of(parts, identity, attempt)
    if user.totp_confirmed_at is not None:
        sealed = await sign_in_cookies.seal_code_wanted(parts, user.id, user.epoch, attempt.invitation)
        seconds = int(sign_in_cookies.CODE_TIME.total_seconds())
        path = _with_field(attempt.return_to, "sign_in=totp_required")
        return CameBack(path, (cookies.setting(sealed, seconds, sign_in_cookies.CODE_COOKIE),))
    await logins.settle(parts, user, invitation)
    return CameBack(attempt.return_to, (await _session(parts, user, headers, context),))


async def show_code(parts: SigningIn, code: str, headers: Headers, context: Context) -> tuple[str, ...]:
    """Go on with a code of the authenticator, where an account asks for one; return the cookies of the session.

    Raises BadRequest, Unauthorized and TooManyRequests; UnprocessableEntity for an invitation that has ended meanwhile.
    """
    value = cookies.read(headers.get("cookie"), sign_in_cookies.CODE_COOKIE)
    wanted = await sign_in_cookies.open_code_wanted(parts, value)
    user = await logins.open_account(parts, wanted.user_id)
    if user.epoch != wanted.epoch:
        raise sign_in_cookies.gone()
    invitation = await logins.invitation_of(parts, wanted.invitation, user.email)
    if user.totp_confirmed_at is None:
        raise Conflict("Codes are switched off meanwhile. Begin again.", code="totp_not_enabled")
    if not await second_factor.accepts(parts, user, code, context):
        await accounts.note_failed(parts, user.id)
        raise Unauthorized("The code is wrong.", code="invalid_credentials")
    await logins.settle(parts, user, invitation)
    return (await _session(parts, user, headers, context), cookies.clearing(sign_in_cookies.CODE_COOKIE))


async def _begun(parts: SigningIn, attempt: SignInAttempt, *, ask: bool) -> Begun:
    provider = provider_named(parts, attempt.provider)
    try:
        url = await provider.authorization_url(attempt, parts.clock.now(), ask=ask)
    except ProviderFailure as reason:
        raise _failed(reason) from None
    sealed = await sign_in_cookies.seal_attempt(parts, attempt)
    seconds = int(sign_in_cookies.ATTEMPT_TIME.total_seconds())
    cookie = cookies.setting(sealed, seconds, sign_in_cookies.ATTEMPT_COOKIE, crosses=comes_by_post(url))
    return Begun(url, cookie)


async def _identify(parts: SigningIn, attempt: SignInAttempt, returned: Returned, context: Context) -> Identity:
    provider = provider_named(parts, attempt.provider)
    try:
        identity = await provider.identify(attempt, returned, parts.clock.now())
    except ProviderFailure as reason:
        await parts.guard.failed(GUARDED, "", context.address)
        raise _failed(reason) from None
    await parts.guard.succeeded(GUARDED, "", context.address)
    return identity


async def _still_signed_in(parts: SigningIn, user_id: str, headers: Headers) -> None:
    """Raise Unauthorized unless this browser is signed in as the person who has begun."""
    cookie = sessions.cookie_of(headers)
    principal = await sessions.find(parts, cookie) if cookie else None
    if principal is None or principal.user_id != user_id:
        raise Unauthorized(sessions.WRONG, code="invalid_session")


async def _session(parts: SigningIn, user: UserRow, headers: Headers, context: Context) -> str:
    org_id = await people.choose_org(parts, user.id, None)
    new: NewSession = await sessions.begin(parts, user, org_id, context, sessions.cookie_of(headers))
    seconds = int((new.shown.expires_at - parts.clock.now()).total_seconds())
    return cookies.setting(new.cookie.value, seconds)


def _with_field(path: str, text: str) -> str:
    start, mark, fragment = path.partition("#")
    return f"{start}{'&' if '?' in start else '?'}{text}{mark}{fragment}"


def _failed(reason: ProviderFailure) -> BadGateway:
    """Tell the client that it was the provider, and the log what."""
    failure = BadGateway("The identity provider can't be reached, or its answer is wrong.", code="identity_provider")

    async def note() -> LogFacts:
        return {"reason": str(reason)}

    failure.finish = note
    return failure
