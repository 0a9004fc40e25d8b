"""Is a container ready? Asked as a kubelet asks: from the node's network, by HTTP or TCP."""

import asyncio
import contextlib
import ctypes
import http.client
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

CLONE_NEWNET = 0x40000000


def executor(namespace: str, workers: int = 4) -> ThreadPoolExecutor:
    """Threads that live in a network namespace: a socket belongs to the one it is made in."""
    return ThreadPoolExecutor(max_workers=workers, initializer=_join, initargs=(namespace,))


def _join(namespace: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/run/netns", namespace).open() as file:
        if libc.setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


async def ask(threads: ThreadPoolExecutor, probe: dict[str, Any], container: dict[str, Any], address: str) -> bool:
    """One try of a readiness probe."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(threads, _ask, probe, container, address)


def _ask(probe: dict[str, Any], container: dict[str, Any], address: str) -> bool:
    limit = probe.get("timeoutSeconds", 1)
    how = probe.get("httpGet") or probe.get("tcpSocket")
    if how is None:
        raise ValueError("only httpGet and tcpSocket probes are known here")
    host, port = how.get("host") or address, _port(how["port"], container)
    with contextlib.suppress(OSError, http.client.HTTPException):
        if "tcpSocket" in probe:
            socket.create_connection((host, port), limit).close()
            return True
        connection = http.client.HTTPConnection(host, port, timeout=limit)
        try:
            connection.request("GET", how.get("path", "/"))
            return 200 <= connection.getresponse().status < 400
        finally:
            connection.close()
    return False


def _port(port: int | str, container: dict[str, Any]) -> int:
    if isinstance(port, int):
        return port
    ports = {item.get("name"): item["containerPort"] for item in container.get("ports", ())}
    return int(ports[port])
