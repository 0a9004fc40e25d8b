"""How long does Slack wait for the ack of 100 commands at once: the whole bot, beside a Bolt app that only acks?

And how long does a person wait for the first sign of a run, and for its end, where the evidence is recorded?
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from tabulate import tabulate

from bot.demo.driver import Person
from bot.demo.house import House, broker
from bot.demo.people import APP_TOKEN, BOT_TOKEN
from bot.demo.workspace import Workspace
from bot.demo.world import visible_text

AT_ONCE = 100
ROUNDS = 3
CHANNEL = "C1INC"


async def main() -> None:
    """Print the tables."""
    bare, ours = await echo(), await netdiag()
    rows = [(name, *_spread(one["acks"])) for name, one in (("a Bolt app that only acks", bare), ("netdiag", ours))]
    _print(f"ack of {AT_ONCE} commands at once, ms (best of {ROUNDS} rounds)", ("", "p50", "p99", "max"), rows)
    ratio = rows[1][2] / rows[0][2]
    sys.stdout.write(f"p99: {ratio:.2f} times the bare app's (aim: 1.5)\n\n")
    head = ("one command, evidence recorded", "seconds")
    _print("", head, [("first progress", round(ours["first"], 2)), ("verdict in the channel", round(ours["end"], 2))])


def _print(title: str, head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    sys.stdout.write(f"{title}\n{tabulate(rows, head)}\n" if title else f"{tabulate(rows, head)}\n")


def _spread(rounds: list[list[float]]) -> tuple[float, ...]:
    best = sorted(min(rounds, key=max))
    return tuple(round(one * 1000, 1) for one in (best[len(best) // 2], best[int(len(best) * 0.99)], best[-1]))


async def burst(workspace: Workspace, text: str) -> list[list[float]]:
    """Seconds until each ack, in each round."""
    person, rounds = Person(workspace, "alice"), []
    await person.slash(text)
    for _ in range(ROUNDS):
        acks = await asyncio.gather(*(person.slash(text) for _ in range(AT_ONCE)))
        lost = [ack.error for ack in acks if not ack.acked]
        if lost:
            raise RuntimeError(f"{len(lost)} of {AT_ONCE} were not acked: {lost[0]}")
        rounds.append([ack.seconds for ack in acks])
        await asyncio.sleep(2)
    return rounds


async def echo() -> dict[str, Any]:
    """The bare app: its own process as well, so that both are asked over a socket from outside."""
    async with Workspace() as workspace:
        code = "import asyncio; from tests.bench.ack import bare; asyncio.run(bare())"
        environment = {**os.environ, "API": workspace.api_url}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, env=environment, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            await workspace.wait_for(lambda: workspace.links.links, 20)
            return {"acks": await burst(workspace, "help")}
        finally:
            process.terminate()
            await process.wait()


async def bare() -> None:
    """A Bolt app that acks and does nothing else."""
    app = AsyncApp(client=AsyncWebClient(token=BOT_TOKEN, base_url=os.environ["API"]))

    @app.command("/netdiag")
    async def echo(ack: Callable[..., Awaitable[None]]) -> None:
        await ack()

    await AsyncSocketModeHandler(app, APP_TOKEN).start_async()


async def netdiag() -> dict[str, Any]:
    """The whole of netdiag, as the demo starts it."""
    with tempfile.TemporaryDirectory() as folder, broker(os.environ) as url:
        async with (
            Workspace() as workspace,
            House(Path(folder) / "bench", api_url=workspace.api_url, broker_url=url, environment=os.environ),
        ):
            await workspace.wait_for(lambda: workspace.links.links, 20)
            await asyncio.sleep(2)  # until the workers are there
            first, end = await one_run(workspace)
            return {"acks": await burst(workspace, "help"), "first": first, "end": end}


async def one_run(workspace: Workspace) -> tuple[float, float]:
    """Seconds from the command to its message in the channel, and to the verdict in it."""
    begun = time.monotonic()
    await Person(workspace, "alice").slash("svc checkout")
    await workspace.wait_for(lambda: workspace.messages(CHANNEL), 20)
    first = time.monotonic() - begun
    await workspace.wait_for(lambda: "hourglass" not in visible_text(workspace.messages(CHANNEL)[-1]), 60)
    return first, time.monotonic() - begun
