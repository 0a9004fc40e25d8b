"""Which of a node's rules concern one Service?

A node of a large cluster has 25 MB of rules, and the agent has a small memory limit. The text of iptables-save is read
once, in blocks: rules are kept compressed (about a sixth of the text) in chunks of one table each, with an index from
chain to chunk. Then only the chunks that hold wanted chains are opened again.

Wanted is: what matches the Service by address and port, node port or comment in any chain that is not some Service's
own; the KUBE- chains these rules jump to, and so on; and what a walk needs to get there: built-in chains' policies,
jumps into kube-proxy's dispatching chains, and its few chains that every Service shares.
"""

import ipaddress
import re
import zlib
from collections.abc import Iterable, Iterator

from workers.core.evidence.rules import RuleSlice

CHUNK = 1 << 18  # bytes of rules that are compressed together; a few ms to open again
SHARED = frozenset(  # small, and every Service's packets may pass them: taken whole
    {b"KUBE-MARK-MASQ", b"KUBE-MARK-DROP", b"KUBE-POSTROUTING", b"KUBE-FORWARD", b"KUBE-FIREWALL"}
)
DISPATCHING = frozenset(  # as long as there are Services: only what matches is taken
    {b"KUBE-SERVICES", b"KUBE-NODEPORTS", b"KUBE-EXTERNAL-SERVICES", b"KUBE-PROXY-FIREWALL"}
)
COMMON = SHARED | DISPATCHING
OWN = (b"KUBE-SVC-", b"KUBE-SVL-", b"KUBE-SEP-", b"KUBE-EXT-", b"KUBE-FW-", b"KUBE-XLB-")  # a Service's own chains
JUMP = re.compile(rb" -[jg] (KUBE-\S+)")
DESTINATION = re.compile(rb"(?<!!) -d (\S+)")
PROTOCOL = re.compile(rb"(?<!!) -p (\S+)")
PORTS = re.compile(rb"(?<!!) --dports? (\S+)")


class Matcher:
    """Does a rule concern the Service that is asked about?"""

    def __init__(self, query: RuleSlice) -> None:
        name = re.escape(f"{query.namespace}/{query.name}".encode())
        # kube-proxy writes `namespace/name`, then `:port` when the port has a name, then words: `has no endpoints`.
        self._comment = re.compile(rb'--comment "?(?:[^"]* )?' + name + rb'(?=[:" ]|$)')
        self._addresses = tuple(ipaddress.ip_address(text) for text in query.addresses)
        self._ports = {_port(text) for text in query.ports}
        self._node_ports = {_port(text) for text in query.node_ports}
        self._known: dict[bytes, bool] = {}

    def concerns(self, rule: bytes) -> bool:
        """By comment, by address (and port, if the rule names one), or by node port."""
        if self._comment.search(rule):
            return True
        destination, ports = DESTINATION.search(rule), PORTS.search(rule)
        if destination and self._covers(destination[1]):
            return ports is None or _any_port(self._ports, rule, ports[1])
        return ports is not None and _any_port(self._node_ports, rule, ports[1])

    def _covers(self, network: bytes) -> bool:
        known = self._known.get(network)
        if known is None:
            try:
                block = ipaddress.ip_network(network.decode(), strict=False)
            except ValueError:  # some other tool's notation
                return False
            known = any(address in block for address in self._addresses)
            if known or block.num_addresses > 1:  # every Service has an address: remember only what is rare
                self._known[network] = known
        return known


def _port(text: str) -> tuple[bytes, int]:
    protocol, _, number = text.partition("/")
    return protocol.lower().encode(), int(number)


def _any_port(wanted: set[tuple[bytes, int]], rule: bytes, ports: bytes) -> bool:
    protocol = PROTOCOL.search(rule)
    for part in ports.split(b","):
        low, colon, high = part.partition(b":")
        try:
            span = range(int(low or 0), int(high or (65535 if colon else low)) + 1)
        except ValueError:
            continue
        if any(port in span and (protocol is None or protocol[1] == name) for name, port in wanted):
            return True
    return False


