"""The lab's machines: a node is a network namespace on one bridge, with a way to the pods of the others: plain routes
by the bridge, or through VXLAN as flannel makes it.

lab's own network: br-lab 172.30.0.1 (API server, and the DNS server for names outside the cluster)
  node-1 eth0 172.30.0.11, cni0 10.244.1.1/24      node-2 eth0 172.30.0.12, cni0 10.244.2.1/24      ...
         flannel.1 10.244.1.0/32                          flannel.1 10.244.2.0/32      (VXLAN only)
  client eth0 172.30.0.100: somebody outside the cluster
"""

import contextlib
import dataclasses
import os
from pathlib import Path

from tests.lab.cell import Network
from tests.lab.processes import LabError, run

BRIDGE = "br-lab"
GATEWAY = "172.30.0.1"
CLIENT = "client"
CLIENT_ADDRESS = "172.30.0.100"
TUNNEL = "flannel.1"
PLAIN_MTU = 1500
TUNNEL_MTU = 1450  # the outer Ethernet, IPv4, UDP and VXLAN headers take 50 bytes
POD_NETWORK = "10.244.0.0/16"
# What every CNI adds, so that pods reach what is outside: it knows no way to pods.
EGRESS = ("-s", POD_NETWORK, "!", "-d", POD_NETWORK, "-j", "MASQUERADE")
# The lab's own network has routes to pods, for the API server's answers; as a router it must not use them.
NO_TRANSIT = f"iif {BRIDGE} to {POD_NETWORK} blackhole"

# A new network namespace copies the machine's settings: whatever the lab relies on is set, not hoped for.
NODE_SYSCTLS = {
    "net.ipv4.ip_forward": "1",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.conf.all.route_localnet": "0",
    "net.ipv4.icmp_ratelimit": "0",  # waiting for a REJECT by asking must not use up the answers of who asks next
    "net.ipv4.ip_local_port_range": "32768 60999",
    "net.ipv4.tcp_syn_retries": "6",
}
BRIDGE_FILTER = Path("/proc/sys/net/bridge").is_dir()  # br_netfilter is there
BRIDGE_SYSCTLS = {"net.bridge.bridge-nf-call-iptables": "1"}  # so that a Service works between pods of one node


@dataclasses.dataclass(frozen=True)
class Machine:
    """A network namespace with an address: a node, or the outside client. `path`: folders before PATH."""

    name: str
    address: str
    path: str = ""

    async def exec(self, *argv: str, limit: float = 30) -> str:
        """What a command prints that runs in this machine's network. Raises LabError when it fails."""
        path = f"{self.path}:{os.environ['PATH']}:/usr/sbin:/sbin".lstrip(":")
        env = {**os.environ, "PATH": path, "XTABLES_LOCKFILE": str(xtables_lock(self.name))}
        return await run("ip", "netns", "exec", self.name, *argv, env=env, limit=limit)

    def pids(self, command: str) -> list[int]:
        """Processes named `command` whose network is this machine's."""
        network = Path("/run/netns", self.name).stat().st_ino
        numbers = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())
        return sorted(pid for pid in numbers if _is(pid, command, network))


@dataclasses.dataclass(frozen=True)
class Node(Machine):
    """A node of the cluster."""

    pod_prefix: str = ""  # `10.244.1`
    pod_mtu: int = PLAIN_MTU

    @property
    def pod_cidr(self) -> str:
        """The node's pod addresses."""
        return f"{self.pod_prefix}.0/24"

    @property
    def tunnel_address(self) -> str:
        """Its end of the tunnel; what it sends to the others' pods comes from here."""
        return f"{self.pod_prefix}.0"

    @property
    def tunnel_mac(self) -> str:
        """The same end's hardware address."""
        return f"0a:58:{int(self.pod_prefix.rpartition('.')[2]):02x}:00:00:01"

    @property
    def bridge_mac(self) -> str:
        """cni0's, made from its address as CNI makes it. One of its own: else it is a port's, and goes with the pod."""
        return "0a:58:" + ":".join(f"{int(part):02x}" for part in f"{self.pod_prefix}.1".split("."))


def xtables_lock(machine: str) -> Path:
    """What is /run/xtables.lock to a machine's iptables, as each node has its own."""
    return Path(f"/run/xtables-{machine}.lock")


def _is(pid: int, command: str, network: int) -> bool:
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        return name == command[:15] and Path(f"/proc/{pid}/ns/net").stat().st_ino == network
    except OSError:  # it has ended meanwhile
        return False


