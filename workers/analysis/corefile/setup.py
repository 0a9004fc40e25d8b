"""What a plugin's setup is given, and how it says no.

A plugin's judge takes a Setup, walks over the words as the plugin's setup.go does, and raises Refused where that
returns an error. Where the answer hangs on something that is not in the Corefile, it calls `unsure` and goes on.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, NoReturn

from workers.parsers import go_values
from workers.parsers.corefile.reading import Reading
from workers.parsers.corefile.words import Word


class Refused(Exception):
    """CoreDNS does not take it: the sentence says why."""

    def __init__(self, sentence: str, line: int, file: str = "") -> None:
        super().__init__(sentence)
        self.line = line
        self.file = file


class Doubt(NamedTuple):
    """What cannot be judged from here, or what comes after setup, and on which line."""

    sentence: str
    line: int


class Setup(Reading):
    """The words of one plugin in one server block, the keys of the block, and the plugins beside it."""

    def __init__(self, words: list[Word], keys: list[str], beside: frozenset[str] = frozenset()) -> None:
        super().__init__(words)
        self.keys = keys
        self.beside = beside
        self.doubts: list[Doubt] = []
        self.late: list[Doubt] = []

    def refuse(self, sentence: str) -> NoReturn:
        """Raises Refused at this word."""
        raise Refused(sentence, self.line, self.file)

    def unsure(self, sentence: str) -> None:
        """Remember that the answer hangs on something that is not seen."""
        self.doubts.append(Doubt(sentence, self.line))

    def at_start(self, sentence: str) -> None:
        """Remember that setup takes it, and CoreDNS stops all the same when it starts."""
        self.late.append(Doubt(sentence, self.line))

    def uses(self, *, once: bool = False) -> Iterator[int]:
        """Stand on each use of the plugin in turn. Raises Refused at the second where only one may be."""
        count = 0
        while self.next():
            if once and count:
                self.refuse("it may stand only once in a server block")
            yield count
            count += 1

    def block(self) -> Iterator[str]:
        """Stand on each option of this use's block in turn."""
        while self.next_block():
            yield self.here

    def unknown(self) -> NoReturn:
        """Raises Refused: no such option."""
        self.refuse(f"it knows no option `{self.here}`")

    def arg(self) -> str:
        """The next argument. Raises Refused when the line ends."""
        if not self.next_arg():
            self.refuse(f"an argument is missing after `{self.here}`")
        return self.here

    def count(self, args: list[str], low: int, high: int | None = None) -> list[str]:
        """The arguments, when there are `low` to `high` of them (None: as many as you like). Raises Refused."""
        if len(args) < low or (high is not None and len(args) > high):
            wanted = f"{low}" if low == high else f"at least {low}" if high is None else f"{low} to {high}"
            self.refuse(f"`{self.here}`: {len(args)} arguments, and it takes {wanted}")
        return args

    def exactly(self, number: int) -> list[str]:
        """The rest of the line, when it has this many arguments. Raises Refused."""
        return self.count(self.args(), number, number)

    def number(self, text: str, low: int | None = None, high: int | None = None) -> int:
        """A whole number in bounds. Raises Refused."""
        value = go_values.atoi(text)
        if value is None:
            self.refuse(f"`{text}` is no whole number")
        if (low is not None and value < low) or (high is not None and value > high):
            self.refuse(f"{value} is too small or too large: {_bounds(low, high)}")
        return value

    def unsigned(self, text: str, bits: int, base: int = 10, high: int | None = None) -> int:
        """A number without sign, of so many bits. Raises Refused."""
        value = go_values.parse_uint(text, bits, base)
        if value is None or (high is not None and value > high):
            self.refuse(f"`{text}` is no number from 0 to {2**bits - 1 if high is None else high}")
        return value

    def duration(self, text: str, low: int | None = None, high: int | None = None) -> int:
        """A duration in nanoseconds, in bounds. Raises Refused."""
        value = go_values.duration(text)
        if value is None:
            self.refuse(f"`{text}` is no duration (write 10s, 500ms or 1m)")
        if (low is not None and value < low) or (high is not None and value > high):
            self.refuse(f"the duration {text} is out of bounds")
        return value

    def listen(self, address: str) -> None:
        """An address to listen on. Raises Refused; a name or a named port can be judged by that machine only."""
        parts = go_values.split_host_port(address)
        if parts is None:
            self.refuse(f"`{address}` is no address to listen on: `host:port` or `:port` is expected")
        host, port = parts
        number = go_values.atoi(port or "0")
        if number is not None and not 0 <= number <= 65535:  # noqa: PLR2004 -- ports end there
            self.refuse(f"{port} is no port")
        if number is None or not (host in {"", "localhost"} or go_values.ip(host)):
            self.unsure(f"whether it can listen on {address} is known on the machine only")


def _bounds(low: int | None, high: int | None) -> str:
    return f"{low} to {high} is taken" if low is not None and high is not None else f"{low} is the least"


Judge = Callable[[Setup], None]
