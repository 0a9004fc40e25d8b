"""Flows through the lab's Services, and of each: does netdiag's model say what the kernel does?

    flows = await every_flow(lab)
    results = await compared(lab, flows)

A flow's packets come to the node `at`, whose own iptables-save text the model reads. The kernel's side is what the
sender got, and what that node's conntrack notes of the connection: nothing means that a rule ended it.
"""

import asyncio
import dataclasses
import itertools
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tests.lab import truth
from tests.lab.api import MERGE
from tests.lab.cluster import Lab
from tests.lab.images import APPS
from tests.lab.nodes import Machine, Node, machine_sysctls
from tests.lab.processes import until
from tests.lab.truth import Answer, Entry
from tests.lab.workloads import MANIFESTS, LabPod
from workers.analysis.datapath.match import Packet
from workers.analysis.datapath.path import Fate, Host, fates
from workers.analysis.datapath.rules import Ruleset
from workers.parsers import iptables

NAMESPACE = "flows"
PODS = {"app=web": 3, "app=single": 1, "app=echo": 2}
INGRESS = {"balanced": "203.0.113.20", "walled": "203.0.113.21", "balanced-local": "203.0.113.22"}
OUTSIDE_NETWORKS = ("10.96.0.0/12", "203.0.113.0/24")  # what a client outside reaches by some node
EMPTY_PORTS = {"http": 30185, "udp": 30186}  # NodePorts without endpoints
ROUNDS, TRIES = 8, 8  # so many tries at most to see an endpoint; of three one stays unseen in 1 of 10^11
PORTS = itertools.cycle(range(11000, 29000))  # source ports: below NodePorts, above the lab's listeners


@dataclasses.dataclass(frozen=True)
class Flow:
    """Packets of one kind from one machine, as the node `at` gets them."""

    kind: str
    sender: Machine
    address: str
    port: int
    at: Node
    protocol: str = "tcp"
    sticky: bool = False  # a client keeps its endpoint, so one try shows what all would

    @property
    def shown(self) -> str:
        """In a message."""
        return f"{self.kind}: {self.sender.name} -> {self.protocol} {self.address}:{self.port} at {self.at.name}"


@dataclasses.dataclass(frozen=True)
class Result:
    """One flow: what the model says of it, and what the kernel did in all its tries."""

    flow: Flow
    model: frozenset[Fate]
    kernel: frozenset[Fate]
    answers: tuple[Answer, ...]

    @property
    def unknown(self) -> tuple[str, ...]:
        """Rules that the model could not read."""
        return tuple(sorted(fate.rule for fate in self.model if fate.kind == "unknown"))

    @property
    def disagreement(self) -> str:
        """In what model and kernel differ; empty when they agree, or when the model says that it does not know."""
        if self.unknown:
            return ""
        said = {_bare(fate) for fate in self.model}
        seen = set(self.kernel)
        wrong, unseen = seen - said, set() if self.flow.sticky else said - seen
        if not wrong and not unseen:
            return ""
        words = sorted({f"{one.what} {one.by}".strip() for one in self.answers})
        return f"{self.flow.shown}\n  model  {_shown(said)}\n  kernel {_shown(seen)}\n  sender got {words}"


def _bare(fate: Fate) -> Fate:
    """Without the rule, which conntrack does not tell."""
    return Fate(fate.kind, fate.to, fate.source)


def _shown(some: Iterable[Fate]) -> list[str]:
    return sorted(f"{one.kind} {one.to} from {one.source}".removesuffix("  from ") for one in some)


