"""Does CoreDNS take this rewrite rule?"""

import re
from collections.abc import Callable

from workers.analysis.corefile import names, texts
from workers.analysis.corefile.setup import Setup
from workers.analysis.corefile.words import CLASSES, RCODES, TYPES
from workers.parsers import go_values

MATCHES = ("exact", "prefix", "suffix", "substring", "regex")
HIGHEST_RCODE = 23
VARIABLES = {"{qname}", "{qtype}", "{client_ip}", "{client_port}", "{protocol}", "{server_ip}", "{server_port}"}


def rewrite(setup: Setup) -> None:
    """plugin/rewrite/setup.go: a rule in one line, or in a block where each word is an argument."""
    for _ in setup.uses():
        line = setup.at
        args = setup.args()
        if len(args) < 2:  # noqa: PLR2004 -- `rewrite {`, `rewrite stop {`
            args += list(setup.block())
        here, setup.at = setup.at, line
        _rule(setup, args)
        setup.at = here


def _rule(setup: Setup, args: list[str]) -> None:
    if not args:
        setup.refuse("it has no rule")
    mode = args[0].lower()
    if mode in {"continue", "stop"}:
        args = args[1:]
        if not args:
            setup.refuse(f"a rule is missing after {mode}")
    kind, rest = args[0].lower(), args[1:]
    if kind in {"class", "type"}:
        _pair(setup, rest, TYPES if kind == "type" else CLASSES)
    elif kind in RULES:
        RULES[kind](setup, rest)
    else:
        setup.refuse(
            f"it knows no rule `{args[0]}`" + ("; answer rules follow a name rule" if kind == "answer" else "")
        )


def _pair(setup: Setup, args: list[str], known: frozenset[str]) -> None:
    for word in setup.count(args, 2, 2):
        if word.upper() not in known:
            setup.refuse(f"`{word}` is unknown")


def _name(setup: Setup, args: list[str]) -> None:
    """[exact|prefix|suffix|substring|regex] FROM TO [answer ...]."""
    setup.count(args, 2)
    match, rest = ("exact", args) if len(args) == 2 else (args[0].lower(), args[1:])  # noqa: PLR2004 -- FROM TO
    if len(rest) > 2:  # noqa: PLR2004 -- FROM TO
        _answers(setup, rest[2:])
    if match not in MATCHES:
        setup.refuse(f"a name is matched by {', '.join(MATCHES)}, not by `{args[0]}`")
    if match == "exact":
        # CoreDNS looks at them the other way round here: what is written is read as an expression.
        _substitution(setup, names.normal(rest[1]), names.normal(rest[0]))
    elif match == "regex":
        _substitution(setup, rest[0], rest[1])


def _substitution(setup: Setup, expression: str, written: str) -> None:
    """The text uses no more groups than the expression has."""
    groups = texts.expression(setup, expression)
    used = {int(one) for one in re.findall(r"\{(0|[1-9][0-9]?|100)\}", written)}
    if groups is not None and len(used) > groups:
        setup.refuse(f"`{written}` uses more groups than `{expression}` has")


def _answers(setup: Setup, args: list[str]) -> None:
    """A row of: answer auto | [answer] name FROM TO | [answer] value FROM TO."""
    setup.count(args, 2)
    at, automatic, named = 0, False, 0
    while at < len(args):
        if at == 0 and args[0] != "answer":
            setup.refuse(f"`{args[0]}` follows the rule where `answer` is expected")
        at += args[at] == "answer"
        if at >= len(args):
            setup.refuse("the kind of the answer rule is missing")
        kind = args[at]
        at += 1
        if kind == "auto":
            automatic = True
        elif kind in {"name", "value"}:
            if len(args) - at < 2:  # noqa: PLR2004 -- FROM TO
                setup.refuse(f"an answer rule for the {kind} takes two arguments")
            _substitution(setup, args[at], args[at + 1])
            at += 2
            named += kind == "name"
        else:
            setup.refuse(f"an answer rule is auto, name or value, not `{kind}`")
    if automatic and named:
        setup.refuse("auto and a rule for the name exclude each other")


def _ttl(setup: Setup, args: list[str]) -> None:
    """[MATCH] NAME SECONDS[-SECONDS]."""
    setup.count(args, 2, 3)
    low, dash, high = args[-1].partition("-")
    ends = [go_values.parse_uint(end or default, 32) for end, default in ((low, "0"), (high, "2147483647"))]
    if not dash:
        ends[1] = ends[0] if low else None
    if None in ends or args[-1] == "-" or (ends[0] or 0) > (ends[1] or 0):
        setup.refuse(f"`{args[-1]}` is no TTL and no range of TTLs")
    _matched(setup, args[:-1])


def _rcode(setup: Setup, args: list[str]) -> None:
    """[MATCH] NAME OLD NEW."""
    setup.count(args, 3, 4)
    for code in args[-2:]:
        number = go_values.parse_uint(code, 32)
        if (number is None or number > HIGHEST_RCODE) and code.upper() not in RCODES:
            setup.refuse(f"`{code}` is no answer code")
    _matched(setup, args[:-2])


def _matched(setup: Setup, args: list[str]) -> None:
    """A name, or how it is matched and a name."""
    if len(args) > 1:
        if args[0].lower() not in MATCHES:
            setup.refuse(f"a name is matched by {', '.join(MATCHES)}, not by `{args[0]}`")
        if args[0].lower() == "regex":
            texts.expression(setup, args[1])


def _cname(setup: Setup, args: list[str]) -> None:
    """[MATCH] FROM TO."""
    setup.count(args, 2, 3)
    # CoreDNS puts the expression into lower case before it compiles it.
    _matched(setup, [args[0], args[1].lower()] if len(args) > 2 else args[:1])  # noqa: PLR2004 -- FROM TO


def _edns0(setup: Setup, args: list[str]) -> None:
    """local|nsid|subnet append|replace|set|unset ... [revert]."""
    setup.count(args, 2)
    kind, action = args[0].lower(), args[1].lower()
    if action not in {"append", "replace", "set", "unset"}:
        setup.refuse(f"`{args[1]}` is none of append, replace, set, unset")
    if action != "unset" and args[-1] == "revert":
        args = args[:-1]
    if kind not in {"local", "nsid", "subnet"}:
        setup.refuse(f"`{args[0]}` is none of local, nsid, subnet")
    wanted = {"local": 3, "nsid": 2, "subnet": 2} if action == "unset" else {"local": 4, "nsid": 2, "subnet": 4}
    setup.count(args, wanted[kind], wanted[kind])
    if kind == "local":
        _local(setup, args[2], args[3] if action != "unset" else "")
    elif kind == "subnet" and action != "unset":
        setup.unsigned(args[2], 16, 0, high=32)
        setup.unsigned(args[3], 16, 0, high=128)


def _local(setup: Setup, code: str, data: str) -> None:
    setup.unsigned(code, 16, 0)
    if data.startswith("{") and data.endswith("}"):
        label = data[1:-1]
        if data not in VARIABLES and not 0 < label.find("/") < len(label) - 1:
            setup.refuse(f"`{data}` is no variable")
    elif data.startswith("0x") and (len(data) % 2 or not re.fullmatch(r"[0-9a-fA-F]*", data[2:])):
        setup.refuse(f"`{data}` is no hexadecimal text")


RULES: dict[str, Callable[[Setup, list[str]], None]] = {
    "name": _name,
    "edns0": _edns0,
    "ttl": _ttl,
    "cname": _cname,
    "rcode": _rcode,
}
