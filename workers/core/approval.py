"""The life of an approval: which press may follow which, by whom, and until when.

Everything that affects this state machine lives in this file. It knows people, not accounts: `by` is always the
policy's name of a person.
Who has the role to grant is decided before (`bot.access`); whether a grant's signature holds is decided after, by the
change worker itself.
"""

import enum
from typing import Self

import msgspec

from workers.core.errors import NotAllowed


class State(enum.StrEnum):
    """Where an approval stands."""

    PLANNING = "planning"  # proposed; the change worker looks and plans
    REFUSED = "refused"  # there is no plan, and a reason
    ASKED = "asked"  # the plan is on the card, waiting for another person
    GRANTED = "granted"  # enough people said yes; the order is on its way
    STARTED = "started"  # the change worker holds the claim
    VERIFYING = "verifying"  # applied; the check that failed runs again
    DONE = "done"  # applied, and the check says it helped
    FAILED = "failed"  # applied, and it did not help; or it could not be applied
    UNKNOWN = "unknown"  # nobody can say whether it was applied; the card says how to find out
    DENIED = "denied"
    WITHDRAWN = "withdrawn"  # taken back by the one who asked
    EXPIRED = "expired"
    VOID = "void"  # what would be done is no longer what was approved


class Event(enum.StrEnum):
    """What can happen to an approval."""

    PLANNED = "planned"
    REFUSE = "refuse"
    APPROVE = "approve"
    DENY = "deny"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"
    VOID = "void"
    START = "start"
    APPLIED = "applied"
    HEALED = "healed"
    FAIL = "fail"
    LOSE = "lose"


TRANSITIONS: dict[State, dict[Event, State]] = {
    State.PLANNING: {
        Event.PLANNED: State.ASKED,
        Event.REFUSE: State.REFUSED,
        Event.WITHDRAW: State.WITHDRAWN,
        Event.EXPIRE: State.EXPIRED,
    },
    State.ASKED: {
        Event.APPROVE: State.GRANTED,
        Event.DENY: State.DENIED,
        Event.WITHDRAW: State.WITHDRAWN,
        Event.EXPIRE: State.EXPIRED,
    },
    # Once granted, only the change worker's word counts: it may have started already.
    State.GRANTED: {
        Event.START: State.STARTED,
        Event.VOID: State.VOID,
        Event.EXPIRE: State.EXPIRED,
        Event.FAIL: State.FAILED,
        Event.LOSE: State.UNKNOWN,
    },
    State.STARTED: {
        Event.APPLIED: State.VERIFYING,
        Event.VOID: State.VOID,
        Event.FAIL: State.FAILED,
        Event.LOSE: State.UNKNOWN,
    },
    State.VERIFYING: {Event.HEALED: State.DONE, Event.FAIL: State.FAILED, Event.LOSE: State.UNKNOWN},
    # The change worker may come back and say how it ended after all.
    State.UNKNOWN: {Event.HEALED: State.DONE, Event.FAIL: State.FAILED, Event.VOID: State.VOID},
    State.REFUSED: {},
    State.DONE: {},
    State.FAILED: {},
    State.DENIED: {},
    State.WITHDRAWN: {},
    State.EXPIRED: {},
    State.VOID: {},
}
ENDED = frozenset(state for state, moves in TRANSITIONS.items() if not moves)
PRESSES = frozenset({Event.APPROVE, Event.DENY, Event.WITHDRAW})


class Approval(msgspec.Struct, frozen=True):
    """One proposed change: who asked, until when (Unix seconds), how many other people must grant it, and who did."""

    id: str
    requester: str
    expires: float
    quorum: int = 1
    state: State = State.PLANNING
    granted_by: tuple[str, ...] = ()
    ended_by: str = ""

    @property
    def ended(self) -> bool:
        """Nothing can follow any more."""
        return self.state in ENDED

    def step(self, event: Event, *, by: str = "", now: float) -> Self:
        """The approval after `event`. Raises NotAllowed, with the reason's id, when it may not happen."""
        self._guard(event, by=by, now=now)
        if event is Event.APPROVE:
            granted = (*self.granted_by, by)
            if len(granted) < self.quorum:
                return msgspec.structs.replace(self, granted_by=granted)
            return msgspec.structs.replace(self, granted_by=granted, state=State.GRANTED)
        after = TRANSITIONS[self.state][event]
        return msgspec.structs.replace(self, state=after, ended_by=by if after in ENDED else "")

    def _guard(self, event: Event, *, by: str, now: float) -> None:
        if event not in TRANSITIONS[self.state]:
            raise NotAllowed(f"already-{self.state}", f"This is {self.state} already.")
        if event in PRESSES and not by:
            raise NotAllowed("nobody", "A press needs a person.")
        if event in PRESSES and now >= self.expires:
            raise NotAllowed("expired", "This has expired; run the check again.")
        if event is Event.APPROVE and by == self.requester:
            raise NotAllowed("own-request", "You asked for this; another person must approve it.")
        if event is Event.APPROVE and by in self.granted_by:
            raise NotAllowed("twice", "You approved this already.")
        if event is Event.WITHDRAW and by != self.requester:
            raise NotAllowed("not-requester", "Only the one who asked can take it back; you can deny it.")
        if event is Event.EXPIRE and now < self.expires:
            raise NotAllowed("not-expired", "This has not expired yet.")