async def install(lab: Lab) -> None:
    """One Service of every kind, with their pods ready and their rules on every node."""
    # A node that forwards to the gateway tells the client so, who would ask the gateway itself from then on.
    await machine_sysctls(lab.client, {f"net.ipv4.conf.{one}.accept_redirects": "0" for one in ("all", "eth0")})
    await lab.kubectl("apply", "--server-side", f"-f{MANIFESTS / 'flows.yaml'}")
    async with lab.admin as api:
        for name, address in INGRESS.items():
            status = {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
            await api.call("PATCH", f"/api/v1/namespaces/{NAMESPACE}/services/{name}/status", status, kind=MERGE)

    async def ready() -> bool:
        found = [await lab.pods(NAMESPACE, selector) for selector in PODS]
        return [len(pods) for pods in found] == list(PODS.values()) and await _settled(lab)

    await until("the flows' pods are ready", ready, limit=40)
    wanted = {*INGRESS.values(), f"{NAMESPACE}/empty:echo", *_comments(await _slices(lab))}

    async def ruled() -> bool:
        saved = await asyncio.gather(*(node.exec("iptables-save") for node in lab.nodes.values()))
        return all(rule in text for text in saved for rule in wanted)

    await until("every node has the flows' rules", ruled, limit=40, every=0.3)


async def _slices(lab: Lab) -> list[dict[str, Any]]:
    path = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
    found: list[dict[str, Any]] = (await lab.admin.call("GET", path))["items"]
    return found


async def _settled(lab: Lab) -> bool:
    """Every Service but the empty one has as many endpoints as there are pods for it."""
    counted = Counter[str]()
    for one in await _slices(lab):
        counted[one["metadata"]["labels"]["kubernetes.io/service-name"]] += len(one["endpoints"] or ())
    services = (await lab.admin.call("GET", f"/api/v1/namespaces/{NAMESPACE}/services"))["items"]
    pods = {one["metadata"]["name"]: PODS.get(f"app={one['spec']['selector']['app']}", 0) for one in services}
    return all(counted[name] == count for name, count in pods.items())


def _comments(slices: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What kube-proxy notes beside each choice of an endpoint."""
    for one in slices:
        service = one["metadata"]["labels"]["kubernetes.io/service-name"]
        for point, port in itertools.product(one["endpoints"] or (), one["ports"] or ()):
            if service != "headless":
                where = f"{point['addresses'][0]}:{port['port']}"
                yield f'"{NAMESPACE}/{service}:{port["name"]} -> {where}"'


async def every_flow(lab: Lab) -> list[Flow]:
    """From a pod and from a node to everything, at each node; and from somebody outside, by each node."""
    services = (await lab.admin.call("GET", f"/api/v1/namespaces/{NAMESPACE}/services"))["items"]
    pods = {label: await lab.pods(NAMESPACE, label) for label in PODS}
    doors = [door for service in services for door in _doors(service, list(lab.nodes.values()))]
    doors += [_Door("endpoint", pod.address, 8080) for pod in pods["app=web"]]
    doors += [_Door("endpoint UDP", pod.address, 5353, "udp") for pod in pods["app=echo"]]
    doors += [_Door("closed port of an endpoint", pods["app=single"][0].address, 8081)]
    return [flow for node in lab.nodes.values() for flow in _at(lab, node, doors, pods["app=web"])]


@dataclasses.dataclass(frozen=True)
class _Door:
    kind: str
    address: str
    port: int
    protocol: str = "tcp"
    sticky: bool = False


def _doors(service: dict[str, Any], nodes: Sequence[Node]) -> Iterator[_Door]:
    spec, name = service["spec"], service["metadata"]["name"]
    sticky = spec.get("sessionAffinity") == "ClientIP"
    ingress = [one["ip"] for one in service.get("status", {}).get("loadBalancer", {}).get("ingress", ())]
    for port in spec["ports"]:
        protocol = port["protocol"].lower()
        if spec["clusterIP"] != "None":
            yield _Door(f"{name} ClusterIP", spec["clusterIP"], port["port"], protocol, sticky)
            yield _Door("unknown port of a VIP", spec["clusterIP"], 4444, protocol)
        for address in spec.get("externalIPs", ()):
            yield _Door(f"{name} external IP", address, port["port"], protocol, sticky)
        for address in ingress:
            yield _Door(f"{name} load balancer", address, port["port"], protocol, sticky)
        if number := port.get("nodePort"):
            for node in nodes:
                yield _Door(f"{name} NodePort", node.address, number, protocol, sticky)
            yield _Door(f"{name} NodePort of localhost", "127.0.0.1", number, protocol, sticky)


def _at(lab: Lab, node: Node, doors: Sequence[_Door], pods: Sequence[LabPod]) -> Iterator[Flow]:
    others = {other.address for other in lab.nodes.values()} - {node.address}
    pod = next(one for one in pods if one.node == node.name)
    for door in doors:
        one = (door.address, door.port, node, door.protocol, door.sticky)
        yield Flow(f"node to {door.kind}", node, *one)
        if door.address.startswith("127."):
            continue
        # What a pod sends to itself stays in its own network.
        if door.address != pod.address:
            yield Flow(f"pod to {door.kind}", pod, *one)
        if door.address not in others and not door.kind.startswith(("endpoint", "closed")):
            yield Flow(f"client to {door.kind}", lab.client, *one)


async def compared(lab: Lab, flows: Sequence[Flow]) -> list[Result]:
    """Each flow, tried until all that the model holds possible was seen, or often enough."""
    results: list[Result] = []
    for node in {flow.at: None for flow in flows}:
        async with reaching(lab, node):
            results += await compared_at(lab, node, [flow for flow in flows if flow.at == node])
    return results


@asynccontextmanager
async def reaching(lab: Lab, node: Node) -> AsyncIterator[None]:
    """The client goes by this node, and somebody listens there wherever no Service leads away."""
    async with _by(lab.client, node), _somebody_at(node, EMPTY_PORTS):
        yield


@asynccontextmanager
async def _by(client: Machine, node: Node) -> AsyncIterator[None]:
    """The client reaches the cluster's virtual addresses by this node."""
    for network in OUTSIDE_NETWORKS:
        await client.exec("ip", "route", "replace", network, "via", node.address)
    try:
        yield
    finally:
        for network in OUTSIDE_NETWORKS:
            await client.exec("ip", "route", "del", network)


@asynccontextmanager
async def _somebody_at(node: Node, ports: dict[str, int]) -> AsyncIterator[None]:
    """Apps that listen on the node itself: app -> port."""
    started = [
        await asyncio.create_subprocess_exec(
            "ip", "netns", "exec", node.name, sys.executable, "-I", "-S", str(APPS / f"{app}.py"), str(port),
            env={**os.environ, "HOSTNAME": node.name}, stderr=asyncio.subprocess.DEVNULL,
        )
        for app, port in ports.items()
    ]  # fmt: skip
    try:
        await asyncio.sleep(0.5)
        yield
    finally:
        for process in started:
            process.kill()
            await process.wait()


async def compared_at(lab: Lab, node: Node, flows: Sequence[Flow]) -> list[Result]:
    """Those that come to one node, inside `reaching`."""
    rules = Ruleset(iptables.tables(await node.exec("iptables-save")))
    sources = await asyncio.gather(*(lab.truth(flow.sender).source(flow.address) for flow in flows))
    host = host_of(node)
    results = {
        flow: Result(flow, fates(rules, _packet(flow, source, host), host), frozenset(), ())
        for flow, source in zip(flows, sources, strict=True)
    }
    for number in range(ROUNDS):
        open_ = [one.flow for one in results.values() if number == 0 or _unseen(one)]
        if not open_:
            break
        for flow, more in zip(open_, await _tried(lab, node, open_, 2 if number == 0 else TRIES), strict=True):
            old = results[flow]
            kernel = old.kernel | {fate for fate, _ in more}
            answers = (*old.answers, *(answer for _, answer in more))
            results[flow] = dataclasses.replace(old, kernel=kernel, answers=answers)
    return list(results.values())


def _unseen(result: Result) -> bool:
    return not result.unknown and not result.flow.sticky and not {_bare(one) for one in result.model} <= result.kernel


def host_of(node: Node) -> Host:
    """What the model is told of the node."""
    own = (node.address, f"{node.pod_prefix}.1", "127.0.0.0/8")
    return Host(own, ((node.pod_cidr, "cni0", own[1]), ("0.0.0.0/0", "eth0", node.address)))


def _packet(flow: Flow, source: str, host: Host) -> Packet:
    arrives = "" if flow.sender == flow.at else host.way(source)[0]
    own = host.owns(source)
    return Packet(source, flow.address, flow.protocol, flow.port, from_node=own, arrives=arrives)


async def _tried(lab: Lab, node: Node, flows: Sequence[Flow], tries: int) -> list[list[tuple[Fate, Answer]]]:
    ports = {flow: [next(PORTS) for _ in range(tries)] for flow in flows}
    asked = [(flow, port) for flow in flows for port in ports[flow]]
    async with truth.noted(node) as kept:
        answers = await asyncio.gather(
            *(
                lab.truth(flow.sender).ask(flow.protocol, flow.address, flow.port, port, limit=0.7)
                for flow, port in asked
            )
        )
    by_flow: dict[Flow, list[tuple[Fate, Answer]]] = {flow: [] for flow in flows}
    for (flow, port), answer in zip(asked, answers, strict=True):
        by_flow[flow].append((kernels(flow, answer, kept.get((flow.protocol, flow.address, port))), answer))
    return list(by_flow.values())


def kernels(flow: Flow, answer: Answer, entry: Entry | None) -> Fate:
    """What the kernel did. conntrack notes what has come through all rules; of what a node sends to itself it notes
    more, but there somebody listens at every port, so that the answer tells.
    """
    to_itself = flow.sender == flow.at and entry is not None and host_of(flow.at).owns(entry.endpoint.split(":")[0])
    if entry and (answer.came or not to_itself):
        return Fate("passed", entry.endpoint, entry.answered_to.partition(":")[0])
    if answer.came:  # it was not tracked, so it was not translated either
        return Fate("passed", f"{flow.address}:{flow.port}", flow.sender.address)
    return Fate("drop" if answer.what in {"timeout", "silent"} else "reject")


def table(results: Sequence[Result]) -> str:
    """How many flows were compared, per kind, with how many tries."""
    counted = Counter(result.flow.kind for result in results)
    tries = Counter[str]()
    for result in results:
        tries[result.flow.kind] += len(result.answers)
    lines = [f"{count:4} flows {tries[kind]:5} tries  {kind}" for kind, count in sorted(counted.items())]
    return "\n".join([*lines, f"{len(results):4} flows {tries.total():5} tries  in all"])
