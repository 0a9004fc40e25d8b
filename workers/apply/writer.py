"""What can be done to a cluster, and what can be said of it afterwards? `live` and `recorded` answer alike."""

from typing import Literal, Protocol

import msgspec

from workers.core.errors import NetdiagError
from workers.core.steps import Step

StepState = Literal["pending", "sent", "done"]
Standing = Literal["there", "leaving", "gone"]


class Refused(NetdiagError):
    """The cluster will not do this; nothing was changed."""


class Moved(NetdiagError):
    """What was to be changed is no longer what it was; nothing was changed."""


class Unsure(NetdiagError):
    """The cluster did not answer: it may have been done, or not."""


class Taken(NetdiagError):
    """Another worker has written this claim since it was read."""


class Claim(msgspec.Struct, frozen=True):
    """One order's life, kept in the cluster that is changed, where it outlives Redis, the ledger and every worker.

    holder: the delivery that works on it. beat: rises while it lives. steps: how far each step is; `sent` is written
    before the call is made. outcome: the ChangeEnded as JSON, empty until then. version: the store's own, for
    compare-and-swap.
    """

    approval: str
    digest: str
    holder: str
    started: float
    steps: tuple[StepState, ...]
    beat: int = 0
    outcome: str = ""
    version: str = ""


class Writer(Protocol):
    """The one door to change."""

    async def apply(self, step: Step, *, dry_run: bool) -> None:
        """Do one step, or let the server rehearse it. Raises Refused, Moved or Unsure."""

    async def standing(self, step: Step) -> Standing:
        """Is what the step removes (by uid) still there? Raises Unsure, or Refused when it may not be seen."""

    async def settled(self, step: Step) -> bool:
        """Has the cluster answered the step (the successor is there and ready)? Raises Unsure or Refused."""

    def say(self, step: Step) -> str:
        """The step in words, after it was done."""

    def how_to_see(self, step: Step) -> str:
        """The command by which a person finds out whether the step was done."""

    async def create_claim(self, claim: Claim) -> Claim | None:
        """Atomically; None when this approval has a claim already. Raises Refused or Unsure."""

    async def read_claim(self, approval: str) -> Claim | None:
        """The claim, or None when there is none. Raises Refused or Unsure."""

    async def write_claim(self, claim: Claim) -> Claim:
        """Replace it, if it is still at `claim.version`. Raises Taken, Refused or Unsure."""
