"""Does CoreDNS take the arguments of the plugins that shape a server: bind, reload, loop and others?"""

import re

from workers.analysis.corefile.setup import Setup
from workers.parsers import go_values

LEAST_INTERVAL = 2 * go_values.SECOND
LEAST_JITTER = go_values.SECOND
SMALLEST, LARGEST = 512, 4096  # bytes of a UDP answer
HEADER_FLAGS = ("aa", "ra", "rd")
# The kernel takes 15 bytes without `/` and blanks; a name that begins with a digit is meant to be an address.
_INTERFACE = re.compile(r"[A-Za-z_][\w.@-]{0,14}", re.ASCII)


def bind(setup: Setup) -> None:
    """plugin/bind/setup.go: addresses, or interfaces of that machine."""
    for _ in setup.uses():
        _interfaces(setup, setup.count(setup.args(), 1))
        out: list[str] = []
        for option in setup.block():
            if option != "except":
                setup.unknown()
            out = setup.count(setup.args(), 1)
        _interfaces(setup, out)  # of several lines CoreDNS keeps the last


def _interfaces(setup: Setup, args: list[str]) -> None:
    for word in args:
        if go_values.ip(word) is None and word != "lo":
            if not _INTERFACE.fullmatch(word):
                setup.refuse(f"`{word}` is neither an address nor an interface")
            setup.unsure(f"whether there is an interface {word} is known on the machine only")


def bufsize(setup: Setup) -> None:
    """plugin/bufsize/setup.go: only the first use is read."""
    setup.next()
    for size in setup.count(setup.args(), 0, 1):
        setup.number(size, SMALLEST, LARGEST)


def reload(setup: Setup) -> None:
    """plugin/reload/setup.go: [INTERVAL [JITTER]] of the first use."""
    setup.next()
    args = setup.count(setup.args(), 0, 2)
    for text in args[:1]:
        setup.duration(text, LEAST_INTERVAL)
    for text in args[1:]:
        if setup.duration(text):
            setup.duration(text, LEAST_JITTER)


def loop(setup: Setup) -> None:
    """plugin/loop/setup.go."""
    for _ in setup.uses(once=True):
        if setup.next_arg():
            setup.refuse("it takes no argument")


def loadbalance(setup: Setup) -> None:
    """plugin/loadbalance/setup.go."""
    for _ in setup.uses():
        args = setup.args()
        policy = args[0] if args else "round_robin"
        if policy == "weighted":
            setup.count(args, 2, 2)
            for option in setup.block():
                if option != "reload":
                    setup.unknown()
                setup.duration(setup.exactly(1)[0])
            setup.unsure(f"the weights in {args[1]} are a file of the pod")
        elif policy != "round_robin" or len(args) > 1:
            setup.refuse(f"it takes round_robin or weighted FILE, not `{' '.join(args)}`")
        for option in setup.block():
            if option != "prefer":
                setup.unknown()
            for word in setup.args():
                if go_values.cidr(word) is None:
                    setup.refuse(f"prefer takes networks, not `{word}`")


def whoami(setup: Setup) -> None:
    """plugin/whoami/setup.go and plugin/minimal/setup.go: no argument; a block or a second use is not looked at."""
    setup.next()
    if setup.next_arg():
        setup.refuse("it takes no argument")


def nsid(setup: Setup) -> None:
    """plugin/nsid/setup.go: any words."""
    for _ in setup.uses(once=True):
        setup.args()


def local(setup: Setup) -> None:
    """plugin/local/setup.go."""
    for _ in setup.uses():
        setup.exactly(0)
        for option in setup.block():
            if option != "localhost_prefix":
                setup.unknown()
            (word,) = setup.exactly(1)
            if word not in {"on", "off"}:
                setup.refuse(f"localhost_prefix takes on or off, not `{word}`")


def metadata(setup: Setup) -> None:
    """plugin/metadata/setup.go: zones, once, without a block."""
    setup.next()
    setup.args()
    if setup.next_block() or setup.next():
        setup.refuse("it takes zones only, and stands once in a server block")


def header(setup: Setup) -> None:
    """plugin/header/setup.go: only the first use that has a rule is read."""
    for _ in setup.uses():
        rules = 0
        for selector in setup.block():
            if selector.lower() not in {"query", "response"}:
                setup.refuse(f"a rule begins with query or response, not `{selector}`")
            action = setup.here if setup.next_arg() else ""
            if action.lower() not in {"set", "clear"}:
                setup.refuse(f"a rule sets or clears, and does not `{action}`")
            flags = setup.count(setup.args(), 1)
            for flag in flags:
                if flag.lower() not in HEADER_FLAGS:
                    setup.refuse(f"`{flag}` is none of the flags {', '.join(HEADER_FLAGS)}")
            rules += len(flags)
        if rules:
            return
    setup.refuse("it has no rule")
