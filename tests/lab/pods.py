"""One pod's life on its node: network, volumes, processes, status; and its end."""

import asyncio
import contextlib
import shutil
from pathlib import Path
from typing import Any

import aiohttp

from tests.lab import cgroups, sandbox, volumes
from tests.lab.api import MERGE, ApiError
from tests.lab.containers import Container, stamp
from tests.lab.context import NodeContext
from tests.lab.processes import LabError

AWAY = (ApiError, aiohttp.ClientError, TimeoutError)


class Pod:
    """A pod that this node runs, until it is told to stop."""

    def __init__(self, context: NodeContext, pod: dict[str, Any]) -> None:
        self._context = context
        self._pod = pod
        meta = pod["metadata"]
        self.uid: str = meta["uid"]
        self._path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        self._host_network = pod["spec"].get("hostNetwork", False)
        self._netns = context.node.name if self._host_network else sandbox.network_of(self.uid)
        self._address = ""
        self._folder = context.state / "pods" / self.uid
        self._containers: list[Container] = []
        self._changed = asyncio.Event()
        self._ending = asyncio.Event()
        self._grace = 0.0
        self._gone = False
        self._started = stamp()

    def end(self, grace: float, *, gone: bool = False) -> None:
        """Stop within `grace` seconds. gone: the API server knows it no more."""
        if not self._ending.is_set() or gone:
            self._grace = min(grace, self._grace) if self._ending.is_set() else grace
            self._gone = self._gone or gone
            self._ending.set()

    async def run(self) -> None:
        """From start to end; the pod's object is gone afterwards."""
        living = asyncio.create_task(self._live())
        try:
            ending = asyncio.create_task(self._ending.wait())
            await asyncio.wait({living, ending}, return_when=asyncio.FIRST_COMPLETED)
            if living.done():
                living.result()  # it never returns: this raises
        finally:
            living.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await living
            await self._clean_up()
        if not self._gone:
            await self._forget()

    async def _live(self) -> None:
        paths = await self._prepare()
        network = f"/run/netns/{self._netns}"
        group = cgroups.of_pod(self.uid)
        self._containers = [
            Container(
                self._context,
                self._pod,
                spec,
                network=network,
                address=self._address,
                paths=paths,
                cgroup=group,
                changed=self._changed,
            )
            for spec in self._pod["spec"]["containers"]
        ]
        async with asyncio.TaskGroup() as group_of_tasks:
            for container in self._containers:
                group_of_tasks.create_task(container.keep())
            group_of_tasks.create_task(self._report_changes())

    async def _prepare(self) -> dict[str, Path]:
        if self._host_network:
            self._address = self._context.node.address
        else:
            self._address = self._context.addresses.take()
            await sandbox.create(self._context.node, self._netns, self._address)
        while True:
            # Just bound, a pod is not yet in the Node authorizer's graph; a ConfigMap may come later than its pod.
            try:
                return await volumes.materialise(self._context.api, self._pod, self._folder)
            except AWAY as error:
                print(f"{self._path}: {error}; trying again", flush=True)
                await asyncio.sleep(0.2)

    async def _report_changes(self) -> None:
        while True:
            await self._changed.wait()
            await asyncio.sleep(0.02)  # several containers that start at once are one report
            self._changed.clear()
            try:
                await self._context.api.call("PATCH", f"{self._path}/status", self._status(), kind=MERGE)
            except AWAY as error:
                print(f"{self._path}: {error}", flush=True)
                self._changed.set()
                await asyncio.sleep(0.3)

    def _status(self) -> dict[str, Any]:
        ready = all(container.ready for container in self._containers)
        facts = {
            "PodReadyToStartContainers": True,
            "Initialized": True,
            "Ready": ready,
            "ContainersReady": ready,
            "PodScheduled": True,
        }
        now = stamp()
        status = {
            "phase": "Running",
            "hostIP": self._context.node.address,
            "hostIPs": [{"ip": self._context.node.address}],
            "podIP": self._address,
            "podIPs": [{"ip": self._address}],
            "startTime": self._started,
            "conditions": [
                {"type": kind, "status": str(fact), "lastTransitionTime": now} for kind, fact in facts.items()
            ],
            "containerStatuses": [container.status() for container in self._containers],
        }
        return {"metadata": {"uid": self.uid}, "status": status}

    async def _clean_up(self) -> None:
        await asyncio.gather(*(container.stop(self._grace) for container in self._containers))
        if not self._host_network and self._address:
            await sandbox.destroy(self._netns)
            self._context.addresses.give_back(self._address)
        cgroups.remove_pod(self.uid)
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _forget(self) -> None:
        body = {"kind": "DeleteOptions", "gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
        for _ in range(50):
            try:
                await self._context.api.call("DELETE", self._path, body)
            except ApiError as error:
                if error.status in {404, 409}:  # somebody else deleted it; or it is another one by now
                    return
            except (aiohttp.ClientError, TimeoutError):
                pass
            else:
                return
            await asyncio.sleep(0.2)
        raise LabError(f"{self._path} could not be removed")
