"""What does a Corefile take from outside itself: variables, and files that it imports?"""

from collections.abc import Mapping
from typing import Protocol

MOST_REPLACEMENTS = 1000  # a variable that holds its own name would be replaced for ever, in CoreDNS too


class Unseen(Exception):
    """The files of the machine that CoreDNS runs on are not seen from here."""


class Files(Protocol):
    """The files that `import` may name."""

    def matching(self, pattern: str, origin: str) -> list[str]:
        """The names of the files that match, in order, beside the file that imports. Raises Unseen if none is here."""

    def read(self, name: str) -> str:
        """The text of one of them. Raises Unseen."""


class NoFiles:
    """Nothing but the Corefile is seen."""

    def matching(self, pattern: str, origin: str) -> list[str]:
        """None are seen. Raises Unseen."""
        del origin
        raise Unseen(pattern)

    def read(self, name: str) -> str:
        """None is seen. Raises Unseen."""
        raise Unseen(name)


class Variables:
    """`{$NAME}` and `{%NAME%}` become the variable's value; one that is not set becomes nothing, and is remembered."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.unset: dict[str, int] = {}  # name -> the line that asked for it

    def put_in(self, text: str, line: int) -> str:
        """The text with the values in place of the names."""
        return self._replace(self._replace(text, "{%", "%}", line), "{$", "}", line)

    def _replace(self, text: str, opens: str, closes: str, line: int) -> str:
        for _ in range(MOST_REPLACEMENTS):
            start = text.find(opens)
            end = text.find(closes, start) if start >= 0 else -1
            # `{$}` names nothing: it stays, and nothing after it is replaced.
            if end <= start + len(opens):
                return text
            name = text[start + len(opens) : end]
            if name not in self.values:
                self.unset.setdefault(name, line)
            text = text.replace(text[start : end + len(closes)], self.values.get(name, ""))
        return text
