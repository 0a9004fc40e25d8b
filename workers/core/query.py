"""What can be asked of the world, and what comes back: a value, or the reason why there is none."""

from typing import ClassVar, Generic, Literal, TypeVar

import msgspec

T = TypeVar("T")


class Query(msgspec.Struct, Generic[T], frozen=True, tag_field="query"):
    """One thing to look at; a value, so that it can be a key of a bundle.

    A subclass names itself by its tag and its answer's type by `answer`:
    `class Nodes(Query[NodeList], frozen=True, tag="nodes")` with `answer = NodeList`.
    """

    answer: ClassVar[type]


class NodeQuery(Query[T], frozen=True):
    """A query that the agent on `node` answers by the probe of the same name (the tag), with these fields as
    arguments.
    """

    node: str


Reason = Literal[
    "not-found",  # the API server knows no such object
    "forbidden",  # a right is missing; the detail names it
    "timeout",  # no answer in time
    "unreachable",  # no connection to the API server or the agent
    "api-only",
    "no-agent",  # no agent has published a key for this node
    "not-trusted",  # the answer's signature does not prove that this node gave it
    "clock-skew",  # the agent refused the token because its clock differs; the detail carries its time
    "refused",  # the agent or API server will not do this; the detail says why
    "unreadable",  # it answered, but not in a form that we can read
    "over-budget",  # this run has asked enough
    "not-recorded",  # a bundle that does not hold this query
]


class Missing(msgspec.Struct, frozen=True):
    """Why there is no value: `reason` for programs, `detail` for people (one sentence part, never trusted as
    markup).
    """

    reason: Reason
    detail: str = ""


class Seen(msgspec.Struct, Generic[T], frozen=True, omit_defaults=True):
    """The answer to one query.

    value: what was seen, or None, and then `missing` says why. source: `api` or `agent`. node: whose agent answered.
    at: when, as a Unix time in seconds by the collector's clock. took: seconds. truncated: there was more than was
    read.
    """

    value: T | None = None
    missing: Missing | None = None
    source: str = ""
    node: str = ""
    at: float = 0.0
    took: float = 0.0
    truncated: bool = False
