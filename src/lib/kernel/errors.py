"""The one tree of errors that a request can end with.

Services raise these; `lib.web.render` is the only place that turns one into an answer. `message` and `details` go to
the client, so they never hold a secret, a stack trace or an upstream's address.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar


class HeadgateError(Exception):
    """An answer that is not a success. `status` is HTTP's, `code` is stable, for programs; `message` is for people."""

    status: ClassVar[int] = 500
    code: str = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        details: Sequence[Mapping[str, object]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.param = param
        self.details = list(details)
        self.headers = dict(headers or {})
        self.facts: dict[str, object] = {}  # for the log line, never for the client
        self.finish: Callable[[], Awaitable[Mapping[str, object]]] | None = None  # see Response.finish


class InternalError(HeadgateError):
    """A defect of ours. The cause is in the log, never in the answer."""

    def __init__(self) -> None:
        super().__init__("Something went wrong on our side. Quote the request id when you report it.")


class BadRequest(HeadgateError):
    """Wrong syntax, a missing field, a wrong type."""

    status = 400
    code = "invalid_request"


class Unauthorized(HeadgateError):
    """No credential, or not a valid one."""

    status = 401
    code = "invalid_api_key"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message, code=code, headers={"www-authenticate": 'Bearer realm="headgate"'})


class Forbidden(HeadgateError):
    """The caller is known and may not do this."""

    status = 403
    code = "permission_denied"


class NotFound(HeadgateError):
    """Nothing here that the caller may know of."""

    status = 404
    code = "not_found"


class MethodNotAllowed(HeadgateError):
    """The path exists, this method does not. Always names the allowed ones (RFC 9110, 15.5.6)."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, allowed: Sequence[str]) -> None:
        allow = ", ".join(sorted(allowed))
        super().__init__(f"This path allows {allow}.", headers={"allow": allow})


class RequestTimeout(HeadgateError):
    """The body comes too slowly, or not at all. Clients may try again (RFC 9110, 15.5.9), and SDKs do."""

    status = 408
    code = "request_timeout"


class Conflict(HeadgateError):
    """The state does not allow it now."""

    status = 409
    code = "conflict"


class PreconditionFailed(HeadgateError):
    """`If-Match` or `If-None-Match` named a version that is not the current one."""

    status = 412
    code = "precondition_failed"

    def __init__(self, message: str = "It has changed since you read it. Read it again.") -> None:
        super().__init__(message)


class PayloadTooLarge(HeadgateError):
    """The body is over the route's cap. The rest of it is not read."""

    status = 413
    code = "payload_too_large"


class UriTooLong(HeadgateError):
    """The path and query are over the cap."""

    status = 414
    code = "uri_too_long"


class UnsupportedMediaType(HeadgateError):
    """The body's content type is not JSON."""

    status = 415
    code = "unsupported_media_type"


class UnprocessableEntity(HeadgateError):
    """Well formed, but a business rule says no."""

    status = 422
    code = "unprocessable"


class PreconditionRequired(HeadgateError):
    """A partial update must say which version it changes (RFC 6585, 3)."""

    status = 428
    code = "precondition_required"


class PaymentRequired(HeadgateError):
    """A budget is spent. Not 429: clients try that again by themselves."""

    status = 402
    code = "budget_exceeded"


class TooManyRequests(HeadgateError):
    """A limit is reached. `Retry-After` is among the headers where waiting helps."""

    status = 429
    code = "limit_reached"


class BadGateway(HeadgateError):
    """The provider could not be reached, or what it sent made no sense."""

    status = 502
    code = "upstream_error"


class Unavailable(HeadgateError):
    """A part that we need is away. Always says when to try again."""

    status = 503
    code = "unavailable"

    def __init__(self, message: str, *, code: str | None = None, retry_after_seconds: int = 1) -> None:
        super().__init__(message, code=code, headers={"retry-after": str(retry_after_seconds)})


class GatewayTimeout(HeadgateError):
    """The provider did not answer in time."""

    status = 504
    code = "upstream_timeout"
