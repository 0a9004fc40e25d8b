"""Which words does a Corefile consist of?

The rules are those of caddyfile's lexer (coredns/caddy, caddyfile/lexer.go), its oddities too: a carriage return is
dropped wherever it stands; a quotation mark opens a quoted word only at a word's start; and a `#` inside a word hides
only the rest of that word, because the lexer forgets that it is in a comment when it hands out a word.
"""

from collections.abc import Iterator
from typing import NamedTuple

# Go's unicode.IsSpace; Python's str.isspace also takes \x1c to \x1f.
SPACES = frozenset("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | {chr(c) for c in range(0x2000, 0x200B)}


class Word(NamedTuple):
    """A word, the line it begins on, and the imported file it is from (empty: the Corefile itself)."""

    text: str
    line: int
    file: str = ""

    @property
    def last_line(self) -> int:
        """A quoted word may go over several lines."""
        return self.line + self.text.count("\n")


def words(text: str, file: str = "") -> list[Word]:
    """All words of a text, in order. Any text has words: nothing is refused here."""
    reader = _Reader(text.removeprefix("\ufeff"), file)
    return list(iter(reader.word, None))


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self.characters: Iterator[str] = iter(text)
        self.line = 1
        self.file = file

    def word(self) -> Word | None:
        """The next word; None at the end."""
        found: list[str] = []
        started, comment = self.line, False
        for character in self.characters:
            if character in SPACES:
                if character == "\r":
                    continue
                if character == "\n":
                    self.line += 1
                    comment = False
                if found:
                    break
                continue
            comment = comment or character == "#"
            if comment:
                continue
            if not found:
                started = self.line
                if character == '"':
                    return self.quoted()
            found.append(character)
        return Word("".join(found), started, self.file) if found else None

    def quoted(self) -> Word | None:
        """The rest of a quoted word. A backslash hides a quotation mark, and nothing else."""
        started, found, escaped = self.line, list[str](), False
        for character in self.characters:
            if not escaped and character == "\\":
                escaped = True
                continue
            if not escaped and character == '"':
                return Word("".join(found), started, self.file)
            self.line += character == "\n"
            found.append(f"\\{character}" if escaped and character != '"' else character)
            escaped = False
        return Word("".join(found), started, self.file) if found else None  # the closing mark is missing: not an error
