"""Which combination of kube-proxy and network does a lab run? Written `mode/network/version of kube-proxy`."""

import dataclasses
import itertools
from typing import Literal, get_args

from tests.lab import build

Mode = Literal["iptables-nft", "iptables-legacy", "nftables"]
Network = Literal["routed", "vxlan"]


@dataclasses.dataclass(frozen=True)
class Cell:
    """mode: how kube-proxy writes its rules, and with which iptables. network: how pods of two nodes reach each other,
    by plain routes or through VXLAN as flannel does it. proxy: kube-proxy's version; the rest is always the newest.
    """

    mode: Mode = "iptables-nft"
    network: Network = "routed"
    proxy: str = dataclasses.field(default_factory=build.kubernetes_version)

    def __str__(self) -> str:
        return f"{self.mode}/{self.network}/{self.proxy}"

    @property
    def backend(self) -> Literal["nft", "legacy"]:
        """The iptables that is found first in PATH on every node."""
        return "legacy" if self.mode == "iptables-legacy" else "nft"

    @property
    def proxy_mode(self) -> Literal["iptables", "nftables"]:
        """`mode` in kube-proxy's own configuration."""
        return "nftables" if self.mode == "nftables" else "iptables"

    @property
    def program(self) -> str:
        """The name of its kube-proxy among what `build` builds."""
        return "kube-proxy" if self.proxy == build.kubernetes_version() else f"kube-proxy-{self.proxy}"


def parse(text: str) -> Cell:
    """The cell of that name. Raises ValueError with the names that there are."""
    for cell in every():
        if str(cell) == text:
            return cell
    raise ValueError(f"no cell is called {text}; there are {', '.join(map(str, every()))}")


def every() -> tuple[Cell, ...]:
    """All combinations; those with the newest kube-proxy first."""
    versions = (build.kubernetes_version(), build.older_version())
    chosen = itertools.product(versions, get_args(Network), get_args(Mode))
    return tuple(Cell(mode, network, version) for version, network, mode in chosen)


def pairwise() -> tuple[Cell, ...]:
    """Cells in which every two of mode, network and version meet at least once; the default cell is the first."""
    new, old = build.kubernetes_version(), build.older_version()
    return (
        Cell("iptables-nft", "routed", new),
        Cell("iptables-nft", "vxlan", old),
        Cell("iptables-legacy", "routed", old),
        Cell("iptables-legacy", "vxlan", new),
        Cell("nftables", "routed", new),
        Cell("nftables", "vxlan", old),
    )
