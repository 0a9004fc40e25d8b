"""Which zones does a word name: `example.org:53`, `tls://.`, `10.0.0.0/15`?

As CoreDNS reads them (plugin/normalize.go, plugin/pkg/cidr, plugin/pkg/parse/transport.go, and IsDomainName of
github.com/miekg/dns): lower case, with the last dot; a network becomes its reverse zones, one for each octet or nibble
that it does not fill.
"""

import ipaddress
from typing import NamedTuple

from workers.parsers import go_values
from workers.parsers.go_values import Network

TRANSPORTS = ("tls", "dns", "quic", "grpc", "https3", "https", "unix")
PORTS = {"dns": "53", "tls": "853", "quic": "853", "grpc": "443", "https": "443", "https3": "443", "unix": ""}
LONGEST_ZONE = 255
LONGEST_NAME = 256  # with the root's length byte
LONGEST_LABEL = 63


class BadName(Exception):
    """The word is no zone: the sentence says why."""


class Named(NamedTuple):
    """The zones of a word as they stand there, and its port (empty: none)."""

    zones: list[str]
    port: str


def transport(word: str) -> tuple[str, str]:
    """The protocol of `tls://rest` and the rest; dns where none is named."""
    for name in TRANSPORTS:
        if word.startswith(f"{name}://"):
            return name, word[len(name) + 3 :]
    return "dns", word


def split(word: str) -> Named:
    """Zones and port of a word without protocol. Raises BadName."""
    rest, colon, port = word.rpartition(":")
    if word == "" or (colon and not port):
        raise BadName(f"`{word}` ends where a port is expected" if word else "an empty word is no zone")
    number = go_values.atoi(port) if colon else None
    name = word if number is None else rest
    if len(name.encode()) > LONGEST_ZONE:
        raise BadName(f"a zone of {len(name.encode())} bytes is longer than {LONGEST_ZONE}")
    if not is_domain_name(name):
        raise BadName(f"`{name}` is no domain name")
    shown = "" if number is None else str(number)
    network = go_values.cidr(name)
    if network is None:
        return Named([name], shown)
    if name[0] == ":" or (name[0] == "0" and ":" in name):
        raise BadName(f"CoreDNS takes no network that begins like `{name}`")
    return Named(reverse_zones(network), shown)


def normal(name: str) -> str:
    """A name in lower case, with the last dot."""
    return (name if is_fqdn(name) else f"{name}.").lower()


def zones(word: str) -> list[str]:
    """The zones that a plugin reads from one of its arguments; none where the word is no zone: setup says nothing."""
    try:
        return [normal(zone) for zone in split(transport(word)[1]).zones]
    except BadName:
        return []


def origins(args: list[str], keys: list[str]) -> list[str]:
    """The zones of a plugin: its arguments, or the zones of its server block."""
    if args:
        return [zone for word in args for zone in zones(word)]
    return [(zones(key) or [key])[0] for key in keys]


def within(child: str, parent: str) -> bool:
    """Is a name in a zone? Both are normal."""
    return parent in {".", child} or child.endswith(f".{parent}")


def is_reverse(zone: str) -> bool:
    """CoreDNS's dnsutil.IsReverse: `in-addr.arpa.` itself is not one, only what lies under it."""
    return zone.endswith((".in-addr.arpa.", ".ip6.arpa."))


def is_fqdn(name: str) -> bool:
    """Does it end with a dot that no backslash hides?"""
    if not name.endswith("."):
        return False
    bare = name[:-1]
    return (len(bare) - len(bare.rstrip("\\"))) % 2 == 0


def is_domain_name(name: str) -> bool:
    r"""Is it one by miekg/dns: no empty label, labels of 63 bytes at most, `\\.` and `\\123` one byte each?"""
    if not name:
        return False
    raw = (name if is_fqdn(name) else f"{name}.").encode()
    size = begin = at = 0
    dot = escaped = False
    while at < len(raw):
        if raw[at] == ord("\\"):
            escaped, dot = not escaped, False
            hidden = 3 if len(raw) >= at + 4 and raw[at + 1 : at + 4].isdigit() else 1
            if size + 1 > LONGEST_NAME:
                return False
            at += hidden
            begin += hidden
        elif raw[at] == ord("."):
            escaped = False
            if dot or (at == 0 and len(raw) > 1) or at - begin > LONGEST_LABEL:
                return False
            size += 1 + at - begin
            if size > LONGEST_NAME:
                return False
            dot, begin = True, at + 1
        else:
            escaped = dot = False
        at += 1
    return not escaped


def reverse_zones(network: Network) -> list[str]:
    """The reverse zones that cover a network."""
    step = 4 if network.version == 6 else 8  # noqa: PLR2004 -- the version of IP
    prefix = -(-network.prefixlen // step) * step
    return [_reverse(part, step) for part in network.subnets(new_prefix=prefix)]


def _reverse(network: Network, step: int) -> str:
    labels = network.network_address.reverse_pointer.split(".")
    hidden = (network.max_prefixlen - network.prefixlen) // step
    return ".".join(labels[hidden:]) + "."


def is_address(word: str) -> bool:
    """Is it an IP address?"""
    return go_values.ip(word) is not None


def loopback(word: str) -> bool:
    """Is it an address of the own machine?"""
    found = go_values.ip(word)
    return found is not None and (
        found.is_loopback or found in {ipaddress.ip_address("0.0.0.0"), ipaddress.ip_address("::")}
    )
