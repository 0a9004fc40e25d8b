"""What travels between bot and workers: tasks one way, events the other. JSON, versioned, both sides one release."""

from typing import Literal

import msgspec

from workers.core.finding import Finding, Report
from workers.core.plan import Outcome, Plan, Refusal
from workers.core.target import Request, Target

VERSION = 1
NAMESPACE = "netdiag"  # netdiag's own namespace in every cluster: agents' cards and claims are there


def claim_name(approval: str) -> str:
    """The ConfigMap that claims an approved change, in NAMESPACE: its creation is atomic, so one worker has it."""
    return f"netdiag-claim-{approval.lower()}"


def queue(role: Literal["look", "change"], cluster: str) -> str:
    """The Celery queue of one cluster's workers of a role."""
    return f"{role}.{cluster}"


def stream(cluster: str) -> str:
    """The Redis stream on which one cluster's workers answer; each entry has one field, `event`."""
    return f"netdiag:{cluster}:events"


class DiagnoseTask(msgspec.Struct, frozen=True, tag="diagnose"):
    """Run a command's checks on `request.target` and say what was found.

    asked: Unix seconds; what is older than `ttl` is not worth an answer.
    """

    run: str
    cluster: str
    request: Request
    asked: float
    ttl: float = 3600.0
    v: int = VERSION


class PlanTask(msgspec.Struct, frozen=True, tag="plan"):
    """Plan a remedy and try it as a server-side dry run."""

    approval: str
    run: str
    cluster: str
    target: Target
    remedy: str
    args: dict[str, str]
    v: int = VERSION


class ChangeTask(msgspec.Struct, frozen=True, tag="change"):
    """The order: the plan as approved, with its grants (tokens of purpose `grant`, claims `approval action cluster
    target digest person requester expires`).
    """

    approval: str
    run: str
    cluster: str
    plan: Plan
    digest: str
    requester: str
    quorum: int
    expires: float
    grants: tuple[str, ...]
    findings: tuple[Finding, ...]
    v: int = VERSION


Task = DiagnoseTask | PlanTask | ChangeTask


class CheckState(msgspec.Struct, frozen=True, omit_defaults=True):
    """One check of a run as it stands: `note` is a short plain text, such as "node-2 lags"."""

    id: str
    title: str
    state: Literal["pending", "running", "done", "problem", "failed"]
    note: str = ""


class RunStarted(msgspec.Struct, frozen=True, tag="run-started"):
    """A worker has taken the run; `target` is as resolved (a namespace found)."""

    run: str
    worker: str
    at: float
    target: Target
    checks: tuple[CheckState, ...]


class RunProgress(msgspec.Struct, frozen=True, tag="run-progress"):
    """How far the run is. `n` rises; an event with a smaller n than one already seen is old."""

    run: str
    n: int
    at: float
    checks: tuple[CheckState, ...]
    looked: int = 0
    found: tuple[str, ...] = ()


class RunDone(msgspec.Struct, frozen=True, tag="run-done"):
    """The run's report, and its bundle (bytes of a bundle file; empty when it was too large to send)."""

    run: str
    at: float
    took: float
    target: Target
    report: Report
    checks: tuple[CheckState, ...]
    bundle: bytes = b""


class RunAnswer(msgspec.Struct, frozen=True, tag="run-answer"):
    """The run ends without a report.

    reason: `unknown-target`, `ambiguous`, `forbidden`, `cluster-away`, `expired`, `failed`; `detail` is a plain
    sentence that says what to do; `choices` what may have been meant.
    """

    run: str
    at: float
    reason: str
    detail: str
    choices: tuple[str, ...] = ()


class Planned(msgspec.Struct, frozen=True, tag="planned"):
    """The plan, tried as a dry run."""

    approval: str
    at: float
    plan: Plan
    digest: str


class PlanRefused(msgspec.Struct, frozen=True, tag="plan-refused"):
    """No plan: the remedy refuses; or `detail` (a plain sentence) says what failed on the way to it."""

    approval: str
    at: float
    refusal: Refusal | None
    detail: str = ""


class ChangeStarted(msgspec.Struct, frozen=True, tag="change-started"):
    """The change worker holds the claim and begins."""

    approval: str
    at: float
    worker: str


class ChangeApplied(msgspec.Struct, frozen=True, tag="change-applied"):
    """Every step is done; verification follows. `again`: this was found done after a restart."""

    approval: str
    at: float
    steps: tuple[str, ...]
    again: bool = False


class ChangeEnded(msgspec.Struct, frozen=True, tag="change-ended"):
    """How it ended.

    result: `done`, `failed`, `void`, `refused` (the order proves too little) or `unknown`; `detail` a plain
    sentence, with what to do for `unknown`.
    """

    approval: str
    at: float
    result: Literal["done", "failed", "void", "refused", "unknown"]
    detail: str = ""
    outcome: Outcome | None = None


class Heartbeat(msgspec.Struct, frozen=True, tag="heartbeat"):
    """A worker lives."""

    worker: str
    role: Literal["look", "change"]
    cluster: str
    release: str
    at: float


Event = (
    RunStarted
    | RunProgress
    | RunDone
    | RunAnswer
    | Planned
    | PlanRefused
    | ChangeStarted
    | ChangeApplied
    | ChangeEnded
    | Heartbeat
)


def encode(message: Task | Event) -> str:
    """A message as JSON text."""
    return msgspec.json.encode(message).decode()


def decode_event(text: str | bytes) -> Event:
    """Raises msgspec.ValidationError for anything that is not an event of this release."""
    event: Event = msgspec.json.decode(text, type=Event)
    return event


def decode_task(text: str | bytes) -> Task:
    """Raises msgspec.ValidationError for anything that is not a task of this release."""
    task: Task = msgspec.json.decode(text, type=Task)
    return task
