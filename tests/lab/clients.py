"""Who sees that the lab is broken: pods where they are needed, connections that are held, and what a client gets."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from tests.lab import probes
from tests.lab.processes import LabError, until

if TYPE_CHECKING:
    from tests.lab.cluster import Lab
    from tests.lab.nodes import Machine
    from tests.lab.workloads import LabPod

PODS = "/api/v1/namespaces/shop/pods"
PORT = 8080  # that every pod here listens on
LIMIT = 0.5  # seconds: what works answers within milliseconds
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset, so that no port stays in TIME_WAIT


async def until_gets(lab: "Lab", machine: "Machine", address: str, port: int, wanted: str, *, size: int = 0) -> None:
    """Wait until somebody on a machine gets what is `wanted` (see Truth.get). Raises LabError with what came."""
    got: set[str] = set()

    async def holds() -> bool:
        got.add(await lab.truth(machine).get(address, port, limit=LIMIT, size=size))
        return wanted in got

    try:
        await until(f"{machine.name} gets {wanted} from {address}:{port}", holds, limit=8)
    except LabError as error:
        raise LabError(f"{error}; it gets {sorted(got)}") from error


async def cluster_ip(lab: "Lab") -> str:
    """The address of checkout inside the cluster, at port 80."""
    service = await lab.admin.call("GET", "/api/v1/namespaces/shop/services/checkout")
    return str(service["spec"]["clusterIP"])


@contextlib.asynccontextmanager
async def pod(lab: "Lab", node: str, app: str = "shopper") -> AsyncIterator["LabPod"]:
    """Run one more pod on a node; with `checkout` it serves that Service. It has no readiness probe."""
    container = {"name": "http", "image": "netdiag.test/http", "args": [str(PORT)]}
    container["ports"] = [{"name": "http", "containerPort": PORT}]  # type: ignore[assignment]  # JSON
    spec = {"nodeName": node, "automountServiceAccountToken": False, "containers": [container]}
    meta = {"generateName": f"{app}-", "labels": {"app": app}}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
    name = (await lab.admin.call("POST", PODS, body))["metadata"]["name"]
    found: list[LabPod] = []

    async def ready() -> bool:
        found[:] = [one for one in await lab.pods("shop", f"app={app}") if one.pod == name]
        return bool(found) and (app != "checkout" or all(await _ruled(lab, found[0])))

    async def gone() -> bool:
        return not any(await _ruled(lab, found[0]))

    try:
        await until(f"{name} serves", ready, limit=15, every=0.2)
        yield found[0]
    finally:
        await lab.admin.call("DELETE", f"{PODS}/{name}?gracePeriodSeconds=0")
        if found:
            await until(f"no node leads to {name}", gone, limit=15, every=0.2)


async def _ruled(lab: "Lab", one: "LabPod") -> list[bool]:
    """Which nodes' rules lead to a pod?"""
    saved = await asyncio.gather(*(node.exec("iptables-save", "-t", "nat") for node in lab.nodes.values()))
    return [f"--to-destination {one.address}:" in text for text in saved]


@contextlib.asynccontextmanager
async def everywhere(lab: "Lab") -> AsyncIterator[dict[str, "LabPod"]]:
    """A pod of checkout for every node, by the node's name: those that are there, and more where none is."""
    async with contextlib.AsyncExitStack() as stack:
        there = {one.node: one for one in await lab.pods()}
        for node in lab.nodes:
            if node not in there:
                there[node] = await stack.enter_async_context(pod(lab, node, "checkout"))
        yield there


@contextlib.asynccontextmanager
async def held(machine: "Machine", address: str, port: int, count: int) -> AsyncIterator[None]:
    """Open `count` connections and keep them."""
    with probes.executor(machine.name) as threads:
        # One after the other: who connects at the same moment may want the same port, and fail for that.
        opened = await asyncio.wrap_future(threads.submit(_open_all, address, port, count))
    try:
        yield
    finally:
        for one in opened:
            one.close()


def _open_all(address: str, port: int, count: int) -> list[socket.socket]:
    opened: list[socket.socket] = []
    for _ in range(2 * count):  # a burst overflows the server's backlog, so that some have to try again
        if len(opened) == count:
            break
        with contextlib.suppress(OSError):
            opened.append(_open(address, port))
    return opened


def _open(address: str, port: int) -> socket.socket:
    connection = socket.create_connection((address, port), LIMIT)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    return connection


@contextlib.asynccontextmanager
async def listening(machine: "Machine", port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
    """Answer every request at a machine's address with 200."""
    with probes.executor(machine.name) as threads:
        made = await asyncio.wrap_future(threads.submit(socket.create_server, (machine.address, port)))
    server = await asyncio.start_server(_answer, sock=made, ssl=tls)
    try:
        yield
    finally:
        server.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
    writer.close()
