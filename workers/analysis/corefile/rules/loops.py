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
    if _returns(servers, server, _zones(use), (host, port), frozenset()):
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


def _zones(use: Plugin) -> list[str]:
    return names.zones(use.args[0])[:1] if use.args else []


def address(target: str) -> tuple[str, str]:
    """Host and port of an upstream."""
    transport, rest = names.transport(target)
    parts = go_values.split_host_port(rest)
    host, port = parts or (rest.strip("[]"), names.PORTS[transport])
    return host.partition("%")[0], port


def _returns(
    servers: list[Served], start: Served, zones: list[str], to: tuple[str, str], passed: frozenset[int]
) -> bool:
    """Does a query that is sent there come back to the server that it started from?"""
    for place, server in enumerate(servers):
        if place in passed or not zones or not _listens(server, *to) or not _serves(server, zones[0]):
            continue
        if server is start:
            return True
        for use in server.uses.get("forward", []):
            onward = [zone for zone in zones if any(names.within(zone, wide) for wide in _zones(use))]
            if any(_returns(servers, start, onward, address(target), passed | {place}) for target in use.args[1:]):
                return True
    return False


def _listens(server: Served, host: str, port: str) -> bool:
    everywhere = "" in server.hosts and names.loopback(host)
    return any(zone.port == port for zone in server.zones) and (everywhere or host in server.hosts)


def _serves(server: Served, zone: str) -> bool:
    return any(names.within(zone, one.name) for one in server.zones)
