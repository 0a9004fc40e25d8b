"""Does the page show Slack's blocks as a person expects, and never lets a message's text become HTML?"""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.driver import Person
from bot.demo.workspace import Workspace
from tests.demo.browser import chromium, opened
from tests.demo.conftest import BUTTONS, Echo

pytestmark = pytest.mark.page
EVIL = "<b>bold</b> <script>document.title='owned'</script> <img src=x onerror=alert(1)>"


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A Chromium."""
    async with chromium() as browser:
        yield browser


def raw(text: str) -> dict[str, str]:
    """A table cell."""
    return {"type": "raw_text", "text": text}


def rich(text: str, kind: str = "rich_text_preformatted") -> dict[str, object]:
    """A rich text block."""
    return {"type": "rich_text", "elements": [{"type": kind, "elements": [{"type": "text", "text": text}]}]}


ALL = [
    {"type": "header", "text": {"type": "plain_text", "text": f"Header {EVIL}"}},
    {
        "type": "section",
        "text": {
            "type": "mrkdwn",
            "text": "*bold* _italic_ ~old~ `code` :red_circle: :unknown_one: <@U2BOB> <!channel> <#C1INC>"
            " <https://a.example|a link> <javascript:alert(1)|not a link>"
            " <!date^1763880000^{date_num} {time_secs}|then> &lt;!here&gt;\n&gt; quoted",
        },
        "fields": [{"type": "mrkdwn", "text": "*Risk*\nlow"}, {"type": "plain_text", "text": EVIL}],
    },
    {"type": "divider"},
    {"type": "table", "rows": [[raw("Node"), raw("Rules")], [raw("node-2"), raw(EVIL)]]},
    rich(EVIL),
    {
        "type": "plan",
        "title": "2 of 4 checks done",
        "tasks": [
            {
                "task_id": status,
                "title": f"Task {status}",
                "status": status,
                "details": rich("note", "rich_text_section"),
            }
            for status in ("complete", "error", "in_progress", "pending")
        ],
    },
    {
        "type": "container",
        "title": {"type": "plain_text", "text": "Evidence"},
        "is_collapsible": True,
        "default_collapsed": True,
        "child_blocks": [rich("inside")],
    },
    {"type": "context", "elements": [{"type": "mrkdwn", "text": "small print"}]},
]


async def test_every_block_is_drawn_and_no_text_becomes_html(
    workspace: Workspace, client: AsyncWebClient, browser: Browser
) -> None:
    """All block types show their text; tags in it stay text; only web addresses become links."""
    await client.chat_postMessage(channel="C1INC", text="t", blocks=ALL)
    page, errors = await opened(browser, workspace.url)
    message = page.locator(".message")
    shown = await message.inner_text()
    assert shown.count("<script>document.title='owned'</script>") == 4
    assert await message.locator("b", has_text="bold").first.inner_text() == "bold"
    for text in (
        "italic",
        "code",
        ":unknown_one:",
        "@bob",
        "@channel",
        "#incident-42",
        "<!here>",
        "quoted",
        "small print",
    ):
        assert text in shown
    assert "2025-11-23" in shown
    assert await message.locator("a").all_inner_texts() == ["a link"]
    assert await message.locator("script, img").count() == 0
    assert await message.locator("svg[aria-label='red circle']").count() == 1
    assert await message.locator(".task").count() == 4
    assert not await page.get_by_text("inside").is_visible()
    await page.get_by_text("Evidence", exact=True).click()
    assert await page.get_by_text("inside").is_visible()
    assert await page.title() != "owned"
    assert errors == []
    await page.close()


async def test_a_person_types_presses_and_confirms(
    workspace: Workspace, client: AsyncWebClient, echo: Echo, browser: Browser
) -> None:
    """A command's answer is for the one who typed; a press asks first where the button says so, and shows at once."""
    confirm = {
        "title": {"type": "plain_text", "text": "Really?"},
        "text": {"type": "mrkdwn", "text": "It *counts*."},
        "confirm": {"type": "plain_text", "text": "Yes, go"},
        "deny": {"type": "plain_text", "text": "No"},
    }
    go = {**BUTTONS[1]["elements"][0], "confirm": confirm}
    await client.chat_postMessage(channel="C1INC", text="t", blocks=[{"type": "actions", "elements": [go]}])
    page, errors = await opened(browser, workspace.url)
    await page.get_by_label("Message or command").fill("/netdiag svc checkout")
    await page.keyboard.press("Enter")
    await page.get_by_text("Only visible to you").wait_for()
    assert "heard svc checkout" in await page.locator(".message.private").inner_text()
    await page.get_by_role("button", name="Go").click()
    await page.get_by_role("button", name="No", exact=True).click()
    assert echo.presses == []
    await page.get_by_role("button", name="Go").click()
    await page.get_by_role("button", name="Yes, go").click()
    await page.get_by_text("gone").wait_for()
    await page.get_by_role("radio", name="bob").check(force=True)
    await page.locator(".message.private").wait_for(state="detached")
    assert errors == []
    await page.close()


