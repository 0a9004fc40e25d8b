"""What does a line of iptables-save say?

A strict reader of `-A` and `:CHAIN` lines as iptables-legacy-save and iptables-nft-save print them (1.8.x; the two
differ in the order of options and in empty words), and as kube-proxy writes them for iptables-restore. What it does not
understand is an error and never a guess: a rule that is misread makes a healthy cluster look sick.
"""

import re
from collections import deque
from collections.abc import Iterable

import msgspec

from workers.core.errors import NetdiagError

# A quotation mark stands only around a whole word: iptables-save quotes a comment as one, and escapes `"`, `'` and `\`.
TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"(?=\s|$)|([^\s"]+)(?=\s|$)')
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
COUNTERS = re.compile(r"\[\d+:\d+\]")
CHAIN = re.compile(r":(\S+) (\S+)(?: \[\d+:\d+\])?\s*")
# Options whose value may look like an option: iptables-save leaves a comment such as `-x` without quotation marks.
ONE_VALUE = frozenset({"--comment", "--log-prefix", "--nfacct-name", "--string", "--name"})
LONG = {  # iptables-save prints the short ones; iptables-restore takes both
    "--append": "-A",
    "--source": "-s",
    "--src": "-s",
    "--destination": "-d",
    "--dst": "-d",
    "--protocol": "-p",
    "--proto": "-p",
    "--in-interface": "-i",
    "--out-interface": "-o",
    "--match": "-m",
    "--jump": "-j",
    "--goto": "-g",
    "--fragment": "-f",
    "--destination-port": "--dport",
    "--source-port": "--sport",
    "--destination-ports": "--dports",
    "--source-ports": "--sports",
}


class Unreadable(NetdiagError):
    """This line is not understood."""


class Option(msgspec.Struct, frozen=True):
    """One option of a rule, such as `! --dport 80`, by its short name where it has one."""

    name: str
    values: tuple[str, ...] = ()
    negated: bool = False

    @property
    def value(self) -> str:
        """The only value; empty when there is none."""
        return self.values[0] if self.values else ""


class Rule(msgspec.Struct, frozen=True):
    """One `-A` line.

    matches: the options before the target, in their order, `-m NAME` among them. target: of `-j` or `-g` (`goto`);
    empty for a rule that only counts. target_options: what follows the target, in its order.
    """

    chain: str
    matches: tuple[Option, ...]
    target: str
    target_options: tuple[Option, ...]
    raw: str
    goto: bool = False


def tokens(line: str) -> list[tuple[str, bool]]:
    """The words of a line, each with whether it stood in quotation marks. Raises Unreadable."""
    found: list[tuple[str, bool]] = []
    at = 0
    while True:
        while at < len(line) and line[at].isspace():
            at += 1
        if at == len(line):
            return found
        match = TOKEN.match(line, at)
        if match is None:
            raise Unreadable(f"a quotation mark is not closed or stands inside a word: {line[at : at + 40]!r}")
        quoted, plain = match.groups()
        found.append((plain, False) if quoted is None else (ESCAPED.sub(r"\1", quoted), True))
        at = match.end()


def rule(line: str) -> Rule:
    """One `-A CHAIN ...` line, counters before it allowed. Raises Unreadable."""
    words = tokens(line)
    if words and not words[0][1] and COUNTERS.fullmatch(words[0][0]):
        words = words[1:]
    if len(words) < 2 or words[0][0] not in {"-A", "--append"}:  # noqa: PLR2004 - -A and a chain
        raise Unreadable(f"a rule begins with -A and a chain: {line[:60]!r}")
    options = list(_options(words[2:]))
    jumps = [place for place, option in enumerate(options) if option.name in {"-j", "-g"}]
    if len(jumps) > 1 or any(len(options[place].values) != 1 or options[place].negated for place in jumps):
        raise Unreadable(f"a rule has one target at most: {line[:60]!r}")
    end = jumps[0] if jumps else len(options)
    jump = options[end] if jumps else Option("-j")
    return Rule(
        chain=words[1][0],
        matches=tuple(options[:end]),
        target=jump.value,
        target_options=tuple(options[end + 1 :]),
        raw=line,
        goto=jump.name == "-g",
    )


def _options(words: list[tuple[str, bool]]) -> Iterable[Option]:
    pending = deque(words)
    while pending:
        word, quoted = pending.popleft()
        negated = word == "!" and not quoted
        if negated:
            word, quoted = pending.popleft() if pending else ("", False)
        if quoted or not word.startswith("-") or word in {"-", "--"}:
            raise Unreadable(f"an option was expected, not {word!r}")
        name = LONG.get(word, word)
        values: list[str] = []
        if name in ONE_VALUE:
            if not pending:
                raise Unreadable(f"{name} has no value")
            values.append(pending.popleft()[0])
        else:
            while pending and (pending[0][1] or not pending[0][0].startswith(("-", "!"))):
                values.append(pending.popleft()[0])
        yield Option(name, tuple(values), negated)


def chain(line: str) -> tuple[str, str]:
    """A `:CHAIN POLICY [0:0]` line as (chain, policy); the policy of a chain that is not built in is `-`.

    Raises Unreadable.
    """
    match = CHAIN.fullmatch(line)
    if match is None:
        raise Unreadable(f"this declares no chain: {line[:60]!r}")
    return match.group(1), match.group(2)


def tables(text: str) -> dict[str, tuple[str, ...]]:
    """A whole iptables-save as table -> its lines. Raises Unreadable for what is no part of such a text."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("*"):
            current = found.setdefault(line[1:].strip(), [])
        elif line.strip() == "COMMIT":
            current = None
        elif current is None:
            raise Unreadable(f"this line stands in no table: {line[:60]!r}")
        else:
            current.append(line)
    return {name: tuple(lines) for name, lines in found.items()}
