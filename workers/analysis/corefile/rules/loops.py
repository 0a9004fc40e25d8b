"""Does a server forward queries to itself, or round in a circle?

A query that comes back is forwarded again until memory ends; the loop plugin stops CoreDNS when it sees one (exit,
CrashLoopBackOff). The usual cause: a resolv.conf of the node that names a stub on 127.0.0.53 or the node's own cache.
"""

from collections.abc import Iterator

from workers.analysis.corefile import names
from workers.analysis.corefile.report import Problem, Severity
from workers.analysis.corefile.served import Served
from workers.parsers import go_values
from workers.parsers.corefile.outline import Plugin


def problems(servers: list[Served]) -> Iterator[Problem]:
    """Upstreams that lead back."""
    for server in servers:
        for use in server.uses.get("forward", []):
            for target in use.args[1:]:
                yield from _about(servers, server, use, target)


def _about(servers: list[Served], server: Served, use: Plugin, target: str) -> Iterator[Problem]:
    host, port = address(target)
    if not names.is_address(host):
        return
    if _returns(servers, server, _asked(server, use), (host, port), frozenset()):
        yield Problem(
            "forward-loop",
            Severity.CRITICAL,
            use.line,
            "forward",
            f"{target} is this CoreDNS itself: a query for {use.args[0]} comes back to the server on port {port} and is"
            " forwarded again without end",
        )
    elif names.loopback(host):
        yield Problem(
            "forward-loopback",
            Severity.WARNING,
            use.line,
            "forward",
            f"{target} is the own machine: in a pod that is the pod itself, where nothing of the node listens"
            + (" (127.0.0.53 is the node's systemd-resolved)" if host == "127.0.0.53" else "")
            + "; with hostNetwork it may lead back to CoreDNS",
        )


def _asked(server: Served, use: Plugin) -> list[str]:
    """The zones whose queries this forward sends on."""
    return _both([zone.name for zone in server.zones], names.zones(use.args[0])[:1] if use.args else [])


def _both(some: list[str], others: list[str]) -> list[str]:
    """What lies in a zone of each: the narrower of two that lie in each other."""
    pairs = [(one, other) for one in some for other in others]
    return [one for one, other in pairs if names.within(one, other)] + [
        other for one, other in pairs if names.within(other, one) and one != other
    ]


def address(target: str) -> tuple[str, str]:
    """Host and port of an upstream."""
    transport, rest = names.transport(target)
    parts = go_values.split_host_port(rest)
    host, port = parts or (rest.strip("[]"), names.PORTS[transport])
    return host.partition("%")[0], port


def _returns(
    servers: list[Served], start: Served, zones: list[str], to: tuple[str, str], passed: frozenset[int]
) -> bool:
    """Does a query for one of the zones that is sent there come back to the server that it started from?"""
    for place, server in enumerate(servers):
        here = _both(zones, [zone.name for zone in server.zones])
        if place in passed or not here or not _listens(server, *to):
            continue
        if server is start:
            return True
        for use in server.uses.get("forward", []):
            onward = _both(here, _asked(server, use))
            if any(_returns(servers, start, onward, address(target), passed | {place}) for target in use.args[1:]):
                return True
    return False


def _listens(server: Served, host: str, port: str) -> bool:
    everywhere = "" in server.hosts and names.loopback(host)
    return any(zone.port == port for zone in server.zones) and (everywhere or host in server.hosts)
