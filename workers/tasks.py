"""Which tasks do the workers of one cluster take, and how does Celery have to be set so that none is lost or forged?

Thin: decode, call, tell. The reasons for the settings were measured with Celery 5.7 on Redis; they stand beside them.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, Literal

import structlog
from celery import Celery, Task
from celery.exceptions import Reject

from workers import change, diagnose, runs
from workers.catalogue import Catalogue
from workers.collect.look import Looker
from workers.core import sending, wire
from workers.core.errors import TryAgain
from workers.core.tokens import Keyring
from workers.leases import Leases
from workers.outlet import Outlet
from workers.trust import Trust
from workers.world import LateSource, World

Role = Literal["look", "change"]

# A dead worker's task comes back after this time. Longer than any run takes. A change may take longer: its copy then
# waits at the claim until the first is over (workers/apply/claims.py), so that a minute is right for both. One number,
# since both kinds of worker sweep the unacknowledged messages of the cluster together.
VISIBILITY = 60.0
CHANGE_LIMIT = 400  # seconds until a change that hangs is killed, and given to the next; all its parts are bounded
POOLS = {"look": ("threads", 8), "change": ("prefork", 2)}  # only prefork can enforce a limit


class Station:
    """What the tasks of one process are done with."""

    def __init__(
        self,
        *,
        worker: str,
        world: World,
        catalogue: Catalogue,
        outlet: Outlet,
        leases: Leases,
        bot_keys: Keyring,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.worker = worker
        self.world = world
        self.catalogue = catalogue
        self.outlet = outlet
        self.leases = leases
        self.bot_keys = bot_keys
        self.now = now

    async def emit(self, event: wire.Event) -> None:
        """Tell the bot; a lost event is logged."""
        await asyncio.to_thread(self.outlet.send, event)


def transport_options(cluster: str) -> dict[str, Any]:
    """For the broker's connection, on both sides. Keys of different clusters never meet."""
    return {
        "global_keyprefix": f"netdiag:{cluster}:",
        "visibility_timeout": VISIBILITY,
        "unacked_restore_interval": 1,  # the default sweep finds a dead worker's task after 100 s
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 2.0,
        "socket_keepalive": True,
    }


def make_app(broker_url: str, *, role: Role, cluster: str, bot_keys: Keyring, station: Callable[[], Station]) -> Celery:
    """The Celery application of one worker process. station: made when the first task runs, in the child's process."""
    app = Celery("netdiag", broker=broker_url, set_as_current=False)
    app.conf.update(
        broker_transport_options=transport_options(cluster),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_default_queue=wire.queue(role, cluster),
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,  # what is to be told goes on the stream
        task_acks_late=True,  # an early ack loses the task of a killed worker
        task_reject_on_worker_lost=True,
        task_acks_on_timeout=False,  # whoever takes it next finds out at the claim what was done
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,  # its commands come over the same Redis, unsigned
        worker_send_task_events=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        timezone="UTC",
    )
    app.finalize()
    for name in list(app.tasks):
        app.tasks.unregister(name)  # Celery's own run other tasks by name: celery.map, celery.chord_unlock
    trust = Trust(cluster=cluster, bot_keys=bot_keys, now=time.time)
    bodies: dict[str, Body] = (
        {sending.DIAGNOSE: _diagnose} if role == "look" else {sending.PLAN: _plan, sending.CHANGE: _change}
    )
    for name, body in bodies.items():
        app.register_task(Job(name, body, trust, station))
    return app


Body = Callable[[Any, Station, bool], Coroutine[Any, Any, None]]


class Job(Task):  # type: ignore[type-arg]  # generic in its stubs only
    """A task with one argument, the JSON text of its wire struct; run only for messages that `trust` believes."""

    def __init__(self, name: str, body: Body, trust: Trust, station: Callable[[], Station]) -> None:
        self.name = name
        self.Strategy = trust  # type: ignore[assignment]  # Celery also takes the strategy itself
        self.time_limit = None if name == sending.DIAGNOSE else CHANGE_LIMIT
        self._body = body
        self._station = station

    def run(self, text: str) -> None:
        """Decode, call, tell."""
        redelivered = bool((self.request.delivery_info or {}).get("redelivered"))
        asyncio.run(self._body(wire.decode_task(text), self._station(), redelivered))


async def _diagnose(task: wire.DiagnoseTask, at: Station, redelivered: bool) -> None:
    async with at.leases.held(task.run, redelivered=redelivered) as ours:
        if ours:
            log = structlog.get_logger().bind(run=task.run)
            log.info("a run begins", target=str(task.request.target), redelivered=redelivered)
            ended = await runs.run(
                task, world=at.world, catalogue=at.catalogue, worker=at.worker, emit=at.emit, now=at.now
            )
            await at.emit(ended)
            log.info("a run is over", ended=type(ended).__name__)


async def _plan(task: wire.PlanTask, at: Station, redelivered: bool) -> None:
    del redelivered  # planning changes nothing, and a second answer says the same
    try:
        async with at.world.source() as source:
            look = Looker(source, now=at.now, wait=not at.world.recorded)
            event = await change.plan_remedy(task, look, at.world.writer, at.catalogue, now=at.now)
    except TryAgain as error:
        detail = f"the cluster {task.cluster} cannot be reached: {error}"
        event = wire.PlanRefused(approval=task.approval, at=at.now(), refusal=None, detail=detail)
    await at.emit(event)


async def _change(task: wire.ChangeTask, at: Station, redelivered: bool) -> None:
    structlog.get_logger().info("an order begins", approval=task.approval, redelivered=redelivered)
    async with LateSource(at.world.source) as source:
        ended = await change.carry_out(
            task,
            holder=f"{at.worker}/{uuid.uuid4().hex[:8]}",
            fresh_look=lambda: Looker(source, now=at.now, wait=not at.world.recorded),
            writer=at.world.writer,
            catalogue=at.catalogue,
            recheck=diagnose.recheck,
            bot_keys=at.bot_keys,
            now=at.now,
            sleep=asyncio.sleep,
            emit=at.emit,
        )
    if ended is None:
        raise Reject("another delivery of this order is alive; look again later", requeue=True)
    await at.emit(ended)
    structlog.get_logger().info("an order is over", approval=task.approval, result=ended.result)
