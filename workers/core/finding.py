"""What evidence means: a fault seen here, and what a run says of its target."""

from typing import Literal

import msgspec

Severity = Literal["critical", "warning", "info"]
Confidence = Literal["confirmed", "inferred"]
Verdict = Literal["broken", "at-risk", "healthy", "unknown"]
Param = str | int | float | bool | tuple[str, ...]


class Offer(msgspec.Struct, frozen=True):
    """A remedy that may help: its name and the arguments that `plan` takes (such as `{"node": "node-2"}`)."""

    remedy: str
    args: dict[str, str]


class Comparison(msgspec.Struct, frozen=True):
    """As it should be beside as it is: a small table. Cells are plain text; `columns` heads `rows`."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """A fault seen here.

    id: the fault's id. params: what its sentence needs (the fault file types them; times are Unix seconds). scope:
    where, e.g. `{"node": "node-2"}`.
    evidence: what proves it, one plain sentence part each. command: what an engineer could type to see it. compare:
    good beside bad.
    explains: ids of findings folded under this one, with the same scope. remedies: what may help.
    no_remedy: why none is offered, as a refusal id of the fault file's `no_remedy` (empty: nothing to say).
    """

    id: str
    severity: Severity
    confidence: Confidence
    params: dict[str, Param] = {}
    scope: dict[str, str] = {}
    evidence: tuple[str, ...] = ()
    command: str = ""
    compare: Comparison | None = None
    explains: tuple[str, ...] = ()
    remedies: tuple[Offer, ...] = ()
    no_remedy: str = ""


class Unknown(msgspec.Struct, frozen=True):
    """Something that was needed and could not be seen: `what` and `reason`, both plain text."""

    what: str
    reason: str


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run found, causes first.

    `folded` are symptoms that `findings` explain. `healthy`: what was proven so, a sentence part each.
    """

    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    folded: tuple[Finding, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    healthy: tuple[str, ...] = ()
