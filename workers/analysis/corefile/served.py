"""Which names does each server block answer, where does it listen, and can the blocks stand side by side?

As CoreDNS decides in core/dnsserver/register.go and address.go: each key gives a zone and a port; `bind` the addresses.
Two blocks for one zone and port are refused unless they bind to different addresses, or a `view` parts them.
"""

from typing import NamedTuple

from workers.analysis.corefile import names
from workers.parsers.corefile import outline
from workers.parsers.corefile.blocks import Block
from workers.parsers.corefile.outline import Plugin

ON_LO = ["127.0.0.1", "::1"]


class Zone(NamedTuple):
    """What one key of a server block stands for."""

    transport: str
    name: str
    port: str

    def __str__(self) -> str:
        """As CoreDNS writes it in its errors."""
        return f"{self.transport}://{self.name}:{self.port}"


class Served(NamedTuple):
    """A server block after its keys are read. `hosts`: the addresses it binds to, an empty one for all."""

    line: int
    zones: list[Zone]
    hosts: list[str]
    uses: dict[str, list[Plugin]]

    @property
    def keys(self) -> list[str]:
        """The keys as CoreDNS hands them to each plugin."""
        return [str(zone) for zone in self.zones]

    def origins(self, args: tuple[str, ...]) -> list[str]:
        """The zones of a plugin with these arguments."""
        return names.origins(list(args), self.keys)


def served(block: Block) -> Served:
    """A block with its keys read. Raises BadName."""
    zones: list[Zone] = []
    for key in block.keys:
        transport, rest = names.transport(key)
        named = names.split(rest)
        port = named.port or names.PORTS[transport]
        if port and not 0 <= int(port) <= 65535:  # noqa: PLR2004 -- ports end there
            raise names.BadName(f"{port} in `{key}` is no port")
        for zone in named.zones:
            names.split(zone if names.is_fqdn(zone) else f"{zone}.")
            zones.append(Zone(transport, names.normal(zone), port))
    uses = {name: outline.plugins(name, words) for name, words in block.plugins.items()}
    return Served(block.line, zones, _hosts(uses.get("bind", [])), uses)


def _hosts(binds: list[Plugin]) -> list[str]:
    if not binds:
        return [""]
    found = []
    for use in binds:
        out = {host for option in use.option("except")[-1:] for host in _addresses(option.args)}
        found += [host for host in _addresses(use.args) if host not in out]
    return found


def _addresses(words: tuple[str, ...]) -> list[str]:
    return [host for word in words for host in (ON_LO if word == "lo" else [word])]


class Clash(NamedTuple):
    """Two server blocks for the same zone, port and address; `alike`: not only overlapping."""

    line: int
    zone: Zone
    host: str
    alike: bool


def clashes(all_served: list[Served]) -> list[Clash]:
    """The keys that CoreDNS refuses because an earlier one stands for the same."""
    known: set[tuple[Zone, str]] = set()
    anywhere: set[Zone] = set()
    found = []
    for one in all_served:
        filtered = "view" in one.uses
        for zone in one.zones:
            for host in one.hosts:
                alike = (zone, host) in known
                overlaps = zone in anywhere and (not host or (zone, "") in known)
                if (alike and not filtered) or (overlaps and not alike):
                    found.append(Clash(one.line, zone, host, alike))
                elif not filtered:
                    known.add((zone, host))
                    anywhere.add(zone)
    return found


def meets(one: Served, other: Served) -> bool:
    """Do two server blocks listen on one address?"""
    return (
        not one.hosts
        or not other.hosts
        or any(mine == yours or not mine or not yours for mine in one.hosts for yours in other.hosts)
    )
