"""One container: its real process, started again whenever it ends, and what the pod's status says of it."""

import asyncio
import contextlib
import datetime as dt
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

from tests.lab import images, probes, volumes
from tests.lab.context import NodeContext

ENTER = Path(__file__).parent / "enter.py"
BACK_OFF = (0.3, 1.0, 2.0, 5.0, 10.0)  # seconds before the nth restart; a kubelet waits up to five minutes
LONG_RUN = 30.0  # seconds after which a container's earlier failures are forgotten


def stamp() -> str:
    """Now, as Kubernetes writes times."""
    return dt.datetime.now(tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Container:
    """A container of a pod. `changed` is set whenever its status is another."""

    def __init__(
        self,
        context: NodeContext,
        pod: dict[str, Any],
        spec: dict[str, Any],
        *,
        network: str,
        address: str,
        paths: dict[str, Path],
        cgroup: str,
        changed: asyncio.Event,
    ) -> None:
        self.spec = spec
        self.ready = False
        self._context = context
        self._pod = pod
        self._network = network
        self._address = address
        self._paths = paths
        self._cgroup = cgroup
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._restarts = 0
        self._state: dict[str, Any] = {"waiting": {"reason": "ContainerCreating"}}
        self._last: dict[str, Any] = {}

    def status(self) -> dict[str, Any]:
        """Its entry of `status.containerStatuses`."""
        running = "running" in self._state
        return {
            "name": self.spec["name"],
            "image": self.spec["image"],
            "imageID": f"lab://{self.spec['image']}",
            "containerID": f"lab://{self._process.pid}" if self._process else "",
            "ready": self.ready,
            "started": running,
            "restartCount": self._restarts,
            "state": self._state,
            "lastState": self._last,
        }

    async def keep(self) -> None:
        """Run it for ever."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            begun, at = loop.time(), stamp()
            code, reason = await self._once(at)
            failures = 0 if loop.time() - begun > LONG_RUN else failures + 1
            ended = {"exitCode": code, "reason": reason, "startedAt": at, "finishedAt": stamp()}
            self._last = {"terminated": ended}
            self._set({"waiting": {"reason": "CrashLoopBackOff", "message": reason}}, ready=False)
            await asyncio.sleep(BACK_OFF[min(failures, len(BACK_OFF) - 1)])
            self._restarts += 1

    async def _once(self, at: str) -> tuple[int, str]:
        try:
            self._process = await self._spawn()
        except (images.NoSuchImageError, KeyError) as error:
            return 128, f"StartError: {error}"
        probe = self.spec.get("readinessProbe")
        self._set({"running": {"startedAt": at}}, ready=probe is None)
        probing = asyncio.create_task(self._probe(probe)) if probe else None
        try:
            code = await self._process.wait()
        finally:
            if probing:
                probing.cancel()
        return (code, "Completed" if code == 0 else "Error") if code >= 0 else (128 - code, "Error")

    def _set(self, state: dict[str, Any], *, ready: bool) -> None:
        self._state, self.ready = state, ready
        self._changed.set()

    async def _probe(self, probe: dict[str, Any]) -> None:
        wanted = {True: probe.get("successThreshold", 1), False: probe.get("failureThreshold", 3)}
        last, times = False, 0
        await asyncio.sleep(probe.get("initialDelaySeconds", 0) or 0.1)
        while True:
            result = await probes.ask(self._context.prober, probe, self.spec, self._address)
            times = times + 1 if result == last else 1
            last = result
            if times >= wanted[result] and result != self.ready:
                self._set(self._state, ready=result)
            await asyncio.sleep(probe.get("periodSeconds", 10))

    async def _spawn(self) -> asyncio.subprocess.Process:
        env = self._environment()
        expanded = [_expand(word, env) for word in (*self.spec.get("command", ()), *self.spec.get("args", ()))]
        spec = {
            "network": self._network,
            "mounts": [self._mount(mount) for mount in self.spec.get("volumeMounts", ())],
            "cgroup": self._cgroup,
            "argv": images.argv(self.spec, expanded, self._context.binaries),
            "env": env,
        }
        meta = self._pod["metadata"]
        log = self._context.logs / f"pod-{meta['namespace']}-{meta['name']}-{self.spec['name']}.log"
        with log.open("ab") as file:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(ENTER), json.dumps(spec)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    def _mount(self, mount: dict[str, Any]) -> tuple[str, str, bool]:
        source = self._paths[mount["name"]] / mount.get("subPath", "")
        return str(source), mount["mountPath"], mount.get("readOnly", False)

    def _environment(self) -> dict[str, str]:
        env = {
            "PATH": f"{self._context.path}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "HOSTNAME": self._pod["metadata"]["name"],
            "KUBERNETES_SERVICE_HOST": "10.96.0.1",
            "KUBERNETES_SERVICE_PORT": "443",
        }
        addresses = {"status.hostIP": self._context.node.address, "status.podIP": self._address}
        for item in self.spec.get("env", ()):
            if "value" in item:
                env[item["name"]] = _expand(item["value"], env)
            elif "valueFrom" in item:
                env[item["name"]] = volumes.field(self._pod, item["valueFrom"]["fieldRef"]["fieldPath"], addresses)
        return env

    async def stop(self, grace: float) -> None:
        """SIGTERM; SIGKILL after `grace` seconds, to all that it has started."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), grace)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _expand(text: str, env: dict[str, str]) -> str:
    return re.sub(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)", lambda found: env.get(found[1], found[0]), text)
