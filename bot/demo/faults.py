"""What goes wrong at Slack on purpose? Tests say it here; each rule is used up after so many calls.

The sockets' own bad luck (disconnects, half-open links) is in `socket.py`.
"""

import fnmatch
from dataclasses import dataclass
from typing import Literal

Kind = Literal["slow", "status", "ratelimited", "error", "lost-answer"]


@dataclass
class Rule:
    """One kind of bad luck for the methods that match a pattern, so many times."""

    kind: Kind
    method: str
    times: int
    seconds: float = 0.0  # slow: before the answer. ratelimited: Retry-After
    status: int = 503
    error: str = ""


class Faults:
    """The bad luck that is planned. `duplicates`: how often each envelope is delivered (1 is good luck)."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.duplicates = 1

    def slow(self, seconds: float, *, method: str = "*", times: int = 1) -> None:
        """The call is answered `seconds` late."""
        self.rules.append(Rule("slow", method, times, seconds=seconds))

    def status(self, status: int, *, method: str = "*", times: int = 1) -> None:
        """The call ends with this HTTP status, and nothing is done."""
        self.rules.append(Rule("status", method, times, status=status))

    def ratelimited(self, retry_after: float, *, method: str = "*", times: int = 1) -> None:
        """The call ends with 429 and this Retry-After, and nothing is done."""
        self.rules.append(Rule("ratelimited", method, times, seconds=retry_after))

    def error(self, error: str, *, method: str = "*", times: int = 1) -> None:
        """The call ends with `ok: false` and this error, and nothing is done."""
        self.rules.append(Rule("error", method, times, error=error))

    def lost_answer(self, *, method: str = "*", times: int = 1) -> None:
        """The call is done, but the connection breaks before the answer: the caller cannot know."""
        self.rules.append(Rule("lost-answer", method, times))

    def take(self, method: str) -> list[Rule]:
        """The rules that hit this call; each is used up by one."""
        hit = [rule for rule in self.rules if rule.times > 0 and fnmatch.fnmatchcase(method, rule.method)]
        for rule in hit:
            rule.times -= 1
        self.rules = [rule for rule in self.rules if rule.times > 0]
        return hit
