"""What the ledger remembers of a run and of a proposed change: the values that cards are drawn from.

Each is one frozen value that is stored whole; the next version is made with `replace`.
"""

from typing import NamedTuple

import msgspec

from workers.core import run as run_life
from workers.core.approval import Approval
from workers.core.finding import Finding, Offer, Report
from workers.core.plan import Outcome, Plan, Refusal
from workers.core.target import Request, Target
from workers.core.wire import CheckState


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where answers go. `thread`: the ts of the thread that was asked in, when it was asked in one."""

    channel: str
    thread: str = ""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run's end without a report: see wire.RunAnswer."""

    reason: str
    detail: str
    choices: tuple[str, ...] = ()


class Run(msgspec.Struct, frozen=True, omit_defaults=True):
    """One command's life.

    typed: as it came from Slack. by: the person in the policy, `account` theirs in Slack. asked, started, ended,
    heard: Unix seconds; `heard` is when a worker last spoke of it. n: the newest progress seen since `started`.
    away_since: while it waits, when a worker of its cluster was last heard (0: never).
    """

    id: str
    cluster: str
    request: Request
    typed: str
    by: str
    account: str
    place: Place
    language: str
    asked: float
    state: run_life.State = run_life.State.QUEUED
    started: float = 0.0
    heard: float = 0.0
    ended: float = 0.0
    away_since: float = 0.0
    worker: str = ""
    target: Target | None = None
    checks: tuple[CheckState, ...] = ()
    n: int = 0
    looked: int = 0
    found: tuple[str, ...] = ()
    took: float = 0.0
    report: Report | None = None
    answer: Answer | None = None
    response_url: str = ""

    @property
    def asked_about(self) -> str:
        """The target as a person would type it: as resolved, else as typed."""
        target = self.target or self.request.target
        return str(target) if target else ""


class AuditRef(msgspec.Struct, frozen=True):
    """An entry of the audit, as a card names it."""

    seq: int
    hash: str


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One proposed change and what became of it.

    lock: what it would change; one open change per lock. account: the requester's in Slack. since: when its state was
    entered. refusal, detail: why it ended as it did. entry: the audit entry of its last step. away: it waits, and no
    change worker has been heard for a while.
    """

    id: str
    run: str
    cluster: str
    target: Target
    offer: Offer
    finding: Finding
    lock: str
    account: str
    place: Place
    language: str
    asked: float
    since: float
    approval: Approval
    plan: Plan | None = None
    digest: str = ""
    refusal: Refusal | None = None
    detail: str = ""
    worker: str = ""
    applied: tuple[str, ...] = ()
    again: bool = False
    away: bool = False
    outcome: Outcome | None = None
    entry: AuditRef | None = None


class Message(NamedTuple):
    """One message of ours in Slack. `ts` is empty until it is posted; `parent` is the key of the message that it
    answers; `hash` is of what was sent last.
    """

    key: str
    channel: str
    thread: str
    parent: str
    ts: str
    hash: str
