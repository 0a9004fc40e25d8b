"""Does Go's regexp take this expression, and how many groups has it? Answered where it is certain.

Go's expressions are RE2's (https://github.com/google/re2/wiki/Syntax): no look-around, no references back. What uses
the plain parts of the language is judged; for the rest (classes by name, flags, unusual escapes) the answer is None.
"""

import re
from typing import NamedTuple

LONGEST = 10_000  # bytes; CoreDNS's plugins refuse longer ones
MOST_REPEATS = 1000
DEEPEST = 100  # Go refuses at 1,000; nobody writes 100
_REPEAT = re.compile(r"\{([0-9]+)(?:,([0-9]*))?\}", re.ASCII)
_NAME = re.compile(r"\(\?P?<([^>]*)>")
_PLAIN_ESCAPE = re.compile(r"\\[dDsSwWbBAzaftnrv.+*?()|\[\]{}^$\\/\-\"'#&~:;<>,@%=! _`]")
_REFERENCE = re.compile(r"\\[1-9]")
_LOOK_AROUND = ("(?=", "(?!", "(?<=", "(?<!", "(?>", "(?#", "(?(", "(?P=", "(?P>")


class Wrong(Exception):
    """Go refuses it."""


class _Unclear(Exception):
    pass


class Expression(NamedTuple):
    """An expression that Go takes, and its number of groups."""

    groups: int


def compiled(text: str) -> Expression | None:
    """The expression; None where it is not certain. Raises Wrong with what Go stumbles over."""
    if len(text.encode()) > LONGEST:
        raise Wrong(f"an expression of {len(text.encode())} bytes is longer than {LONGEST}")
    parser = _Parser(text)
    try:
        parser.alternatives(0)
    except _Unclear:
        return None
    if parser.at < len(text):
        raise Wrong("a `)` closes nothing")
    return Expression(parser.groups)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.groups = 0

    def alternatives(self, depth: int) -> None:
        """All up to the end, or to the `)` of this depth."""
        if depth > DEEPEST:
            raise _Unclear
        repeatable = repeated = False
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == ")":
                return
            quantifier = self.quantifier()
            if quantifier:
                if not repeatable:
                    raise Wrong(f"`{quantifier}` repeats nothing")
                if repeated:
                    raise Wrong(f"`{quantifier}` repeats what is repeated already")
                repeated = True
                continue
            repeatable, repeated = character != "|", False
            self.one(character, depth)

    def quantifier(self) -> str:
        """A quantifier with its lazy mark, if one stands here; it is taken."""
        counted = _REPEAT.match(self.text, self.at)
        found = counted[0] if counted else self.text[self.at] if self.text[self.at] in "*+?" else ""
        if counted:
            low, high = int(counted[1]), int(counted[2] or counted[1])
            if low > MOST_REPEATS or high > MOST_REPEATS or high < low:
                raise Wrong(f"`{found}` repeats too often")
            if low > 1 or high > 1:
                self.bounded()
        self.at += len(found)
        if found and self.text[self.at : self.at + 1] == "?":
            found += "?"
            self.at += 1
        return found

    def bounded(self) -> None:
        """Repeats of repeats may grow beyond what Go takes; that is left open."""
        if sum(int(one[2] or one[1]) for one in _REPEAT.finditer(self.text)) > MOST_REPEATS // 2:
            raise _Unclear

    def one(self, character: str, depth: int) -> None:
        """A group, a class, an escape or a character."""
        if character == "(":
            self.group(depth)
        elif character == "[":
            self.bracket()
        elif character == "\\":
            self.escape()
        else:
            self.at += 1

    def group(self, depth: int) -> None:
        """A group; those with `?:` are not counted."""
        rest = self.text[self.at : self.at + 4]
        name = _NAME.match(self.text, self.at)
        if any(rest.startswith(one) for one in _LOOK_AROUND):
            raise Wrong(f"Go's expressions have no `{rest[:3]}`")
        if rest.startswith("(?:"):
            self.at += 3
        elif name:
            self.name(name[1])
            self.groups += 1
            self.at = name.end()
        elif rest.startswith("(?"):
            raise _Unclear
        else:
            self.groups += 1
            self.at += 1
        self.alternatives(depth + 1)
        if self.at >= len(self.text):
            raise Wrong("a `(` is not closed")
        self.at += 1

    def name(self, name: str) -> None:
        """A group's name: letters, digits and `_`. Go takes the same name twice."""
        if not re.fullmatch(r"[A-Za-z0-9_]+", name):
            raise Wrong(f"a group cannot be called `{name}`")

    def bracket(self) -> None:
        """A class of characters: single ones, ranges upwards, plain escapes."""
        self.at += 1
        self.at += self.text.startswith("^", self.at)
        first = True
        while first or not self.text.startswith("]", self.at):
            low = self.member()
            if self.text.startswith("-", self.at) and self.text[self.at + 1 : self.at + 2] not in {"", "]"}:
                self.at += 1
                high = self.member()
                if not low or not high:
                    raise _Unclear
                if high < low:
                    raise Wrong(f"the range `{low}-{high}` is empty")
            first = False
        self.at += 1

    def member(self) -> str:
        """One member of a class; empty where it stands for several."""
        character = self.text[self.at : self.at + 1]
        if not character:
            raise Wrong("a `[` is not closed")
        if character == "[" and self.text.startswith("[:", self.at):
            raise _Unclear
        if character != "\\":
            self.at += 1
            return character
        self.escape(in_class=True)
        escaped = self.text[self.at - 1]
        return "" if escaped.isalnum() else escaped

    def escape(self, *, in_class: bool = False) -> None:
        """A backslash and what it hides."""
        if self.at == len(self.text) - 1:
            raise Wrong("a backslash ends it")
        if _REFERENCE.match(self.text, self.at) and self.text[self.at + 1 : self.at + 3].isdigit() is False:
            raise Wrong(f"Go's expressions have no `{self.text[self.at : self.at + 2]}`")
        plain = _PLAIN_ESCAPE.match(self.text, self.at)
        if not plain or plain[0][1] == " " or (in_class and plain[0][1] in "bBAz"):
            raise _Unclear
        self.at += 2
