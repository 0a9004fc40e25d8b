"""What is there to say of this Corefile?

First whether CoreDNS would load it, plugin by plugin, as its own setup decides; then, of what it would load, what will
hurt. All that would not load is told at once; CoreDNS itself stops at the first.
"""

from collections.abc import Iterator, Mapping

from workers.analysis.corefile import removed
from workers.analysis.corefile.judges import JUDGES
from workers.analysis.corefile.names import BadName
from workers.analysis.corefile.report import Problem, Report, Severity
from workers.analysis.corefile.rules import ignored, loops, missing, small_cache, unreachable
from workers.analysis.corefile.served import Served, clashes, served
from workers.analysis.corefile.setup import Refused, Setup
from workers.analysis.corefile.words import PLUGINS
from workers.parsers.corefile.blocks import Block, Malformed, blocks
from workers.parsers.corefile.outline import outline
from workers.parsers.corefile.outside import Files, NoFiles, Variables

RULES = (loops.problems, missing.problems, unreachable.problems, small_cache.problems, ignored.problems)
NOT_JUDGED = "not-judged"
# Setup takes it, so that a running CoreDNS that reloads goes as far as the start, and stops there.
NOT_STARTED = "not-started"
# These keep CoreDNS from loading the file.
FATAL = frozenset(
    {
        "syntax",
        "bad-zone",
        "zone-defined-twice",
        "no-tls",
        "unknown-plugin",
        "removed-plugin",
        "bad-argument",
        "removed-option",
    }
)


def lint(text: str, environment: Mapping[str, str] | None = None, files: Files | None = None) -> Report:
    """The report on a Corefile, with the variables and files that CoreDNS would see."""
    variables = Variables(environment or {})
    try:
        found = blocks(text, variables, files or NoFiles())
    except Malformed as error:
        wrong = Problem("syntax", Severity.CRITICAL, error.line, "", _where(str(error), error.file))
        return Report(loads=False, servers=outline(text), problems=[wrong], not_judged=[])
    problems = [
        *_outside(found.unseen, variables),
        *_empty(found.servers),
        *_keyless(found.keyless),
        *(problem for block in found.servers for problem in _block(block)),
    ]
    servers = _served(found.servers)
    problems += _clashing(servers)
    problems += [problem for rule in RULES for problem in rule(servers)]
    not_judged = sorted({name for block in found.servers for name in block.plugins if name in PLUGINS} - set(JUDGES))
    return Report(_loads(problems, not_judged), outline(text), sorted(problems, key=_order), not_judged)


def _loads(problems: list[Problem], not_judged: list[str]) -> bool | None:
    if any(problem.id in FATAL for problem in problems):
        return False
    return None if not_judged or any(problem.id in {NOT_JUDGED, NOT_STARTED} for problem in problems) else True


def _order(problem: Problem) -> tuple[int, int, str]:
    return list(Severity).index(problem.severity), problem.line, problem.id


def _where(sentence: str, file: str) -> str:
    return f"{sentence} (in {file})" if file else sentence


def _outside(unseen: list[tuple[str, int]], variables: Variables) -> Iterator[Problem]:
    for pattern, line in unseen:
        why = f"import {pattern}: neither a snippet of this file nor a file that is seen from here"
        yield Problem(NOT_JUDGED, Severity.INFO, line, "import", why)
    for name, line in variables.unset.items():
        why = f"the variable {name} is not set here: what it holds in the pod is not known"
        yield Problem(NOT_JUDGED, Severity.INFO, line, "", why)


def _empty(found: list[Block]) -> Iterator[Problem]:
    if not found:
        why = "there is no server block: CoreDNS answers every query with the asker's own address (whoami)"
        yield Problem("no-server", Severity.WARNING, 1, "", why)
    for block in found:
        if {"{", "}"} & set(block.keys) or not block.plugins:
            why = f"the server block {' '.join(block.keys)} has no plugin: every query to it is refused"
            yield Problem("empty-server", Severity.WARNING, block.line, "", why)


def _keyless(found: list[Block]) -> Iterator[Problem]:
    """Blocks without a zone: CoreDNS reads them, and forgets them."""
    for block in found:
        yield Problem(
            "no-zone", Severity.WARNING, block.line, "", "a server block without a zone is forgotten: write `.`"
        )
        for name, words in block.plugins.items():
            if name not in PLUGINS:
                yield _unknown(name, words[0].line)


def _block(block: Block) -> Iterator[Problem]:
    """What keeps one block from being loaded, and what of it cannot be judged."""
    try:
        read = served(block)
        keys = read.keys
        if "tls" not in block.plugins and (bare := {zone.transport for zone in read.zones} & {"quic", "https3"}):
            why = f"{' '.join(block.keys)}: {min(bare)} needs the plugin tls in the server block"
            yield Problem("no-tls", Severity.CRITICAL, block.line, "tls", why)
    except BadName as error:
        yield Problem("bad-zone", Severity.CRITICAL, block.line, "", f"{' '.join(block.keys)}: {error}")
        keys = block.keys
    beside = frozenset(block.plugins)
    for name, words in block.plugins.items():
        if name not in PLUGINS:
            yield _unknown(name, words[0].line)
        elif name in JUDGES:
            yield from _judged(name, Setup(words, keys, beside))


def _unknown(name: str, line: int) -> Problem:
    if why := removed.PLUGINS.get(name):
        return Problem("removed-plugin", Severity.CRITICAL, line, name, f"CoreDNS has no plugin {name} any more: {why}")
    why = f"CoreDNS 1.14.7 has no plugin {name}: only an image with this plugin built in loads the file"
    return Problem("unknown-plugin", Severity.CRITICAL, line, name, why)


def _judged(name: str, setup: Setup) -> Iterator[Problem]:
    try:
        JUDGES[name](setup)
    except Refused as error:
        gone = removed.OPTIONS.get((name, setup.here))
        if gone:
            yield Problem("removed-option", Severity.CRITICAL, error.line, name, f"{name}, {setup.here}: {gone}")
        else:
            why = _where(f"CoreDNS does not load {name}: {error}", error.file)
            yield Problem("bad-argument", Severity.CRITICAL, error.line, name, why)
    for late in setup.late:
        why = f"CoreDNS stops when {name} is started: {late.sentence}"
        yield Problem(NOT_STARTED, Severity.CRITICAL, late.line, name, why)
    for doubt in setup.doubts:
        yield Problem(NOT_JUDGED, Severity.INFO, doubt.line, name, doubt.sentence)


def _served(found: list[Block]) -> list[Served]:
    """The blocks whose keys can be read."""
    readable = []
    for block in found:
        try:
            readable.append(served(block))
        except BadName:
            continue
    return readable


def _clashing(servers: list[Served]) -> Iterator[Problem]:
    for clash in clashes(servers):
        on = f" on {clash.host}" if clash.host else ""
        why = f"{clash.zone}{on} is served by an earlier server block already: CoreDNS does not load the file"
        yield Problem("zone-defined-twice", Severity.CRITICAL, clash.line, "", why)