async def test_a_thread_opens_takes_answers_and_no_commands(
    workspace: Workspace, client: AsyncWebClient, echo: Echo, browser: Browser
) -> None:
    """The newest thread of the bot stands open on a wide screen; a mention there is answered there."""
    parent = await client.chat_postMessage(channel="C1INC", text="parent")
    await client.chat_postMessage(channel="C1INC", text="reply", thread_ts=parent["ts"])
    page, errors = await opened(browser, workspace.url)
    await page.locator("#replies .message").nth(1).wait_for()
    await page.get_by_label("Reply", exact=True).fill("/netdiag svc checkout")
    await page.keyboard.press("Enter")
    await page.get_by_text("Slack knows no app commands in threads").wait_for()
    await page.get_by_label("Reply", exact=True).fill("@netdiag svc checkout")
    await page.keyboard.press("Enter")
    await page.locator("#replies").get_by_text("you called").wait_for()
    assert echo.mentions[0]["thread_ts"] == parent["ts"]
    await page.get_by_label("Close the thread").click()
    assert not await page.locator("#thread").is_visible()
    assert errors == []
    await page.close()


async def test_what_has_not_changed_stays_as_it_is(
    workspace: Workspace, client: AsyncWebClient, browser: Browser
) -> None:
    """An edit of one message leaves the others' elements, and so focus and what is unfolded, alone."""
    await client.chat_postMessage(channel="C1INC", text="t", blocks=BUTTONS)
    other = await client.chat_postMessage(channel="C1INC", text="old")
    page, errors = await opened(browser, workspace.url)
    await page.get_by_role("button", name="Go").focus()
    await client.chat_update(channel="C1INC", ts=other["ts"], text="new")
    await page.get_by_text("new", exact=True).wait_for()
    assert await page.evaluate("document.activeElement.textContent") == "Go"
    await Person(workspace, "carol").say("hello")
    await page.get_by_text("hello").wait_for()
    assert await page.evaluate("document.activeElement.textContent") == "Go"
    assert errors == []
    await page.close()


@pytest.mark.parametrize("width", [600, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_is_wider_than_the_screen(
    workspace: Workspace, client: AsyncWebClient, browser: Browser, width: int, scheme: str
) -> None:
    """On a narrow window and a wide one, in both colour schemes, nothing sticks out sideways."""
    parent = await client.chat_postMessage(channel="C1INC", text="t", blocks=ALL)
    await client.chat_postMessage(channel="C1INC", text="x" * 300, blocks=ALL, thread_ts=parent["ts"])
    page, errors = await opened(browser, workspace.url, width=width, scheme=scheme)
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    assert " ".join((await page.locator(".banner").inner_text()).split()) == (
        "This is a simulated Slack workspace. The evidence is a replay of a recorded lab cluster."
    )
    assert errors == []
    await page.close()
