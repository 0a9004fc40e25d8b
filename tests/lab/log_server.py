"""A node's port 10250: the part of a kubelet's HTTPS server that `kubectl logs` reaches through the API server.

It lets anybody in: nothing but the lab's own networks leads to it.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from tests.lab import clock, logs
from tests.lab.context import NodeContext
from tests.lab.credentials import self_signed
from tests.lab.pods import Pod

PORT = 10250
Find = Callable[[str, str], Pod | None]  # namespace and name -> the pod of this node


async def serve(context: NodeContext, find: Find) -> web.AppRunner:
    """Listen in the node's network; `cleanup()` of what is returned ends it."""
    app = web.Application()
    app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", lambda request: _logs(request, find))
    runner = web.AppRunner(app, shutdown_timeout=0.5, access_log=None)
    await runner.setup()
    # A socket belongs to the network that it is made in, whoever uses it afterwards.
    listener = await asyncio.get_running_loop().run_in_executor(context.prober, _listen, context.node.address)
    await web.SockSite(runner, listener, ssl_context=_tls(context.state / "kubelet" / context.node.name)).start()
    return runner


def _listen(address: str) -> socket.socket:
    return socket.create_server((address, PORT), backlog=16)


def _tls(folder: Path) -> ssl.SSLContext:
    """With a certificate of its own making, as a kubelet has one that was given none."""
    certificate, key = self_signed(folder, "kubelet")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    return tls


async def _logs(request: web.Request, find: Find) -> web.StreamResponse:
    names = request.match_info
    pod = find(names["namespace"], names["pod"])
    container = pod.container(names["container"]) if pod else None
    if container is None:
        raise web.HTTPNotFound(text=f"container {names['container']} of pod {names['pod']} is not known here")
    try:
        query = logs.parse(request.query, clock.now())
    except ValueError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    path = container.log(previous=query.previous)
    if path is None:
        which = "previous terminated container" if query.previous else "container"
        text = f'{which} "{names["container"]}" in pod "{names["pod"]}" not found'
        raise web.HTTPBadRequest(text=text)
    answer = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await answer.prepare(request)
    run = container.restarts
    async for part in logs.read(path, query, lambda: container.restarts != run or not container.running):
        await answer.write(part)
    return answer
