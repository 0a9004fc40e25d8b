"""Does the whole story work with the real bot and the real workers: headless, and by hand in a real browser?

The browser's test leaves its pictures in the folder that NETDIAG_PICTURES names, else in `.cache/pictures`. README
shows `thread.png`; after a change of the cards it is made anew by
`NETDIAG_PICTURES=docs/images .venv/bin/pytest -m page tests/demo/test_story.py`.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from bot.demo.house import CLI, House, broker
from bot.demo.workspace import Workspace
from tests.demo.browser import chromium, opened

PICTURES = Path(os.environ.get("NETDIAG_PICTURES") or Path(__file__).parents[2] / ".cache" / "pictures")


def children_of(pid: int) -> list[int]:
    """The processes that a process has started, theirs included."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [one for child in map(int, text.split()) for one in (child, *children_of(child))]


def alive(pid: int) -> bool:
    """Does this process still run?"""
    return Path(f"/proc/{pid}").exists()


async def netdiag(*arguments: str) -> asyncio.subprocess.Process:
    """A `netdiag` process, its output in a pipe."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("NETDIAG_", "SLACK_"))}
    return await asyncio.create_subprocess_exec(
        *CLI, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment
    )


@pytest.mark.service
@pytest.mark.timeout(180)
async def test_the_whole_story_works_headless(tmp_path: Path) -> None:
    """`netdiag demo --check` exits 0 and ticks every step."""
    process = await netdiag("demo", "--check", "--folder", str(tmp_path / "demo"))
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    assert output.count("\N{CHECK MARK}") == 9
    assert output.endswith("The whole story works.\n")


@pytest.mark.service
@pytest.mark.timeout(120)
async def test_ctrl_c_ends_every_process(tmp_path: Path) -> None:
    """After one SIGINT nothing of the demo is left, and the exit code is 0."""
    process = await netdiag("demo", "--no-browser", "--port", "0", "--folder", str(tmp_path / "demo"))
    assert process.stdout
    line = b""
    while b"Ctrl-C" not in line:
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        assert line, "it ended by itself"
    children = children_of(process.pid)
    assert len(children) >= 4  # bot, two workers, Valkey
    process.send_signal(signal.SIGINT)
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    assert [child for child in children if alive(child)] == []


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Workspace]:
    """The demo as `netdiag demo` runs it, in this process."""
    with broker({}) as broker_url:
        async with (
            Workspace() as workspace,
            House(tmp_path, api_url=workspace.api_url, broker_url=broker_url, environment=os.environ),
        ):
            await workspace.wait_for(lambda: workspace.links.links, 30)
            yield workspace


@pytest.mark.page
@pytest.mark.timeout(180)
async def test_the_whole_story_works_by_hand(demo: Workspace) -> None:
    """Ask, propose, be refused, let bob approve, read the trail: all by mouse and keyboard, without an error."""
    async with chromium() as browser:
        page, errors = await opened(browser, demo.url)
        page.set_default_timeout(45_000)
        expect.set_options(timeout=45_000)
        thread = page.locator("#thread")
        await page.get_by_role("button", name="Type /netdiag svc checkout").click()
        await page.keyboard.press("Enter")
        await thread.locator("[data-action=propose]").click()
        await thread.locator("[data-action=approve]").click()
        await thread.get_by_text("Only visible to you").wait_for()
        await keep(page, "refused")
        await page.get_by_text("bob", exact=True).first.click()
        await thread.locator("[data-action=approve]").click()
        await thread.locator("svg[aria-label='white check mark']").wait_for()
        await expect(page.locator(".guide li.done")).to_have_count(4)
        await page.get_by_label("Message or command").fill("/netdiag audit")
        await page.keyboard.press("Enter")
        await page.locator("#stream .message.private table").wait_for()
        await expect(page.locator(".guide li.done")).to_have_count(5)
        await show_whole_thread(page)
        await keep(page, "thread")
        await page.emulate_media(color_scheme="dark")
        await keep(page, "thread-dark")
        assert errors == []


async def show_whole_thread(page: Page) -> None:
    """A window just high enough for the finding and the card under it, as on a screen that stands upright."""
    heights = "[...document.querySelectorAll('#replies .message')].slice(1).map(one => one.offsetHeight)"
    needed = 170 + sum(await page.evaluate(heights))
    await page.set_viewport_size({"width": 1200, "height": min(max(needed, 860), 2000)})
    await page.evaluate("for (const one of document.querySelectorAll('.stream')) one.scrollTop = 1e6")
    await page.mouse.move(1, 1)


async def keep(page: Page, name: str) -> None:
    """Leave a picture of the page, without the spinners' motion."""
    await page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")
