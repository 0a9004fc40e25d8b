"""`netdiag agent`: the environment and the command line of the process on each node."""

import asyncio
import ipaddress
import os
import random
import signal
import sys
import time
from pathlib import Path

import click
import structlog

from workers.agent import probes
from workers.agent.callers import Callers
from workers.agent.cluster import InChild, Registry
from workers.agent.host import SYSTEM_PATH, Host
from workers.agent.identity import Identity
from workers.agent.registration import register
from workers.agent.server import Agent
from workers.core.errors import TypedWrongly
from workers.release import RELEASE

log = structlog.get_logger()


class Address(click.ParamType[str]):
    """An IP address."""

    name = "IP"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """In its usual form."""
        try:
            return str(ipaddress.ip_address(value))
        except ValueError:
            self.fail(f"{value!r} is not an IP address", param, ctx)


@click.command(context_settings={"auto_envvar_prefix": "NETDIAG_AGENT", "show_default": True})
@click.option("--node", required=True, show_envvar=True, help="This node's name in the cluster.")
@click.option("--listen", type=Address(), required=True, show_envvar=True, help="The node's own IP address.")
@click.option("--port", type=click.IntRange(0, 65535), default=9733, show_envvar=True, help="0: any free one.")
@click.option(
    "--callers",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    show_envvar=True,
    help="A folder of public keys: look-*.pub and act-*.pub.",
)
@click.option(
    "--kubeconfig",
    type=click.Path(dir_okay=False, path_type=Path),
    show_envvar=True,
    help="Without it: the pod's service account.",
)
@click.option("--namespace", default="netdiag", show_envvar=True, help="Where the agents' cards are.")
def command(*, node: str, listen: str, port: int, callers: Path, kubeconfig: Path | None, namespace: str) -> None:
    """Answer probes on this node."""
    _log_lines()
    registry = InChild(kubeconfig, namespace)
    asyncio.run(serve(node, listen, port, Callers(callers), registry))


def _log_lines() -> None:
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


async def serve(node: str, listen: str, port: int, callers: Callers, registry: Registry) -> None:
    """Until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    structlog.contextvars.bind_contextvars(node=node)
    host = Host(path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}".lstrip(":"))
    agent = Agent(Identity(node, now=time.time()), callers, probes.load(), host=host)
    try:
        bound = await agent.start(listen, port)
    except OSError as error:
        await agent.stop()
        raise TypedWrongly(f"cannot listen on {listen} port {port}: {error.strerror}") from error
    log.info("listening", address=listen, port=bound, release=RELEASE)
    registering = asyncio.create_task(
        register(registry, agent, listen=listen, port=bound, release=RELEASE, chance=random.random)
    )
    waiting = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({registering, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if registering.done():
            registering.result()  # a bug in it must end the process, not leave an agent that is never ready
        await waiting
    finally:
        registering.cancel()
        waiting.cancel()
        await agent.stop()
        log.info("stopped")
