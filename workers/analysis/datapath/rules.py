"""A node's rules, ready to be walked: which chains are there, and what are a chain's rules?

Chains are read when a walk comes to them and kept: a Service is some thirty rules, a node may have 200,000.
"""

import re
from collections.abc import Iterable, Mapping

from workers.parsers import iptables
from workers.parsers.iptables import Rule, Unreadable

Line = Rule | Unreadable
RULE = re.compile(r"(?:\[\d+:\d+\] )?-A (\S+)")


class Ruleset:
    """Tables of iptables-save lines (`:CHAIN ...` and `-A ...`, in their order).

    Raises Unreadable for a line that is neither.
    """

    def __init__(self, tables: Mapping[str, Iterable[str]]) -> None:
        self._lines: dict[tuple[str, str], list[str]] = {}
        self._read: dict[tuple[str, str], tuple[Line, ...]] = {}
        self.policies: dict[tuple[str, str], str] = {}
        for table, lines in tables.items():
            for line in lines:
                self._add(table, line)

    def _add(self, table: str, line: str) -> None:
        if line.startswith(":"):
            name, policy = iptables.chain(line)
            self._lines.setdefault((table, name), [])
            self.policies[table, name] = policy
            return
        match = RULE.match(line)
        if match is None:
            raise Unreadable(f"this line is no rule and no chain: {line[:60]!r}")
        self._lines.setdefault((table, match.group(1)), []).append(line)

    def has(self, table: str, chain: str) -> bool:
        """Is there such a chain, be it empty?"""
        return (table, chain) in self._lines

    def chain(self, table: str, chain: str) -> tuple[Line, ...]:
        """The rules of a chain in their order; an Unreadable in the place of each that is not understood."""
        key = (table, chain)
        if key not in self._read:
            self._read[key] = tuple(_read(line) for line in self._lines.get(key, ()))
        return self._read[key]


def _read(line: str) -> Line:
    try:
        return iptables.rule(line)
    except Unreadable as error:
        return error