class Table:
    """One table's chains in the order of their declaration, and its rules, compressed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.policies: dict[bytes, bytes] = {}  # built-in chains
        self.first: dict[bytes, int] = {}  # chain -> the first chunk with a rule of it; -1: it has none
        self.last: dict[bytes, int] = {}  # only for chains that reach into a later chunk
        self.chunks: list[bytes] = []
        self.seeds: set[bytes] = set()  # KUBE- chains that a rule about the Service jumps to
        self.notable: set[int] = set()  # chunks with a rule that is kept for itself
        self.open: list[bytes] = []
        self.size = 0

    def declare(self, chain: bytes, policy: bytes) -> None:
        """A `:CHAIN POLICY [0:0]` line."""
        self.first[chain] = -1
        if policy != b"-":
            self.policies[chain] = policy

    def add(self, chain: bytes, rule: bytes) -> None:
        """A `-A` line."""
        here = len(self.chunks)
        if self.first.get(chain, -1) < 0:
            self.first[chain] = here
        elif self.first[chain] != here:
            self.last[chain] = here
        self.open.append(rule)
        self.size += len(rule)
        if self.size > CHUNK:
            self.close()

    def close(self) -> None:
        """No more rules for the chunk that is being filled."""
        if self.open:
            self.chunks.append(zlib.compress(b"\n".join(self.open), 1))
            self.open, self.size = [], 0

    def where(self, chain: bytes) -> range:
        """The chunks that may hold rules of this chain."""
        first = self.first.get(chain, -1)
        return range(first, self.last.get(chain, first) + 1) if first >= 0 else range(0)

    def rules(self, chunks: Iterable[int]) -> Iterator[tuple[bytes, bytes]]:
        """(chain, rule) of these chunks, in the order of the table."""
        for number in sorted(set(chunks)):
            for rule in zlib.decompress(self.chunks[number]).split(b"\n"):
                yield rule[3:].partition(b" ")[0], rule


class Dump:
    """What one iptables-save printed: fed in blocks, then asked for the slice."""

    def __init__(self, query: RuleSlice) -> None:
        self.total = 0
        self.unreadable: list[str] = []
        self._matcher = Matcher(query)
        self._tables: list[Table] = []
        self._rest = b""

    @property
    def kube_chains(self) -> int:
        """How many chains are named KUBE-*, in all tables."""
        return sum(chain.startswith(b"KUBE-") for table in self._tables for chain in table.first)

    @property
    def has_services(self) -> bool:
        """kube-proxy's own: the kubelet makes other KUBE- chains, and perhaps with the other backend."""
        return any(b"KUBE-SERVICES" in table.first for table in self._tables)

    def feed(self, block: bytes) -> None:
        """The next part of the text, cut anywhere."""
        lines = (self._rest + block).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self._line(line)

    def finish(self) -> None:
        """That was all of the text."""
        self.feed(b"\n")
        for table in self._tables:
            table.close()

    def _line(self, line: bytes) -> None:
        kind = line[:1]
        if kind == b"-" and self._tables:
            self.total += 1
            chain = line[3:].partition(b" ")[0]
            table = self._tables[-1]
            if not chain.startswith(OWN) and self._kept(chain, line):
                table.notable.add(len(table.chunks))
                table.seeds.update(target for target in JUMP.findall(line) if target not in COMMON)
            table.add(chain, line)
        elif kind == b":" and self._tables:
            chain, _, rest = line[1:].partition(b" ")
            self._tables[-1].declare(chain, rest.partition(b" ")[0])
        elif kind == b"*":
            if self._tables:
                self._tables[-1].close()
            self._tables.append(Table(line[1:].decode("ascii", "replace")))
        elif kind == b"#" and b"is incompatible" in line:  # nft holds what iptables-nft cannot print
            self.unreadable.append(line[1:].strip().decode("utf-8", "replace"))

    def _kept(self, chain: bytes, rule: bytes) -> bool:
        """Kept for itself, in a chain that is no Service's own."""
        if chain in SHARED or self._matcher.concerns(rule):
            return True
        return any(target in COMMON for target in JUMP.findall(rule)) and (
            chain not in DISPATCHING or b" -j KUBE-NODEPORTS" in rule
        )

    def slice(self) -> dict[str, tuple[str, ...]]:
        """Table -> its lines that concern the Service; call it after `finish`."""
        return {table.name: tuple(self._slice(table)) for table in self._tables}

    def _slice(self, table: Table) -> Iterator[str]:
        wanted = _closure(table)
        shown = wanted | COMMON | set(table.policies)
        kept: list[bytes] = []
        chunks = table.notable.union(*(table.where(chain) for chain in wanted))
        for chain, rule in table.rules(chunks):
            if chain in wanted or (not chain.startswith(OWN) and self._kept(chain, rule)):
                kept.append(rule)
                shown.add(chain)
        for chain in table.first:
            if chain in shown:
                policy = table.policies.get(chain, b"-")
                yield f":{chain.decode('utf-8', 'replace')} {policy.decode('ascii', 'replace')} [0:0]"
        for rule in kept:
            yield rule.decode("utf-8", "replace")


def _closure(table: Table) -> set[bytes]:
    """The KUBE- chains that are reached from the seeds, without those that every Service shares."""
    wanted: set[bytes] = set()
    level = set(table.seeds)
    while level:
        wanted |= level
        found = {
            target
            for chain, rule in table.rules(number for chain in level for number in table.where(chain))
            if chain in level
            for target in JUMP.findall(rule)
        }
        level = found - wanted - COMMON
    return wanted
