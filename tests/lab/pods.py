"""One pod's life on its node: network, volumes, processes, status; and its end."""

import asyncio
import contextlib
import functools
import shutil
from pathlib import Path
from typing import Any

import aiohttp

from tests.lab import cgroups, dns, limits, sandbox, volumes
from tests.lab.api import MERGE, ApiError
from tests.lab.clock import stamp
from tests.lab.containers import Container
from tests.lab.context import NodeContext
from tests.lab.launch import Place
from tests.lab.processes import LabError

AWAY = (ApiError, aiohttp.ClientError, TimeoutError)
LATER = (*AWAY, volumes.MissingKeyError)


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
        self._group = cgroups.pod_path(self.uid, pod.get("status", {}).get("qosClass", "Burstable"))
        self._tokens: dict[str, bytes] = {}
        self._first: list[Container] = []
        self._containers: list[Container] = []
        self._initialized = not pod["spec"].get("initContainers")
        self._changed = asyncio.Event()
        self._ending = asyncio.Event()
        self._grace = 0.0
        self._gone = False
        self._started = stamp()
        self._since: dict[str, tuple[bool, str]] = {}

    @property
    def name(self) -> tuple[str, str]:
        """Its namespace and name."""
        meta = self._pod["metadata"]
        return meta["namespace"], meta["name"]

    def container(self, name: str) -> Container | None:
        """Its container of that name, once it has been prepared."""
        return next((one for one in (*self._first, *self._containers) if one.spec["name"] == name), None)

    def end(self, grace: float, *, gone: bool = False) -> None:
        """Stop within `grace` seconds. gone: the API server knows it no more."""
        if self._ending.is_set():
            if gone and not self._gone:  # deleted by force, while it takes its time
                for container in (*self._first, *self._containers):
                    container.kill()
            self._gone = self._gone or gone
            return
        self._grace, self._gone = grace, gone
        self._ending.set()

    async def run(self) -> None:
        """From start to end; the pod's object is gone afterwards."""
        living = asyncio.create_task(self._live())
        try:
            ending = asyncio.create_task(self._ending.wait())
            await asyncio.wait({living, ending}, return_when=asyncio.FIRST_COMPLETED)
            if living.done():
                living.result()  # it never returns: this raises
            # It goes on meanwhile: what still serves is probed and reported as long as its process lives.
            await self._stop()
        finally:
            living.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await living
            await self._stop()  # what was just about to start
            await self._clean_up()
        if not self._gone:
            await self._forget()

    async def _stop(self) -> None:
        await asyncio.gather(*(container.stop(self._grace) for container in (*self._first, *self._containers)))

    async def _live(self) -> None:
        place = await self._prepare()
        make = functools.partial(Container, self._context, self._pod, place=place, changed=self._changed)
        self._first = [make(spec, first=True) for spec in self._pod["spec"].get("initContainers", ())]
        self._containers = [make(spec) for spec in self._pod["spec"]["containers"]]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._report_changes())
            group.create_task(self._follow_objects())
            for container in self._first:
                await container.keep()
            self._initialized = all(container.ready for container in self._first)  # not, when it has been stopped
            for container in self._containers:
                group.create_task(container.keep())

    async def _prepare(self) -> Place:
        if self._host_network:
            self._address = self._context.node.address
        else:
            self._address = self._context.addresses.take()
            await sandbox.create(self._context.node, self._netns, self._address)
        cgroups.create(self._group, limits.of_pod(self._pod), of_pod=True)
        while True:
            # Just bound, a pod is not yet in the Node authorizer's graph; a ConfigMap may come later than its pod.
            try:
                paths = await self._materialise()
                break
            except LATER as error:
                print(f"{self._path}: {error}; trying again", flush=True)
                await asyncio.sleep(0.2)
        return Place(f"/run/netns/{self._netns}", self._address, paths, self._etc(), self._group)

    async def _materialise(self) -> dict[str, Path]:
        return await volumes.materialise(self._context.api, self._pod, self._folder, self._tokens)

    def _etc(self) -> dict[str, Path]:
        """Files of /etc that its containers see instead of the machine's."""
        node = dns.parse((self._context.etc / "resolv.conf").read_text())
        resolv = self._context.state / "etc" / f"{self.uid}.resolv.conf"
        resolv.write_text(str(dns.of_pod(self._pod, node)))
        return {"/etc/resolv.conf": resolv, "/etc/nsswitch.conf": self._context.etc / "nsswitch.conf"}

    async def _follow_objects(self) -> None:
        """Bring the volumes up to date whenever what they show has changed."""
        with self._context.changes.followed(volumes.objects(self._pod)) as changed:
            while True:
                await changed.wait()
                changed.clear()
                try:
                    await self._materialise()
                except LATER as error:
                    print(f"{self._path}: {error}; its volumes stay as they are", flush=True)

    async def _report_changes(self) -> None:
        while True:
            await self._changed.wait()
            await asyncio.sleep(0.02)  # several containers that start at once are one report
            self._changed.clear()
            if not await self._report():
                self._changed.set()
                await asyncio.sleep(0.3)

    async def _report(self) -> bool:
        try:
            await self._context.api.call("PATCH", f"{self._path}/status", self._status(), kind=MERGE)
        except AWAY as error:
            print(f"{self._path}: {error}", flush=True)
            return False
        return True

    def _status(self) -> dict[str, Any]:
        ready = all(container.ready for container in self._containers) and self._initialized
        facts = {
            "PodReadyToStartContainers": True,
            "Initialized": self._initialized,
            "Ready": ready,
            "ContainersReady": ready,
            "PodScheduled": True,
        }
        for kind, fact in facts.items():
            if self._since.get(kind, (None, ""))[0] is not fact:
                self._since[kind] = fact, stamp()
        status = {
            "phase": "Running" if self._initialized else "Pending",
            "hostIP": self._context.node.address,
            "hostIPs": [{"ip": self._context.node.address}],
            "podIP": self._address,
            "podIPs": [{"ip": self._address}],
            "startTime": self._started,
            "conditions": [
                {"type": kind, "status": str(fact), "lastTransitionTime": at}
                for kind, (fact, at) in self._since.items()
            ],
            "initContainerStatuses": [container.status() for container in self._first],
            "containerStatuses": [container.status() for container in self._containers],
        }
        return {"metadata": {"uid": self.uid}, "status": status}

    async def _clean_up(self) -> None:
        if not self._gone and self._containers:
            await self._report()  # ready no more: its processes have ended
        if not self._host_network and self._address:
            await sandbox.destroy(self._netns)
            self._context.addresses.give_back(self._address)
        cgroups.remove(self._group)
        (self._context.state / "etc" / f"{self.uid}.resolv.conf").unlink(missing_ok=True)
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
