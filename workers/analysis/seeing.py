"""How is it said that something could not be seen?"""

from collections.abc import Iterable
from typing import Any

from workers.core.evidence.service import Node
from workers.core.finding import Unknown
from workers.core.query import Missing, NodeQuery, Query, Seen

WORDS = {
    "not-found": "there is no such object",
    "forbidden": "the API server forbids it",
    "timeout": "no answer in time",
    "unreachable": "it cannot be reached",
    "api-only": "only the API server is asked; agents answer netdiag's own workers",
    "no-agent": "no agent has published a key for this node",
    "not-trusted": "the answer does not prove that this node gave it",
    "clock-skew": "the node's clock differs",
    "refused": "it refuses to answer",
    "unreadable": "the answer cannot be read",
    "over-budget": "this run has asked enough",
    "not-recorded": "the recorded run did not look at it",
}


def why(missing: Missing | None, query: Query[Any]) -> str:
    """A sentence part: why a query has no value."""
    if missing is None:
        return "the answer is empty"
    words = WORDS[missing.reason]
    if isinstance(query, NodeQuery) and missing.reason in {"timeout", "unreachable"}:
        words = f"no answer from the agent ({missing.reason})"
    return f"{words}: {missing.detail}" if missing.detail else words


def unknown(what: str, seen: Seen[Any], query: Query[Any]) -> Unknown:
    """What could not be seen, with the reason."""
    return Unknown(what, why(seen.missing, query))


def linux(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """The nodes with packet filter rules to look at. Those that are not ready are among them: a node that is cut off
    from the API server becomes so, and still takes traffic.
    """
    return tuple(node for node in nodes if node.os == "linux")


def named(node: Node) -> str:
    """A node's name, with what must be known to judge it."""
    return node.name if node.ready else f"{node.name} (not ready)"
