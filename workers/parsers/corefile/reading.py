"""How do CoreDNS's plugins walk over their words: the next one, the arguments of this line, the options of a block?

The rules are those of caddyfile's Dispenser (coredns/caddy, caddyfile/dispenser.go). An argument stands on the line of
the word before it, in the same file.
"""

from workers.parsers.corefile.words import Word


class Reading:
    """A place in a list of words. Before the first `next` it stands before the first word."""

    def __init__(self, words: list[Word]) -> None:
        self.words = words
        self.at = -1
        self.nesting = 0

    @property
    def here(self) -> str:
        """The word it stands on; empty before the first."""
        return self.words[self.at].text if 0 <= self.at < len(self.words) else ""

    @property
    def line(self) -> int:
        """The line of that word."""
        return self.words[self.at].line if 0 <= self.at < len(self.words) else 0

    @property
    def file(self) -> str:
        """The imported file of that word."""
        return self.words[self.at].file if 0 <= self.at < len(self.words) else ""

    def next(self) -> bool:
        """Go to the next word."""
        if self.at >= len(self.words) - 1:
            return False
        self.at += 1
        return True

    def next_arg(self) -> bool:
        """Go to the next word if it stands on the same line."""
        if self.at < 0:
            self.at += 1
            return True
        if self.at < len(self.words) - 1:
            here, there = self.words[self.at], self.words[self.at + 1]
            if here.file == there.file and here.last_line == there.line:
                self.at += 1
                return True
        return False

    def next_block(self) -> bool:
        """Go to the next word of the block that begins on this line; False at its end, or where there is none."""
        if self.nesting:
            if not self.next():
                return False
            if self.here == "}":
                self.nesting -= 1
                return False
            return True
        opened = self.next_arg()
        if opened and self.here != "{":
            self.at -= 1
            opened = False
        if opened and self.next() and self.here != "}":
            self.nesting += 1
        return self.nesting > 0

    def args(self) -> list[str]:
        """The rest of this line, up to an opening brace."""
        found = []
        while self.next_arg():
            if self.here == "{":
                self.at -= 1
                break
            found.append(self.here)
        return found

    @property
    def begins_line(self) -> bool:
        """Is this word the first of its line?"""
        if self.at < 1:
            return True
        if self.at > len(self.words) - 1:
            return False
        before, here = self.words[self.at - 1], self.words[self.at]
        return before.file != here.file or before.last_line < here.line
