"""The lab: a real cluster of a few machines that can be broken on purpose.

    async with Lab() as lab:
        await lab.fault("kube-proxy-stale-rules").inject()

It runs inside the lab's own namespaces only (`python -m tests.lab in -- COMMAND`), one at a time in each.
"""

import asyncio
import dataclasses
import datetime as dt
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Self

from tests.lab import build, cgroups, namespaces, nodes, programs, upstream, workloads
from tests.lab.api import Api
from tests.lab.cell import Cell
from tests.lab.control_plane import SERVER, ControlPlane
from tests.lab.credentials import write_kubeconfig
from tests.lab.faults import Injected, load
from tests.lab.processes import LabError, Processes, run, tail, until
from tests.lab.truth import Truth

CLUSTER = "lab"
KEPT_LOGS = 5


class Lab:
    """A running cluster. `nodes` by name; `client` is somebody outside; `keys_dir` holds netdiag's keys."""

    cluster = CLUSTER
    api_url = SERVER

    def __init__(self, *, cell: Cell | None = None, node_count: int = 3) -> None:
        if not namespaces.inside():
            raise LabError("the lab runs in namespaces of its own: .venv/bin/python -m tests.lab in -- COMMAND")
        self.cell = cell or Cell()
        self.state = namespaces.MARK / "state"
        self.keys_dir = self.state / "keys"
        self.logs = _new_logs()
        self.binaries = self.state / "bin"
        self.nodes = nodes.plan(node_count, str(self.state / "path"), self.cell.network)
        self.client = nodes.client()
        self.started_in = 0.0
        self._processes = Processes(self.logs)
        self.faults = load()
        self._truths: dict[str, Truth] = {}
        self._control: ControlPlane | None = None

    async def __aenter__(self) -> Self:
        begun = time.monotonic()
        try:
            await self._start()
        except BaseException:
            self.print_logs()
            await self._stop()
            raise
        self.started_in = time.monotonic() - begun
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def _start(self) -> None:
        self.state.mkdir(parents=True)
        programs.link_binaries(self.binaries, self.cell)
        programs.link_iptables([Path(node.path) for node in self.nodes.values()], self.cell)
        self._control = ControlPlane(self.binaries, self.state, self._processes, list(self.nodes))
        await asyncio.gather(self._make_network(), self._control.start())
        await asyncio.gather(*(workloads.register(self.admin, node) for node in self.nodes.values()))
        self._start_kubelet()
        await workloads.install(self)
        await self.healthy()
        await workloads.keep_agents_kubeconfigs(self)

    async def _stop(self) -> None:
        await asyncio.to_thread(self._processes.stop_all)
        for truth in self._truths.values():
            truth.close()
        if self._control:
            await nodes.destroy(self.nodes, self.client)
        cgroups.remove_roots()
        shutil.rmtree(self.state, ignore_errors=True)

    async def _make_network(self) -> None:
        await nodes.create(self.nodes, self.client, self.cell.network)
        upstream.start(self._processes, self.binaries, self.state)

    def _start_kubelet(self) -> None:
        control = self.control
        settings = {
            "server": SERVER,
            "ca_file": str(control.ca_file),
            "binaries": str(self.binaries),
            "state": str(self.state),
            "logs": str(self.logs),
            "nodes": [
                {
                    "node": dataclasses.asdict(node),
                    "token": control.tokens[f"system:node:{node.name}"],
                }
                for node in self.nodes.values()
            ],
        }
        path = self.state / "kubelet.json"
        path.write_text(json.dumps(settings))
        cgroups.create_roots()
        self._processes.start("kubelet", [sys.executable, "-m", "tests.lab.kubelet", str(path)])

    @property
    def control(self) -> ControlPlane:
        """The control plane. Raises LabError before the start."""
        if self._control is None:
            raise LabError("the lab has not been started: use `async with`")
        return self._control

    @property
    def admin(self) -> Api:
        """The API server, as cluster admin."""
        return self.control.api("admin")

    async def kubectl(self, *argv: str, limit: float = 30) -> str:
        """What kubectl prints, as cluster admin."""
        env = {**os.environ, "KUBECONFIG": str(self.kubeconfig("admin"))}
        return await run(str(self.binaries / "kubectl"), *argv, env=env, limit=limit)

    def kubeconfig(self, who: str) -> Path:
        """The kubeconfig of `admin`, `look`, `change` or `agent-<node>` (the token that its pod has)."""
        if who == "admin":
            return self.control.kubeconfig("admin")
        path = self.state / f"{who}.kubeconfig"
        if not path.exists():
            raise LabError(f"nobody here is called {who}")
        return path

    def keep_kubeconfig(self, who: str, user: dict[str, str]) -> Path:
        """Write a kubeconfig, found again by `kubeconfig(who)`."""
        return write_kubeconfig(self.state / f"{who}.kubeconfig", SERVER, self.control.ca_file, user)

    def fault(self, identifier: str) -> Injected:
        """A fault, to be injected into this lab. Raises LabError for one that is not known."""
        if identifier not in self.faults:
            raise LabError(f"no fault is called {identifier}; there are {', '.join(sorted(self.faults))}")
        return Injected(self.faults[identifier], self)

    def truth(self, machine: nodes.Machine) -> Truth:
        """What the kernel does with connections from a node, a pod or the client."""
        if machine.name not in self._truths:
            self._truths[machine.name] = Truth(machine.name)
        return self._truths[machine.name]

    async def pods(self, namespace: str = "shop", selector: str = "app=checkout") -> list[workloads.LabPod]:
        """The ready pods that a label selector names, each with a network of its own, by name."""
        return await workloads.pods(self.admin, namespace, selector)

    async def answers(self, port: int = workloads.NODE_PORT) -> dict[str, str]:
        """What somebody outside gets at each node's port: node -> `200`, `refused`, `timeout`, ..."""
        gets = (self.truth(self.client).get(node.address, port) for node in self.nodes.values())
        return dict(zip(self.nodes, await asyncio.gather(*gets), strict=True))

    async def until_answers(self, wanted: dict[str, str], *, limit: float = 20) -> None:
        """Wait until somebody outside gets what is `wanted` at these nodes. Raises LabError with what came instead."""
        got: dict[str, str] = {}

        async def holds() -> bool:
            self._processes.check()
            got.update(await self.answers())
            return all(got[name] == answer for name, answer in wanted.items())

        try:
            await until(f"the nodes answer {wanted}", holds, limit=limit, every=0.2)
        except LabError as error:
            raise LabError(f"{error}; they answer {got}") from error

    async def healthy(self, *, limit: float = 40) -> None:
        """Wait until everything is as installed: pods ready, every node's rules complete, names resolved, and
        every node answers.
        """
        await workloads.until_ready(self, limit=limit)
        await workloads.until_ruled(self, limit=limit)
        await workloads.until_resolved(self, limit=limit)
        await self.until_answers(dict.fromkeys(self.nodes, "200"), limit=limit)

    def print_logs(self) -> None:
        """The end of every component's log."""
        for path in sorted(self.logs.glob("*.log")):
            print(f"--- {path}\n{tail(path)}", file=sys.stderr)

    def memory(self) -> dict[str, float]:
        """Resident memory by command, MiB, of everything in the lab."""
        used: dict[str, float] = {}
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                facts = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
            except OSError:  # it has ended meanwhile
                continue
            if "VmRSS" in facts:
                used[facts["Name"]] = used.get(facts["Name"], 0.0) + int(facts["VmRSS"].split()[0]) / 1024
        return used


def _new_logs() -> Path:
    """A folder for this lab's logs; the last few labs' are kept."""
    parent = Path(os.environ.get("NETDIAG_LAB_LOGS") or build.cache() / "logs")
    parent.mkdir(parents=True, exist_ok=True)
    for old in sorted(parent.iterdir())[: -KEPT_LOGS + 1]:
        shutil.rmtree(old, ignore_errors=True)
    now = dt.datetime.now(tz=dt.UTC)
    folder = parent / now.strftime("%Y%m%dT%H%M%S.%f")
    folder.mkdir()
    return folder
