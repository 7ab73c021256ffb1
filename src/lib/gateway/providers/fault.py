"""What a provider's refusal means, and whose it is to mend."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from lib.kernel.failures import Failure


class OperatorFault(Enum):
    """What no caller can mend, and this deployment's operator can: what its caller is told, and what its log notes.

    A client takes a 401 for its own key, and a 402 for a budget of its organisation's.
    """

    def __init__(self, code: str, message: str, failure: Failure) -> None:
        self.code = code
        self.message = message
        self.failure = failure

    KEY = (
        "provider_refused_key",
        "The provider refuses this deployment's own key, or what it may do. Its operator has to mend that.",
        Failure.PROVIDER_REFUSED_KEY,
    )
    CREDIT = (
        "provider_out_of_credit",
        "This deployment's account at the provider is out of credit; no budget here is. Its operator has to mend that.",
        Failure.PROVIDER_OUT_OF_CREDIT,
    )


@dataclass(frozen=True, slots=True)
class Fault:
    """A refusal: whether it is the operator's to mend, and the provider's body, without anything that is a secret or
    looks like a key.
    """

    operators: OperatorFault | None
    body: bytes
