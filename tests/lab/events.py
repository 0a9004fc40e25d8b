"""What a kubelet tells about its pods and its node: core/v1 Events, one for each thing that happens again and again."""

import asyncio
import secrets
from typing import Any, Literal

import aiohttp

from tests.lab.api import MERGE, Api, ApiError
from tests.lab.clock import stamp

Kind = Literal["Normal", "Warning"]
MOST_WAITING = 500  # events that a dead API server makes us keep


class Recorder:
    """The events of one node. `note` never waits; `deliver` sends."""

    def __init__(self, api: Api, node: str) -> None:
        self._api = api
        self._node = node
        self._waiting: asyncio.Queue[tuple[dict[str, Any], str, Kind, str]] = asyncio.Queue(MOST_WAITING)
        self._known: dict[tuple[str, ...], tuple[str, int]] = {}

    def of_pod(self, pod: dict[str, Any], reason: str, message: str, *, kind: Kind, container: str = "") -> None:
        """Something about a pod or one of its containers."""
        meta = pod["metadata"]
        about = {"kind": "Pod", "apiVersion": "v1", **{key: meta[key] for key in ("namespace", "name", "uid")}}
        if container:
            about["fieldPath"] = f"spec.containers{{{container}}}"
        self._note(about, reason, kind, message)

    def of_node(self, reason: str, message: str, *, kind: Kind) -> None:
        """Something about the node. Its `uid` is its name, as a kubelet writes it."""
        self._note({"kind": "Node", "name": self._node, "uid": self._node}, reason, kind, message)

    def _note(self, about: dict[str, Any], reason: str, kind: Kind, message: str) -> None:
        if not self._waiting.full():
            self._waiting.put_nowait((about, reason, kind, message))

    async def deliver(self) -> None:
        """Send what is noted, for ever. An event that cannot be written is lost, as a kubelet's is."""
        while True:
            about, reason, kind, message = await self._waiting.get()
            try:
                await self._write(about, reason, kind, message)
            except (ApiError, aiohttp.ClientError, TimeoutError) as error:
                print(f"{self._node}: event {reason} of {about['name']}: {error}", flush=True)

    async def _write(self, about: dict[str, Any], reason: str, kind: Kind, message: str) -> None:
        path = f"/api/v1/namespaces/{about.get('namespace', 'default')}/events"
        key = (about["uid"], about.get("fieldPath", ""), reason, message)
        now = stamp()
        if key in self._known:
            name, count = self._known[key]
            body: dict[str, Any] = {"count": count + 1, "lastTimestamp": now}
            await self._api.call("PATCH", f"{path}/{name}", body, kind=MERGE)
            self._known[key] = name, count + 1
            return
        name = f"{about['name']}.{secrets.token_hex(8)}"
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name},
            "involvedObject": about,
            "reason": reason,
            "message": message,
            "type": kind,
            "source": {"component": "kubelet", "host": self._node},
            "reportingComponent": "kubelet",
            "reportingInstance": self._node,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        await self._api.call("POST", path, body)
        self._known[key] = name, 1
