"""`netdiag worker`: which settings does a worker need, and how does it live?

The environment is read here, and only here, on the workers' side.
"""

import functools
import os
import socket
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec
import structlog
from celery import signals

from workers import catalogue
from workers.collect.cluster.api import Api
from workers.core import wire
from workers.core.errors import TypedWrongly
from workers.core.tokens import Signer
from workers.keys import believed, load_keyring, load_signer
from workers.leases import Leases
from workers.outlet import Outlet, connect
from workers.release import RELEASE
from workers.tasks import POOLS, Role, Station, make_app
from workers.world import LiveWorld, RecordedWorld, World

HEARTBEAT = 5.0  # seconds
PREFIX = {"look": "look", "change": "act"}  # of the key with which a role asks the agents and signs its events


class Settings(msgspec.Struct, frozen=True):
    """NETDIAG_BROKER_URL, NETDIAG_KEYS_DIR, NETDIAG_KUBECONFIG (without it: the pod's service account), and
    NETDIAG_REPLAY (a folder of recorded evidence in place of a cluster).
    """

    broker_url: str
    keys_dir: Path
    kubeconfig: Path | None = None
    replay: Path | None = None


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises TypedWrongly with the first setting that is missing."""

    def path(name: str) -> Path | None:
        return Path(environment[name]) if environment.get(name) else None

    keys_dir, broker_url = path("NETDIAG_KEYS_DIR"), environment.get("NETDIAG_BROKER_URL")
    if not broker_url:
        raise TypedWrongly("NETDIAG_BROKER_URL is not set: the Redis that carries the work, redis://HOST:PORT/0")
    if not keys_dir:
        raise TypedWrongly("NETDIAG_KEYS_DIR is not set: the folder that `netdiag keys init` made")
    return Settings(broker_url, keys_dir, path("NETDIAG_KUBECONFIG"), path("NETDIAG_REPLAY"))


def open_world(settings: Settings, role: Role, signer: Signer) -> World:
    """The cluster that this worker is for. Raises TypedWrongly when a file is missing or wrong."""
    if settings.replay:
        return RecordedWorld(settings.replay)
    return LiveWorld(Api.connect(settings.kubeconfig, role=role), signer, clock=time.time)


class Heart(threading.Thread):
    """Says every HEARTBEAT seconds that the worker lives: on the stream, and by a file's time for a liveness probe."""

    def __init__(self, outlet: Outlet, beat: wire.Heartbeat, alive: Path | None) -> None:
        super().__init__(name="heart", daemon=True)
        self._outlet = outlet
        self._beat = beat
        self._alive = alive
        self._stopped = threading.Event()

    def run(self) -> None:
        """Until stopped."""
        while True:
            if self._alive:
                self._alive.touch()
            self._outlet.send(msgspec.structs.replace(self._beat, at=time.time()))
            if self._stopped.wait(HEARTBEAT):
                return

    def stop(self, **_signal: Any) -> None:
        """No further beat."""
        self._stopped.set()


@click.command()
@click.option("--role", type=click.Choice(["look", "change"]), required=True, help="What it may do.")
@click.option("--cluster", required=True, help="The cluster's name, as in the policy file.")
@click.option("--alive", type=click.Path(dir_okay=False, path_type=Path), help="A file to touch while it lives.")
def command(role: Role, cluster: str, alive: Path | None) -> None:
    """The cluster side: looks, or changes what was approved."""
    _log_lines()
    settings = read_settings(os.environ)
    bot_keys = load_keyring(believed(settings.keys_dir, "bot"))
    signer = load_signer(settings.keys_dir / f"{PREFIX[role]}-{cluster}.key")
    world = open_world(settings, role, signer)
    catalogue.load()  # a wrong declaration stops the worker now, not its first task
    name = f"{role}-{socket.gethostname()}-{os.getpid()}"

    @functools.cache
    def station() -> Station:
        client = connect(settings.broker_url)
        return Station(
            worker=name,
            world=world,
            catalogue=catalogue.load(),
            outlet=Outlet(client, cluster, signer),
            leases=Leases(client, cluster, name),
            bot_keys=bot_keys,
        )

    app = make_app(settings.broker_url, role=role, cluster=cluster, bot_keys=bot_keys, station=station)
    beat = wire.Heartbeat(worker=name, role=role, cluster=cluster, release=RELEASE, at=0.0)
    heart = Heart(Outlet(connect(settings.broker_url), cluster, signer), beat, alive)
    signals.worker_ready.connect(lambda **_signal: heart.start(), weak=False)
    signals.worker_shutting_down.connect(heart.stop, weak=False)
    pool, concurrency = POOLS[role]
    app.worker_main(
        [
            "worker",
            f"--pool={pool}",
            f"--concurrency={concurrency}",
            f"--queues={wire.queue(role, cluster)}",
            f"--hostname={name}@%h",
            "--without-mingle",  # a second of waiting for other workers' news, which we do not use
            "--without-gossip",
            "--without-heartbeat",
            "--loglevel=INFO",
        ]
    )


def _log_lines() -> None:
    """One JSON object a line, with tracebacks and without the values in them: a token may be among those."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
