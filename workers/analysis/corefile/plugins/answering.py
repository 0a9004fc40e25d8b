"""Does CoreDNS take the arguments of the plugins that answer by themselves: hosts file auto template dns64?"""

from workers.analysis.corefile import names, texts
from workers.analysis.corefile.setup import Setup
from workers.analysis.corefile.words import CLASSES, RCODES, TYPES
from workers.parsers import go_values

LONGEST_TTL = 65535  # seconds
SHORTEST_PREFIX, LONGEST_PREFIX = 32, 96


def hosts(setup: Setup) -> None:
    """plugin/hosts/setup.go: what is no option is a line of the hosts file, as long as no fallthrough came before."""
    for _ in setup.uses(once=True):
        setup.args()
        falls: list[str] = []
        unsupported = False
        for option in setup.block():
            match option:
                case "fallthrough":
                    falls = [zone for word in setup.args() or ["."] for zone in names.zones(word)]
                case "fallthrough_unsupported":
                    setup.exactly(0)
                    unsupported = True
                case "no_reverse":
                    pass
                case "ttl":
                    setup.number(setup.count(setup.args(), 1)[0], 1, LONGEST_TTL)
                case "reload":
                    setup.duration(setup.exactly(1)[0], 0)
                case _ if falls:
                    setup.refuse(f"`{option}` comes after fallthrough: the lines of the hosts file stand before it")
                case _:
                    setup.args()
        if unsupported and not falls:
            setup.refuse("fallthrough_unsupported needs fallthrough")


def file(setup: Setup) -> None:
    """plugin/file/setup.go: the zone file itself is read at setup."""
    for _ in setup.uses():
        name = setup.arg()
        setup.unsure(f"the zone in {name} is a file of the pod")
        setup.args()
        for option in setup.block():
            match option:
                case "fallthrough" | "upstream":
                    setup.args()
                case "reload":
                    setup.duration(setup.count(setup.args(), 1)[0])
                case "reload_by_mtime":
                    pass
                case _:
                    setup.unknown()


def auto(setup: Setup) -> None:
    """plugin/auto/setup.go: a missing directory is taken; so are bad zone files, which are skipped."""
    for _ in setup.uses():
        setup.args()
        for option in setup.block():
            match option:
                case "directory":
                    _directory(setup)
                case "reload":
                    setup.duration(setup.count(setup.args(), 1)[0], 0)
                case "upstream":
                    setup.args()
                case _:
                    setup.unknown()


def _directory(setup: Setup) -> None:
    """DIR [REGEXP TEMPLATE]."""
    setup.arg()
    if setup.next_arg():
        if texts.expression(setup, setup.here) == 0:
            setup.refuse(f"`{setup.here}` has no group for the template to use")
        setup.arg()
    if setup.next_arg():
        setup.refuse("directory takes a folder, an expression and a template")


def template(setup: Setup) -> None:
    """plugin/template/setup.go."""
    for _ in setup.uses():
        if setup.arg() not in CLASSES:
            setup.refuse(f"`{setup.here}` is no class: {', '.join(sorted(CLASSES))}")
        if setup.arg() not in TYPES:
            setup.refuse(f"`{setup.here}` is no record type")
        setup.args()
        for option in setup.block():
            _template_option(setup, option)


def _template_option(setup: Setup, option: str) -> None:
    match option:
        case "match":
            for text in setup.count(setup.args(), 1):
                texts.expression(setup, text)
        case "answer" | "additional" | "authority":
            for text in setup.count(setup.args(), 1):
                texts.template(setup, text)
        case "rcode":
            if setup.arg() not in RCODES:
                setup.refuse(f"`{setup.here}` is no answer code")
        case "ederror":
            setup.unsigned(setup.count(setup.args(), 1, 2)[0], 16)
        case "fallthrough" | "upstream":
            setup.args()
        case "var" | "expr":
            # CoreDNS 1.14.7 knows neither; the releases after it take an expression here.
            setup.count(setup.args(), 2 if option == "var" else 1)
            setup.unsure(f"{option} is newer than CoreDNS 1.14.7, and its expression is not judged")
        case _:
            setup.unknown()


def dns64(setup: Setup) -> None:
    """plugin/dns64/setup.go: a prefix as argument, or options."""
    for _ in setup.uses():
        for prefix in setup.count(setup.args(), 0, 1):
            _prefix(setup, prefix)
            break
        else:
            for option in setup.block():
                if option == "prefix":
                    _prefix(setup, setup.arg())
                elif option not in {"translate_all", "allow_ipv4"}:
                    setup.unknown()


def _prefix(setup: Setup, text: str) -> None:
    network = go_values.cidr(text)
    if network is None or network.version == 4:  # noqa: PLR2004 -- the version of IP
        setup.refuse(f"`{text}` is no IPv6 prefix")
    if network.prefixlen % 8 or not SHORTEST_PREFIX <= network.prefixlen <= LONGEST_PREFIX:
        setup.refuse(f"the prefix {text} is not 32, 40, 48, 56, 64, 72, 80, 88 or 96 bits long")
