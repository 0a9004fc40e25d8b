"""A Service's packet filter rules on one node, as the kernel has them."""

import msgspec

from workers.core.query import NodeQuery


class Rules(msgspec.Struct, frozen=True, omit_defaults=True):
    """The slice of a node's rules that concerns one Service, by chain closure, as iptables-save prints them.

    backend: `iptables-legacy`, `iptables-nft`, or `none` when neither holds a KUBE- chain. other_backend: true when
    the other one holds KUBE- chains as well.
    tables: table -> lines (`:CHAIN POLICY [0:0]` and `-A ...`), the order kept. total: rules in all tables of this
    backend. kube_chains: chains named KUBE-*.
    """

    backend: str
    tables: dict[str, tuple[str, ...]]
    total: int
    kube_chains: int
    other_backend: bool = False


class RuleSlice(NodeQuery[Rules], frozen=True, tag="rule-slice"):
    """The rules on `node` that match a Service by address, node port or `namespace/name` comment, and where they lead.

    addresses: its cluster and external IPs. ports: `tcp/80`-like service ports. node_ports: `tcp/30080`-like.
    """

    answer = Rules

    namespace: str
    name: str
    addresses: tuple[str, ...]
    ports: tuple[str, ...]
    node_ports: tuple[str, ...] = ()
