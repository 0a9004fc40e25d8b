"""How does somebody see netdiag work without Slack and without a cluster? `netdiag demo`, or `netdiag demo --check`."""

import asyncio
import contextlib
import errno
import os
import signal
import sys
import tempfile
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import click

from bot.demo.house import CannotStart, House, broker
from bot.demo.story import Story, WentWrong
from bot.demo.workspace import Workspace

PORT = 8642
TRY = """\
  1. As alice, type    /netdiag svc checkout
  2. In the thread, press the button that proposes the fix; then Approve: your own approval is refused.
  3. Switch to bob and press Approve. It runs once, and the same check runs again.
  4. Type              /netdiag audit
"""


@click.command()
@click.option("--port", default=PORT, show_default=True, help="Where the page listens, on 127.0.0.1.")
@click.option("--check", is_flag=True, help="Play the whole story without a browser; exit 0 when all of it worked.")
@click.option("--no-browser", is_flag=True, help="Do not open the page in a browser.")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), help="Keep everything in this empty folder."
)
def command(port: int, *, check: bool, no_browser: bool, folder: Path | None) -> None:
    """The whole story in a browser, without Slack and without a cluster.

    The bot and the workers are the real ones; Slack is a simulated workspace, and the evidence is a replay of a
    recorded lab cluster.
    """
    with _folder(folder) as place, broker(os.environ) as broker_url:
        if check:
            sys.exit(asyncio.run(_check(place, broker_url)))
        sys.exit(asyncio.run(_serve(place, broker_url, port, browser=not no_browser)))


@contextlib.contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given:
        yield given.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="netdiag-demo-") as made:
        yield Path(made)


async def _check(folder: Path, broker_url: str) -> int:
    async with (
        Workspace() as workspace,
        House(folder, api_url=workspace.api_url, broker_url=broker_url, environment=os.environ) as house,
    ):
        return await _tell(workspace, house)


async def _tell(workspace: Workspace, house: House) -> int:
    """Play the story, unless a process ends or a signal comes on the way; one line a step. The exit code."""
    stopped = _signals()
    ended = asyncio.create_task(house.first_to_end())
    story = asyncio.create_task(_play(workspace, house))
    stop = asyncio.create_task(stopped.wait())
    await asyncio.wait({ended, story, stop}, return_when=asyncio.FIRST_COMPLETED)
    wrong = story.result() if story.done() else ended.result() if ended.done() else "Stopped on the way."
    for task in (ended, story, stop):
        task.cancel()
    if not wrong:
        click.echo("The whole story works.")
        return 0
    click.echo(f"  \N{BALLOT X} {wrong}\n{house.tails()}", err=True)
    return 1


async def _play(workspace: Workspace, house: House) -> str:
    """What went wrong; empty when nothing did."""
    try:
        async for told in Story(workspace, house).tell():
            click.echo(f"  \N{CHECK MARK} {told.title} ({told.seconds:.1f} s)\n      {told.seen}")
    except WentWrong as wrong:
        return str(wrong)
    return ""


async def _serve(folder: Path, broker_url: str, port: int, *, browser: bool) -> int:
    stopped = _signals()
    async with contextlib.AsyncExitStack() as stack:
        workspace = await _listen(stack, port)
        house = House(folder, api_url=workspace.api_url, broker_url=broker_url, environment=os.environ)
        await stack.enter_async_context(house)
        click.echo(
            f"A simulated Slack workspace is at {workspace.url}\n"
            "The evidence is a replay of a recorded lab cluster; bot and workers are the real ones.\n"
            f"{TRY}Logs: {folder}. Ctrl-C ends it all."
        )
        if browser and _has_screen():
            await asyncio.to_thread(webbrowser.open, workspace.url)
        return await _wait(stopped, house)


def _signals() -> asyncio.Event:
    """Set by Ctrl-C and SIGTERM, so that every process of the demo is ended in order."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    return stopped


def _has_screen() -> bool:
    """Without one, `webbrowser` would open a text browser in this very terminal."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


async def _listen(stack: contextlib.AsyncExitStack, port: int) -> Workspace:
    try:
        return await stack.enter_async_context(Workspace(port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise CannotStart(f"Port {port} is taken: stop what listens there, or name another with --port.") from error


async def _wait(stopped: asyncio.Event, house: House) -> int:
    stop, ended = asyncio.create_task(stopped.wait()), asyncio.create_task(house.first_to_end())
    await asyncio.wait({stop, ended}, return_when=asyncio.FIRST_COMPLETED)
    failed = ended.done()
    if failed:
        click.echo(f"{ended.result()}\n{house.tails()}", err=True)
    else:
        click.echo("\nStopping.")
    for task in (stop, ended):
        task.cancel()
    return 1 if failed else 0
