"""A change as data: its steps, its digest, and what became of it."""

import hashlib
from typing import Literal

import msgspec
import rfc8785

from workers.core.steps import Step
from workers.core.target import Target

Outcome_ = Literal["healed", "not-healed", "unknown"]


class Refusal(msgspec.Struct, frozen=True):
    """Why a remedy will not be planned: an id of its `refusals`, and the parameters of that sentence."""

    reason: str
    params: dict[str, str] = {}


class Plan(msgspec.Struct, frozen=True, omit_defaults=True):
    """The exact change.

    `touches`: what is affected, a plain sentence part each. `owner`: who else manages it, if anybody does.
    """

    remedy: str
    target: Target
    args: dict[str, str]
    steps: tuple[Step, ...]
    touches: tuple[str, ...] = ()
    owner: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over the RFC 8785 text of the steps: what is granted, and what must come out again just
        before it is applied.
        """
        return hashlib.sha256(rfc8785.dumps(msgspec.to_builtins(self.steps))).hexdigest()


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """Did the change help? `before` and `after` are the same facts, plain text each, in the same order (label,
    value).
    """

    result: Outcome_
    before: tuple[tuple[str, str], ...] = ()
    after: tuple[tuple[str, str], ...] = ()
    note: str = ""
