"""One container: its real process, started again whenever it ends, and what the pod's status says of it."""

import asyncio
import contextlib
import os
import secrets
import signal
from pathlib import Path
from typing import Any

import aiohttp

from tests.lab import cgroups, images, launch, limits, probes
from tests.lab.api import ApiError
from tests.lab.clock import stamp
from tests.lab.context import NodeContext
from tests.lab.events import Kind
from tests.lab.logs import LogPipe

BACK_OFF = (0.3, 1.0, 2.0, 5.0, 10.0)  # seconds before the nth restart; a kubelet waits up to five minutes
LONG_RUN = 30.0  # seconds after which a container's earlier failures are forgotten
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
CANNOT_START = (images.NoSuchImageError, KeyError, ApiError, aiohttp.ClientError, TimeoutError)


class Container:
    """A container of a pod. `changed` is set whenever its status is another. first: an init container, which runs
    until it has ended well.
    """

    def __init__(
        self,
        context: NodeContext,
        pod: dict[str, Any],
        spec: dict[str, Any],
        *,
        place: launch.Place,
        changed: asyncio.Event,
        first: bool = False,
    ) -> None:
        self.spec = spec
        self.ready = False
        self.restarts = 0
        self._context = context
        self._pod = pod
        self._place = place
        self._changed = changed
        self._first = first
        self._env: dict[str, str] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._has_started = asyncio.Event()  # what its startup probe says, if it has one
        self._stopping = asyncio.Event()
        self._idle = asyncio.Event()  # nobody runs it
        self._idle.set()
        self._ending: asyncio.Task[None] | None = None
        self._state: dict[str, Any] = {"waiting": {"reason": "ContainerCreating"}}
        self._last: dict[str, Any] = {}

    @property
    def running(self) -> bool:
        """Has it a process?"""
        return self._process is not None and self._process.returncode is None

    def log(self, *, previous: bool = False) -> Path | None:
        """The log of its process, or of the one before; None where there was none."""
        path = self._log(self.restarts - (1 if previous else 0))
        return path if path.exists() else None

    def _log(self, run: int) -> Path:
        meta = self._pod["metadata"]
        name = f"pod-{meta['namespace']}-{meta['name']}-{meta['uid'][:8]}-{self.spec['name']}.{run}.log"
        return self._context.logs / name

    def status(self) -> dict[str, Any]:
        """Its entry of `status.containerStatuses`."""
        return {
            "name": self.spec["name"],
            "image": self.spec["image"],
            "imageID": f"lab://{self.spec['image']}",
            "containerID": f"lab://{self._process.pid}" if self._process else "",
            "ready": self.ready,
            "started": "running" in self._state and self._has_started.is_set(),
            "restartCount": self.restarts,
            "state": self._state,
            "lastState": self._last,
        }

    async def keep(self) -> None:
        """Run it until it is stopped; an init container until it has ended well."""
        self._idle.clear()
        try:
            await self._keep()
        finally:
            self._idle.set()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while not self._stopping.is_set():
            begun, at = loop.time(), stamp()
            code, reason = await self._once(at)
            ended = {"exitCode": code, "reason": reason, "startedAt": at, "finishedAt": stamp()}
            if self._stopping.is_set() or (self._first and code == 0):
                self._set({"terminated": ended}, ready=self._first)
                return
            self._last = {"terminated": ended}
            failures = 0 if loop.time() - begun > LONG_RUN else failures + 1
            self._set({"waiting": {"reason": "CrashLoopBackOff", "message": reason}}, ready=False)
            if failures > 1:
                meta = self._pod["metadata"]
                pod = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
                self._note("BackOff", f"Back-off restarting failed container {self.spec['name']} in pod {pod}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), BACK_OFF[min(failures, len(BACK_OFF) - 1)])
            self.restarts += 1

    async def _once(self, at: str) -> tuple[int, str]:
        """Exit code and reason of one run."""
        group = f"{self._place.group}/cri-containerd-{secrets.token_hex(32)}.scope"
        pipe = LogPipe(self._log(self.restarts))
        try:
            self._process = await self._start(group, pipe)
            if self._stopping.is_set():
                self.kill()
            return await self._end_of(self._process, group, at)
        except CANNOT_START as error:
            return 128, f"StartError: {error}"
        finally:
            pipe.close()
            cgroups.remove(group)

    async def _start(self, group: str, pipe: LogPipe) -> asyncio.subprocess.Process:
        try:
            self._env = await launch.environment(self._context, self._pod, self.spec, self._place.address)
            groups = cgroups.create(group, limits.of_container(self.spec))
            return await launch.start(
                self._context, self.spec, self._place, env=self._env, groups=groups, output=pipe.writer
            )
        finally:
            pipe.started()

    async def _end_of(self, process: asyncio.subprocess.Process, group: str, at: str) -> tuple[int, str]:
        kinds = [kind for kind in PROBES if kind in self.spec]
        if "startupProbe" in kinds:
            self._has_started.clear()
        else:
            self._has_started.set()
        self._set({"running": {"startedAt": at}}, ready=self._has_started.is_set() and "readinessProbe" not in kinds)
        probing = [asyncio.create_task(self._probe(kind)) for kind in kinds]
        try:
            code = await process.wait()
        finally:
            for task in probing:
                task.cancel()
        _kill_group(process)  # what it has left behind
        if code and cgroups.oom_kills(group):
            self._context.recorder.of_node(
                "OOMKilling", f"Memory cgroup out of memory: Killed process {process.pid}", kind="Warning"
            )
            return 137, "OOMKilled"
        return code if code >= 0 else 128 - code, "Error" if code else "Completed"

    def _set(self, state: dict[str, Any], *, ready: bool) -> None:
        self._state, self.ready = state, ready
        self._changed.set()

    def _note(self, reason: str, message: str, *, kind: Kind = "Warning") -> None:
        self._context.recorder.of_pod(self._pod, reason, message, kind=kind, container=self.spec["name"])

    async def _probe(self, kind: str) -> None:
        """Ask for ever, and do what follows. A container that ends is asked for its readiness only."""
        probe = self.spec[kind]
        tally = probes.Tally(probe)
        await asyncio.sleep(probe.get("initialDelaySeconds", 0) or 0.1)
        if kind != "startupProbe":
            await self._has_started.wait()
        while kind == "readinessProbe" or not self._stopping.is_set():
            well, said = await probes.ask(self._context.prober, probe, self.spec, self._place.address, self._run_inside)
            if not well:
                self._note("Unhealthy", f"{kind.removesuffix('Probe').capitalize()} probe failed: {said}")
            verdict = tally.add(well)
            if verdict is not None and self._judge(kind, well=verdict):
                return
            await asyncio.sleep(probe.get("periodSeconds", 10))

    def _judge(self, kind: str, *, well: bool) -> bool:
        """Act on a probe's verdict; True when that probe has no more to ask."""
        if kind == "readinessProbe":
            if well != self.ready:
                self._set(self._state, ready=well)
            return False
        if well and kind == "startupProbe":
            self._has_started.set()
            self._set(self._state, ready="readinessProbe" not in self.spec)
            return True
        if not well:
            name = f"Container {self.spec['name']} failed {kind.removesuffix('Probe')} probe"
            self._note("Killing", f"{name}, will be restarted", kind="Normal")
            grace = self.spec[kind].get("terminationGracePeriodSeconds") or self._pod["spec"].get(
                "terminationGracePeriodSeconds", 30
            )
            self._ending = asyncio.create_task(self._terminate(grace))  # this probe's own task ends with the process
        return not well

    async def _run_inside(self, argv: list[str], limit: float) -> probes.Answer:
        if self._process is None:
            return False, "container not running"
        return await launch.run_inside(self._process.pid, self._env, argv, limit)

    async def stop(self, grace: float) -> None:
        """End it for good: SIGTERM; SIGKILL after `grace` seconds, to all that it has started."""
        self._stopping.set()
        if self.running:
            self._note("Killing", f"Stopping container {self.spec['name']}", kind="Normal")
            await self._terminate(grace)
        await self._idle.wait()

    async def _terminate(self, grace: float) -> None:
        process = self._process
        if process is None:
            return
        hook = self.spec.get("lifecycle", {}).get("preStop", {})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._before_stop(process, hook)
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                await process.wait()
        _kill_group(process)
        await process.wait()

    async def _before_stop(self, process: asyncio.subprocess.Process, hook: dict[str, Any]) -> None:
        """Its preStop hook, which a process that ends by itself does not outlast."""
        ended = asyncio.create_task(process.wait())
        if "sleep" in hook:
            await asyncio.wait({ended}, timeout=hook["sleep"]["seconds"])
        elif "exec" in hook:
            await self._run_inside(hook["exec"]["command"], 3600)
        ended.cancel()

    def kill(self) -> None:
        """SIGKILL, now."""
        if self._process is not None and self._process.returncode is None:
            _kill_group(self._process)


def _kill_group(process: asyncio.subprocess.Process) -> None:
    """SIGKILL to all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