def plan(count: int, path: str, network: Network) -> dict[str, Node]:
    """`count` nodes, not yet made. path: the folder that has each node's folder of commands."""
    mtu = TUNNEL_MTU if network == "vxlan" else PLAIN_MTU
    numbers = {f"node-{n}": n for n in range(1, count + 1)}
    return {name: Node(name, f"172.30.0.{10 + n}", f"{path}/{name}", f"10.244.{n}", mtu) for name, n in numbers.items()}


def client() -> Machine:
    """The outside client, not yet made."""
    return Machine(CLIENT, CLIENT_ADDRESS)


async def create(nodes: dict[str, Node], outside: Machine, network: Network) -> None:
    """Make the bridge, the nodes and the client."""
    await run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    await batch(None, f"link add {BRIDGE} type bridge", f"addr add {GATEWAY}/24 dev {BRIDGE}", f"link set {BRIDGE} up")
    for machine in [*nodes.values(), outside]:
        await _join(machine)
    for node in nodes.values():
        await _equip(node)
        others = [other for other in nodes.values() if other is not node]
        await (_tunnel(node, others) if network == "vxlan" else _route(node, others))
    # Answers to pods (whose packets to the API server keep their own address) find their way back by the node.
    routes = (f"route add {node.pod_cidr} via {node.address}" for node in nodes.values())
    await batch(None, *routes, f"rule add {NO_TRANSIT}")


async def destroy(nodes: dict[str, Node], outside: Machine) -> None:
    """Take away what `create` made, or had made when it failed."""
    names = [machine.name for machine in [*nodes.values(), outside]]
    # Cables first: the kernel takes a namespace down later than it says, and the next lab needs the same names.
    for argv in (
        *(("link", "delete", f"v-{name}") for name in names),
        *(("netns", "delete", name) for name in names),
        ("link", "delete", BRIDGE),
    ):
        with contextlib.suppress(LabError):
            await run("ip", *argv)
    with contextlib.suppress(LabError):
        await batch(None, f"rule delete {NO_TRANSIT}")


async def _join(machine: Machine) -> None:
    name = machine.name
    await run("ip", "netns", "add", name)
    await batch(
        None,
        f"link add v-{name} type veth peer name eth0 netns {name}",
        f"link set v-{name} master {BRIDGE} up",
    )
    await batch(
        name,
        "link set lo up",
        f"addr add {machine.address}/24 dev eth0",
        "link set eth0 up",
        f"route add default via {GATEWAY}",
    )


async def _equip(node: Node) -> None:
    await machine_sysctls(node, NODE_SYSCTLS)
    await batch(
        node.name,
        f"link add cni0 address {node.bridge_mac} mtu {node.pod_mtu} type bridge",
        f"addr add {node.pod_prefix}.1/24 dev cni0",
        "link set cni0 up",
    )
    await node.exec("iptables", "-w", "-t", "nat", "-A", "POSTROUTING", *EGRESS)
    if BRIDGE_FILTER:
        await machine_sysctls(node, BRIDGE_SYSCTLS)


async def _route(node: Node, others: list[Node]) -> None:
    await batch(node.name, *(f"route add {other.pod_cidr} via {other.address}" for other in others))


async def _tunnel(node: Node, others: list[Node]) -> None:
    """As flannel's vxlan backend does: nothing is learnt, every other node is written down."""
    how = f"type vxlan id 1 local {node.address} dev eth0 dstport 8472 nolearning"
    await batch(
        node.name,
        f"link add {TUNNEL} address {node.tunnel_mac} mtu {node.pod_mtu} {how}",
        f"addr add {node.tunnel_address}/32 dev {TUNNEL}",
        f"link set {TUNNEL} up",
        *(f"route add {other.pod_cidr} via {other.tunnel_address} dev {TUNNEL} onlink" for other in others),
        *(f"neigh add {other.tunnel_address} lladdr {other.tunnel_mac} dev {TUNNEL} nud permanent" for other in others),
    )
    entries = (f"fdb append {other.tunnel_mac} dev {TUNNEL} dst {other.address} self permanent" for other in others)
    await run("bridge", "-n", node.name, "-batch", "-", stdin="\n".join(entries) + "\n")


async def machine_sysctls(machine: Machine, values: dict[str, str]) -> None:
    """Set sysctls of a machine's network."""
    await machine.exec("sysctl", "-qw", *(f"{key}={value}" for key, value in values.items()))


async def batch(namespace: str | None, *lines: str) -> None:
    """Run `ip` commands in one process, in the lab's own network or a named one."""
    argv = ["ip", *(["-n", namespace] if namespace else []), "-batch", "-"]
    try:
        await run(*argv, stdin="\n".join(lines) + "\n")
    except LabError as error:
        raise LabError(f"{error}\n  in {namespace or 'the lab'}: {lines}") from error
