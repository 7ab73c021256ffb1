"""Signing in with another provider: the way there, the way back, and the session at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lib.http import cookies
from lib.http.errors import BadGateway, Conflict, NotFound, Unauthorized
from lib.http.response import LogFacts
from lib.identity import (
    accounts,
    credentials,
    csrf,
    logins,
    people,
    reauthentication,
    second_factor,
    sessions,
    sign_in_cookies,
)
from lib.identity.identity_provider import Attempt, Identity, IdentityProvider, Returned, comes_by_post
from lib.identity.oidc_client import ProviderFailure

if TYPE_CHECKING:
    from lib.http.request import Headers
    from lib.identity.context import Context
    from lib.identity.models import Principal
    from lib.identity.reauthentication import Proof
    from lib.identity.sessions import NewSession
    from lib.services import Services
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


def provider_named(services: Services, name: str) -> IdentityProvider:
    """Return a provider that is configured. Raises NotFound."""
    if name not in services.providers:
        raise NotFound("There is no such identity provider.")
    return services.providers[name]


async def begin(services: Services, name: str, return_to: str, headers: Headers) -> Begun:
    """Begin to sign in, in a browser that a person has led here: an image, a frame or a script of any page is not one.

    A link on another's page may be: then the provider asks, even whoever is signed in there (ASVS V7.6.2). Raises
    Forbidden, NotFound; BadGateway where the provider can't be asked.
    """
    csrf.check_navigation(headers, services.config.session)
    attempt = sign_in_cookies.new_attempt(name, return_to, services.clock.now())
    return await _begun(services, attempt, ask=not csrf.is_trusted_page(headers, services.config.session))


async def begin_by_page(
    services: Services, name: str, return_to: str, invitation: str | None, headers: Headers
) -> Begun:
    """Begin to sign in from the script of a page that we trust. Raises what `begin` does."""
    csrf.check_origin(headers, services.config.session)
    attempt = sign_in_cookies.new_attempt(name, return_to, services.clock.now(), invitation=invitation)
    return await _begun(services, attempt, ask=False)


async def begin_adding(
    services: Services, principal: Principal, name: str, return_to: str, proof: Proof, context: Context
) -> Begun:
    """Begin to add a way in to one's own account, from a browser that is signed in.

    Whoever finds an open session must not get a way in that stays. Raises what `reauthentication.with_session` does,
    NotFound, BadGateway, and Unauthorized where it is no session.
    """
    sessions.signed_in(principal)
    user = await accounts.person(services, principal)
    await reauthentication.with_session(services, principal, user, proof, context)
    attempt = sign_in_cookies.new_attempt(name, return_to, services.clock.now(), user.id, epoch=user.epoch)
    return await _begun(services, attempt, ask=False)


async def come_back(
    services: Services, attempt: Attempt, returned: Returned, headers: Headers, context: Context
) -> CameBack:
    """Sign in whoever the provider says it is; or add this way in, for who has begun that.

    Raises what `logins` does, BadGateway where the provider makes no sense, and TooManyRequests.
    """
    await services.guard.check(GUARDED, "", context.address)
    identity = await _identify(services, attempt, returned, context)
    if attempt.user_id is not None:
        await _still_signed_in(services, attempt.user_id, headers)
        if (await logins.open_account(services, attempt.user_id)).epoch != attempt.epoch:
            raise sign_in_cookies.gone()
        await logins.add(services, identity, attempt, attempt.user_id)
        return CameBack(attempt.return_to, ())
    user, invitation = await logins.person_of(services, identity, attempt)
    if user.totp_confirmed_at is not None:
        sealed = await sign_in_cookies.seal_code_wanted(services, user.id, user.epoch, attempt.invitation)
        seconds = int(sign_in_cookies.CODE_TIME.total_seconds())
        path = _with_field(attempt.return_to, "sign_in=totp_required")
        return CameBack(path, (cookies.setting(sealed, seconds, sign_in_cookies.CODE_COOKIE),))
    await logins.settle(services, user, invitation)
    return CameBack(attempt.return_to, (await _session(services, user, headers, context),))


async def show_code(services: Services, code: str, headers: Headers, context: Context) -> tuple[str, ...]:
    """Go on with a code of the authenticator, where an account asks for one; return the cookies of the session.

    Raises BadRequest, Unauthorized and TooManyRequests; UnprocessableEntity for an invitation that has ended meanwhile.
    """
    value = cookies.read(headers.get("cookie"), sign_in_cookies.CODE_COOKIE)
    wanted = await sign_in_cookies.open_code_wanted(services, value)
    user = await logins.open_account(services, wanted.user_id)
    if user.epoch != wanted.epoch:
        raise sign_in_cookies.gone()
    invitation = await logins.invitation_of(services, wanted.invitation, user.email)
    if user.totp_confirmed_at is None:
        raise Conflict("Codes are switched off meanwhile. Begin again.", code="totp_not_enabled")
    if not await second_factor.accepts(services, user, code, context):
        await accounts.note_failed(services, user.id)
        raise Unauthorized("The code is wrong.", code="invalid_credentials")
    await logins.settle(services, user, invitation)
    return (await _session(services, user, headers, context), cookies.clearing(sign_in_cookies.CODE_COOKIE))


async def _begun(services: Services, attempt: Attempt, *, ask: bool) -> Begun:
    provider = provider_named(services, attempt.provider)
    try:
        url = await provider.authorization_url(attempt, services.clock.now(), ask=ask)
    except ProviderFailure as reason:
        raise _failed(reason) from None
    sealed = await sign_in_cookies.seal_attempt(services, attempt)
    seconds = int(sign_in_cookies.ATTEMPT_TIME.total_seconds())
    cookie = cookies.setting(sealed, seconds, sign_in_cookies.ATTEMPT_COOKIE, crosses=comes_by_post(url))
    return Begun(url, cookie)


async def _identify(services: Services, attempt: Attempt, returned: Returned, context: Context) -> Identity:
    provider = provider_named(services, attempt.provider)
    try:
        identity = await provider.identify(attempt, returned, services.clock.now())
    except ProviderFailure as reason:
        await services.guard.failed(GUARDED, "", context.address)
        raise _failed(reason) from None
    await services.guard.succeeded(GUARDED, "", context.address)
    return identity


async def _still_signed_in(services: Services, user_id: str, headers: Headers) -> None:
    """Raise Unauthorized unless this browser is signed in as the person who has begun."""
    cookie = credentials.cookie_of(headers)
    principal = await sessions.find(services, cookie) if cookie else None
    if principal is None or principal.user_id != user_id:
        raise Unauthorized(sessions.WRONG, code="invalid_session")


async def _session(services: Services, user: UserRow, headers: Headers, context: Context) -> str:
    org_id = await people.choose_org(services, user.id, None)
    new: NewSession = await sessions.begin(services, user, org_id, context, credentials.cookie_of(headers))
    seconds = int((new.shown.expires_at - services.clock.now()).total_seconds())
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
