"""What stands in a Corefile as written: server blocks, plugins, options, with nothing imported and nothing put in?

It is what coredns/corefile-migration shows: depth 0 are server blocks (snippets among them), depth 1 plugins, depth 2
options; what is nested deeper is listed among the options.
"""

from typing import NamedTuple

from workers.parsers.corefile.reading import Reading
from workers.parsers.corefile.words import Word, words


class Option(NamedTuple):
    """A line in a plugin's block."""

    name: str
    args: tuple[str, ...]
    line: int


class Plugin(NamedTuple):
    """A plugin's line, and its block."""

    name: str
    args: tuple[str, ...]
    line: int
    options: list[Option]

    def option(self, name: str) -> list[Option]:
        """The options of that name."""
        return [one for one in self.options if one.name == name]


class Server(NamedTuple):
    """A server block's keys and plugins, in order."""

    keys: tuple[str, ...]
    line: int
    plugins: list[Plugin]


def outline(text: str) -> list[Server]:
    """The server blocks as written. Any text has an outline."""
    reading, depth = Reading(words(text)), 0
    servers: list[Server] = []
    while reading.next():
        if reading.here in {"{", "}"}:
            depth = max(0, depth + (1 if reading.here == "{" else -1))
            continue
        name, line = reading.here, reading.line
        args = tuple(reading.args())
        if depth == 0:
            servers.append(Server((name, *args), line, []))
        elif servers and depth == 1:
            servers[-1].plugins.append(Plugin(name, args, line, []))
        elif servers and servers[-1].plugins:
            servers[-1].plugins[-1].options.append(Option(name, args, line))
    return servers


def plugins(name: str, kept: list[Word]) -> list[Plugin]:
    """A plugin's uses in one server block, from the words that its setup is given."""
    reading, found = Reading(kept), list[Plugin]()
    while reading.next():
        line = reading.line
        use = Plugin(name, tuple(reading.args()), line, [])
        while reading.next_block():
            option, at = reading.here, reading.line
            use.options.append(Option(option, tuple(reading.args()), at))
        found.append(use)
    return found
