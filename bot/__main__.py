"""How do the bot's parts come together? `netdiag bot`: here they are joined, and nowhere else.

It starts with Slack, Redis or the workers away, and keeps trying; only its own settings, keys, policy and ledger must
be right at the start.
"""

import asyncio
import os
import secrets
import signal
import socket
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import click
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot import policy, settings
from bot.access import Access
from bot.app import Door
from bot.approvals import Approvals
from bot.broker import Broker
from bot.desk import Desk
from bot.draw import Artist
from bot.events import Hearer, Listener
from bot.ledger import Ledger, open_ledger
from bot.ledger.audit import Scribe
from bot.notifier import Notifier
from bot.runs import Runs
from bot.sender import Sender
from bot.settings import Settings
from bot.slack import SlackReads
from bot.timekeeper import Timekeeper
from workers import catalogue
from workers.core.tokens import Keyring, Signer

LOG = structlog.get_logger("bot")
ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"  # without letters that look like others
ID_LENGTH = 8
SLACK_PATIENCE = 10  # seconds for one call
BEAT = 5.0  # seconds between two touches of the file that says that it lives


def new_id(prefix: str) -> str:
    """An id that nobody can guess, such as `r-7f3akq2m`; it may be part of a Kubernetes name."""
    return f"{prefix}-{''.join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))}"


class Bot:
    """The joined parts. Raises TypedWrongly, LedgerAway when it cannot begin."""

    def __init__(self, given: Settings) -> None:
        self.policy = policy.read(given.policy)
        signer = settings.read_signer(given.keys_dir)
        rings = settings.read_workers(given.keys_dir, self.policy.clusters)
        self.ledger: Ledger = open_ledger(given.database_url)
        self.ledger.migrate()
        self.broker = Broker(given.broker_url)
        client = AsyncWebClient(given.bot_token, base_url=given.slack_api_url, timeout=SLACK_PATIENCE)
        self._join(client, signer, rings, given.app_token)

    def _join(
        self, client: AsyncWebClient, signer: Signer, rings: dict[str, dict[str, Keyring]], app_token: str
    ) -> None:
        now = time.time
        scribe = Scribe(signer, now=now)
        runs = Runs(scribe, now=now, new_id=new_id)
        approvals = Approvals(self.policy, signer, scribe, now=now, new_id=new_id)
        access = Access(self.policy, SlackReads(client), clock=time.monotonic)
        artist = Artist(self.policy, catalogue.load(), now=now)
        self.notifier = Notifier(
            self.ledger, client, artist.draw, own=access.need_own_channel, now=now, clock=time.monotonic
        )
        desk = Desk(self.ledger, access, runs, approvals, scribe, say_now=self.notifier.say_now, now=now)
        self.sender = Sender(self.ledger, self.broker, signer, scribe, now=now)
        self.timekeeper = Timekeeper(self.ledger, runs, approvals, now=now)
        self.door = Door(client, app_token, desk)
        name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
        hearer = Hearer(runs, approvals, now=now)
        self.listener = Listener(self.broker.redis, self.ledger, hearer, rings, name=name)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with AsyncExitStack() as stack:
            stack.callback(self.ledger.close)
            stack.push_async_callback(self.broker.close)
            async with asyncio.TaskGroup() as group:
                for part in (self.notifier, self.sender, self.timekeeper, self.listener, self.door):
                    group.create_task(part.run(), name=type(part).__name__)


async def beat(alive: Path) -> None:
    """Touch a file for a liveness probe, as long as the event loop turns."""
    while True:
        await asyncio.to_thread(alive.touch)
        await asyncio.sleep(BEAT)


async def serve(bot: Bot, alive: Path | None = None) -> None:
    """Run until SIGTERM or SIGINT. What is in the outbox then leaves at the next start."""
    running = asyncio.create_task(bot.run(), name="bot")
    beating = asyncio.create_task(beat(alive), name="beat") if alive else None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    LOG.info("started", clusters=list(bot.policy.clusters))
    with suppress(asyncio.CancelledError):
        await running
    if beating:
        beating.cancel()
    LOG.info("stopped")


@click.command()
@click.option("--alive", type=click.Path(dir_okay=False, path_type=Path), help="A file to touch while it lives.")
def command(alive: Path | None) -> None:
    """The Slack side: answers commands and presses, keeps the audit trail, asks the workers."""
    asyncio.run(serve(Bot(settings.load()), alive))


if __name__ == "__main__":
    command()
