"""How a check, a remedy and a probe declare themselves: one value at the end of the file.

Importing registers nothing.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Literal, Protocol, TypeVar

import msgspec

from workers.core.finding import Finding, Unknown
from workers.core.plan import Outcome, Plan, Refusal
from workers.core.query import NodeQuery, Query, Seen, T
from workers.core.target import Target

A = TypeVar("A")
B = TypeVar("B")


class Look(Protocol):
    """The one door to the world. A live cluster, a bundle and a direct kubeconfig are its implementations."""

    async def __call__(self, query: Query[T]) -> Seen[T]:
        """Answer one query; the same query twice in a run is answered once."""

    async def all(self, queries: Iterable[Query[T]]) -> list[Seen[T]]:
        """Answer queries in parallel, in their order."""

    async def both(self, one: Query[A], other: Query[B]) -> tuple[Seen[A], Seen[B]]:
        """Answer two queries of different kinds in parallel."""

    async def later(self, query: Query[T], *, after: float) -> Seen[T]:
        """Look a second time, `after` seconds after the first answer (at most 30): for rates, and for
        differences that may settle.
        """


class Said(msgspec.Struct, frozen=True):
    """What a check says: findings, what it proved healthy (a sentence part each), and what it could not see."""

    findings: tuple[Finding, ...] = ()
    healthy: tuple[str, ...] = ()
    unknown: tuple[Unknown, ...] = ()


class Check(msgspec.Struct, frozen=True):
    """One question. `id` is `<folder>.<file>` with dashes; `title` is shown while it runs; `commands` run it.

    kinds: target kinds it can answer for. faults: ids that it may find. guide: sections of the guide that it covers.
    """

    id: str
    title: str
    analyse: Callable[[Target, Look], Awaitable[Said]]
    commands: tuple[str, ...]
    faults: tuple[str, ...]
    kinds: tuple[str, ...] = ("svc",)
    guide: tuple[str, ...] = ()


class Remedy(msgspec.Struct, frozen=True):
    """One kind of change. `plan` looks and returns steps as data, or why not; it never touches the cluster.

    title: a phrase in English and Chinese, with `{name}` for an argument of the offer.
    check: the id of the check that is run again afterwards. cannot_undo: the sentence for the card (English,
    Chinese), or None when the steps reversed undo it.
    """

    name: str
    title: dict[str, str]
    plan: Callable[[Target, dict[str, str], Look], Awaitable[Plan | Refusal]]
    verify: Callable[[tuple[Finding, ...], Said], Outcome]
    check: str
    risk: Literal["low", "medium", "high"]
    fault: str
    refusals: dict[str, dict[str, str]]
    cannot_undo: dict[str, str] | None = None


class Probe(msgspec.Struct, frozen=True):
    """One named look that the agent can take. `klass`: `look` reads, `load` sends traffic, `act` changes the node."""

    query: type[NodeQuery[Any]]
    take: Callable[..., Awaitable[Any]]
    klass: Literal["look", "load", "act"] = "look"
    timeout: float = 5.0
