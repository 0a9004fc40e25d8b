"""The stand-in kubelet: runs the pods that are bound to the lab's nodes, one process for all of them.

It stands outside the nodes' networks and speaks to the API server under each node's own name, so that a node whose
network is cut still has its pods started and stopped: what the lab breaks is the node's network, not its kubelet.
Pods always restart (restartPolicy Always); there are no images.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import traceback
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.lab import dns, log_server, probes
from tests.lab.api import Api
from tests.lab.changes import Changes
from tests.lab.context import NodeContext
from tests.lab.events import Recorder
from tests.lab.nodes import Node
from tests.lab.pods import AWAY, Pod
from tests.lab.sandbox import Addresses


class NodePods:
    """The pods of one node."""

    def __init__(self, context: NodeContext) -> None:
        self._context = context
        self._pods: dict[str, Pod] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def follow(self) -> None:
        """Do what the API server says, for ever."""
        async with self._context.api, self._surroundings():
            while True:
                try:
                    await self._follow_once()
                except AWAY as error:
                    print(f"{self._context.node.name}: {error}; asking again", flush=True)
                except Exception:  # noqa: BLE001 a watch that is cut in the midst of a line must not end the node
                    traceback.print_exc()
                await asyncio.sleep(0.3)

    @contextlib.asynccontextmanager
    async def _surroundings(self) -> AsyncIterator[None]:
        """Its events are delivered and its logs are served meanwhile."""
        delivering = asyncio.create_task(self._context.recorder.deliver())
        server = await log_server.serve(self._context, self.find)
        try:
            yield
        finally:
            delivering.cancel()
            await server.cleanup()

    def find(self, namespace: str, name: str) -> Pod | None:
        """The pod of that name, of which a deleted one may still be ending."""
        return next((pod for pod in reversed(self._pods.values()) if pod.name == (namespace, name)), None)

    async def _follow_once(self) -> None:
        query = f"fieldSelector=spec.nodeName%3D{self._context.node.name}"
        listed: set[str] = set()
        async for event in self._context.api.watch("/api/v1/pods", query):
            kind, thing = event["type"], event["object"]
            if kind == "ERROR":
                return
            if kind == "LISTED":
                self._end_unless(listed)
                continue
            listed.add(thing["metadata"]["uid"])
            self._changed(thing, gone=kind == "DELETED")

    def _end_unless(self, listed: set[str]) -> None:
        for uid, pod in self._pods.items():
            if uid not in listed:
                pod.end(0, gone=True)

    def _changed(self, thing: dict[str, Any], *, gone: bool) -> None:
        meta = thing["metadata"]
        known = self._pods.get(meta["uid"])
        if known is None and gone:
            return
        if known is None:
            known = self._pods[meta["uid"]] = Pod(self._context, thing)
            task = asyncio.create_task(self._run(known))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if gone or "deletionTimestamp" in meta:
            known.end(0 if gone else meta.get("deletionGracePeriodSeconds", 30), gone=gone)

    async def _run(self, pod: Pod) -> None:
        try:
            await pod.run()
        except Exception:  # noqa: BLE001 one pod that fails must not take the node with it; the log says why
            traceback.print_exc()
        finally:
            self._pods.pop(pod.uid, None)

    async def stop(self) -> None:
        """End every pod at once; the API server is not asked."""
        for pod in self._pods.values():
            pod.end(0, gone=True)
        await asyncio.gather(*self._tasks, return_exceptions=True)


def contexts(settings: dict[str, Any]) -> list[NodeContext]:
    """What `Lab` has written down for this process, as values."""
    made = []
    for item in settings["nodes"]:
        node = Node(**item["node"])
        api = Api(settings["server"], Path(settings["ca_file"]), item["token"])
        made.append(
            NodeContext(
                node=node,
                api=api,
                prober=probes.executor(node.name),
                addresses=Addresses(node.pod_prefix),
                recorder=Recorder(api, node.name),
                changes=Changes(api),
                binaries=Path(settings["binaries"]),
                state=Path(settings["state"]),
                logs=Path(settings["logs"]),
                path=node.path,
            )
        )
    return made


def write_etc(context: NodeContext) -> None:
    """The node's own files of /etc; the machine's could name a resolver that is none of the lab's business."""
    context.etc.mkdir(parents=True, exist_ok=True)
    (context.etc / "resolv.conf").write_text(dns.NODE_RESOLV_CONF)
    (context.etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")


async def serve(settings: dict[str, Any]) -> None:
    """Run until SIGTERM; then end all pods."""
    known = contexts(settings)
    for context in known:
        write_etc(context)
    nodes = [NodePods(context) for context in known]
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(node.follow()) for node in nodes]
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    waiting: asyncio.Task[Any] = asyncio.create_task(ending.wait())
    done, _ = await asyncio.wait({*tasks, waiting}, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*(node.stop() for node in nodes))
    for task in done - {waiting}:
        task.result()


if __name__ == "__main__":
    os.umask(0o022)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(json.loads(Path(sys.argv[1]).read_text())))
