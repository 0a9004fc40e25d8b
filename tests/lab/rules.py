"""Which endpoints do kube-proxy's rules lead to? Read off what the rules' own programs print of a node."""

import re

from tests.lab.cell import Cell
from tests.lab.nodes import Machine

IPTABLES = re.compile(r"--to-destination ([0-9.]+):(\d+)")
# `dnat to 10.244.1.4:8080`, as all of it or in an endpoint's own chain; since 1.37, for several endpoints, a map of
# `0 : 10.244.1.4 . 8080`.
NFTABLES = re.compile(r"(?:dnat to |\d : )([0-9.]+)(?::| \. )(\d+)")


async def destinations(node: Machine, cell: Cell) -> set[str]:
    """`address:port` of every endpoint that the node's rules send packets to."""
    if cell.proxy_mode == "iptables":
        return read(await node.exec("iptables-save", "-t", "nat"), IPTABLES)
    # As text: nft needs many times as long and as much memory for the same as JSON.
    return read(await node.exec("nft", "list", "table", "ip", "kube-proxy"), NFTABLES)


def read(text: str, form: re.Pattern[str]) -> set[str]:
    """The same from the printed rules."""
    return {":".join(found) for found in form.findall(text)}
