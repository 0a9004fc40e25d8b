"""Does CoreDNS take this forward: from where, to whom, how?"""

from collections.abc import Callable
from typing import NamedTuple

from workers.analysis.corefile import names
from workers.analysis.corefile.setup import Setup
from workers.analysis.corefile.words import RCODES
from workers.parsers import go_values

MOST_UPSTREAMS = 15
EXPIRE = 10 * go_values.SECOND
SPOKEN = {"dns", "tls", "https"}
# The kubelet puts this file into every container; CoreDNS reads it at start.
RESOLV_CONF = "/etc/resolv.conf"


class _How:
    def __init__(self) -> None:
        self.expire = EXPIRE
        self.max_age = 0
        self.server_name = ""


class Upstream(NamedTuple):
    """Where a query would go: protocol, address or name, and the TLS server name behind `%`."""

    transport: str
    host: str
    server_name: str


def forward(setup: Setup) -> None:
    """plugin/forward/setup.go and resolve.go."""
    for _ in setup.uses():
        zone = setup.arg()
        if not names.zones(zone):
            setup.refuse(f"`{zone}` is no zone to forward")
        targets = setup.count(setup.args(), 1)
        line = setup.at
        how = _How()
        for option in setup.block():
            _option(setup, option, how)
        here, setup.at = setup.at, line
        _upstreams(setup, targets, how)
        setup.at = here


def _option(setup: Setup, option: str, how: _How) -> None:
    match option:
        case "expire":
            how.expire = setup.duration(setup.arg(), 0)
        case "max_age":
            how.max_age = setup.duration(setup.arg(), 0)
        case "tls_servername":
            how.server_name = setup.arg()
        case "tls":
            if setup.count(setup.args(), 0, 3):
                setup.unsure("the certificates are files of the pod")
        case _ if option in OPTIONS:
            OPTIONS[option](setup)
        case _:
            setup.unknown()


def _flag(setup: Setup) -> None:
    if setup.next_arg():
        setup.refuse(f"`{setup.here}` follows an option that takes no argument")


def _resolvers(setup: Setup) -> None:
    for word in setup.count(setup.args(), 1):
        parts = go_values.split_host_port(word)
        if not names.is_address(parts[0] if parts else word):
            setup.refuse(f"resolver takes IP addresses, not `{word}`")


def _source(setup: Setup) -> None:
    if not names.is_address(setup.arg()):
        setup.refuse(f"source_address takes an IP address, not `{setup.here}`")


def _one_of(setup: Setup, word: str, *allowed: str) -> None:
    if word not in allowed:
        setup.refuse(f"`{word}` is none of {', '.join(allowed)}")


def _rcodes(setup: Setup, codes: list[str], *, failover: bool) -> None:
    for code in codes:
        if code.upper() not in RCODES:
            setup.refuse(f"`{code}` is no answer code")
        if failover and code.upper() == "NOERROR":
            setup.refuse("failover cannot wait for NOERROR: that is the good answer")


def _health_check(setup: Setup) -> None:
    setup.duration(setup.arg(), 0)
    while setup.next_arg():
        if setup.here == "domain":
            if not names.is_domain_name(setup.arg()):
                setup.refuse(f"`{setup.here}` is no domain name")
        elif setup.here != "no_rec":
            setup.refuse(f"health_check knows no `{setup.here}`")


OPTIONS: dict[str, Callable[[Setup], object]] = {
    "except": lambda setup: setup.count(setup.args(), 1),
    "max_fails": lambda setup: setup.unsigned(setup.arg(), 32),
    "max_connect_attempts": lambda setup: setup.unsigned(setup.arg(), 32),
    "max_idle_conns": lambda setup: setup.number(setup.arg(), 0),
    "max_concurrent": lambda setup: setup.number(setup.arg(), 0),
    "health_check": _health_check,
    "read_timeout": lambda setup: setup.duration(setup.arg(), 1),
    "force_tcp": _flag,
    "prefer_udp": _flag,
    "next_on_nodata": _flag,
    "failfast_all_unhealthy_upstreams": lambda setup: setup.exactly(0),
    "policy": lambda setup: _one_of(setup, setup.arg(), "random", "round_robin", "sequential"),
    "doh_method": lambda setup: _one_of(setup, setup.arg(), "POST", "GET"),
    "next": lambda setup: _rcodes(setup, setup.count(setup.args(), 1), failover=False),
    "failover": lambda setup: _rcodes(setup, setup.count(setup.args(), 1), failover=True),
    "resolver": _resolvers,
    "source_address": _source,
}


def _upstreams(setup: Setup, targets: list[str], how: _How) -> None:
    if 0 < how.max_age < how.expire:
        setup.refuse("max_age is shorter than expire (10s unless set)")
    if len(targets) > MOST_UPSTREAMS and not setup.doubts:
        setup.refuse(f"{len(targets)} upstreams, and {MOST_UPSTREAMS} is the most")
    for target in targets:
        transport, rest = names.transport(target)
        if transport == "https" and "/" in rest:
            setup.refuse(f"`{target}`: an https upstream has no path")
        found = upstream(setup, target)
        if found is None:
            continue
        if found.transport not in SPOKEN:
            setup.refuse(f"it does not speak {found.transport} to upstreams")
        if found.transport == "tls" and found.server_name and how.server_name:
            setup.refuse("the TLS server name is given twice: by tls_servername and behind `%`")


def upstream(setup: Setup, target: str) -> Upstream | None:
    """An upstream as setup sees it; None for a file. Raises Refused where it is neither address, file nor name."""
    transport, rest = names.transport(target)
    if not rest:
        setup.refuse(f"`{target}` names no upstream")
    if transport == "unix":
        return Upstream("unix", rest, "")
    parts = go_values.split_host_port(rest)
    host = parts[0] if parts else rest.strip("[]")
    bare, _, name = host.rpartition("%") if "%" in host else (host, "", "")
    if names.is_address(bare):
        # CoreDNS forgets to say https3 where no port is given, and goes on.
        return Upstream("dns" if transport == "https3" and not parts else transport, bare, name)
    if rest == RESOLV_CONF:
        return None
    return _by_name(setup, target, transport, rest)


def _by_name(setup: Setup, target: str, transport: str, rest: str) -> Upstream | None:
    parts = go_values.split_host_port(rest.partition("%")[0] if "%" in rest else rest)
    host = (parts[0] if parts else rest.partition("%")[0]).strip("[]")
    if "/" in rest:
        setup.unsure(f"{rest} is a file of the pod")
        return None
    last = host.rstrip(".").rpartition(".")[2]
    if transport not in SPOKEN or not names.is_domain_name(host) or names.is_address(host) or last.isdigit():
        setup.refuse(f"`{target}` is neither an address nor a name nor a file")
    setup.unsure(f"the name {host} is looked up when CoreDNS starts: without an answer it does not start")
    return Upstream(transport, host, "")
