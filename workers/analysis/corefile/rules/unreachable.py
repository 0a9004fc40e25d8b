"""Are there zones that no query reaches?

CoreDNS gives a query to the one server block with the longest matching zone; a plugin there sees only names within it.
"""

from collections.abc import Iterator

from workers.analysis.corefile import names
from workers.analysis.corefile.report import Problem, Severity
from workers.analysis.corefile.served import Served, Zone, meets

# plugin -> how many arguments stand before its zones, and behind them
ZONED = {"kubernetes": (0, 0), "k8s_external": (0, 0), "acl": (0, 0), "hosts": (1, 0), "file": (1, 0), "auto": (0, 0)}
ZONED |= {"cache": (0, 0), "template": (2, 0), "autopath": (0, 1), "metadata": (0, 0)}


def problems(servers: list[Served]) -> Iterator[Problem]:
    """Zones of plugins that lie outside their server, or that another server takes."""
    for server in servers:
        for plugin, line, zone in _zones(server):
            if not any(names.within(zone, one.name) or names.within(one.name, zone) for one in server.zones):
                yield Problem(
                    "zone-outside-server",
                    Severity.WARNING,
                    line,
                    plugin,
                    f"{plugin} is to answer {zone}, but this server block is asked only for"
                    f" {' '.join(one.name for one in server.zones)}",
                )
            elif taker := _taker(servers, server, zone):
                yield Problem(
                    "zone-shadowed",
                    Severity.WARNING,
                    line,
                    plugin,
                    f"{plugin} is to answer {zone}, but the server block {taker.name} on line"
                    f" {_line(servers, taker)} takes these queries first",
                )


def _zones(server: Served) -> Iterator[tuple[str, int, str]]:
    for plugin, (before, behind) in ZONED.items():
        for use in server.uses.get(plugin, []):
            args = use.args[before : len(use.args) - behind]
            if plugin == "cache" and args and args[0].isdigit():
                args = args[1:]
            for word in args:
                for zone in names.zones(word):
                    yield plugin, use.line, zone
    for use in server.uses.get("forward", []):
        for zone in names.zones(use.args[0])[:1] if use.args else []:
            yield "forward", use.line, zone


def _taker(servers: list[Served], server: Served, zone: str) -> Zone | None:
    """The zone of another block that gets the queries of this plugin, on every port where this block listens."""
    found = None
    for mine in server.zones:
        if not names.within(zone, mine.name):
            return None
        rivals = [
            one
            for other in servers
            if other is not server and meets(server, other) and "view" not in other.uses
            for one in other.zones
            if (one.transport, one.port) == (mine.transport, mine.port)
            and names.within(zone, one.name)
            and names.within(one.name, mine.name)
            and one.name != mine.name
        ]
        if not rivals:
            return None
        found = rivals[0]
    return found


def _line(servers: list[Served], zone: Zone) -> int:
    return next(server.line for server in servers if zone in server.zones)
