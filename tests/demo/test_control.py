"""Does the page get what its person may see, and can nobody else's web site act through it?"""

import asyncio

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.control import FILES
from bot.demo.driver import Person
from bot.demo.workspace import Workspace
from tests.demo.conftest import BUTTONS, Echo


async def ask(workspace: Workspace, path: str, **more: object) -> tuple[int, str]:
    """GET something of the page's: the status and the text."""
    async with aiohttp.ClientSession() as session, session.get(workspace.url + path, **more) as answer:
        return answer.status, await answer.text()


async def act(
    workspace: Workspace, action: str, headers: dict[str, str] | None = None, **body: object
) -> aiohttp.ClientResponse:
    """POST an action as the page does."""
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"{workspace.url}/_sim/{action}", json=body, headers=headers)
        await answer.read()
        return answer


async def test_every_file_of_the_page_is_served_and_nothing_else(workspace: Workspace) -> None:
    """The page's own files, and no path out of their folder."""
    for name in ("", *FILES):
        status, text = await ask(workspace, f"/{name}")
        assert status == 200
        assert text
    for name in ("../command.py", "..%2Fcommand.py", "nothing.js", "index.html~"):
        assert (await ask(workspace, f"/{name}"))[0] == 404


async def test_a_person_sees_their_channels_and_their_own_ephemerals(
    workspace: Workspace, client: AsyncWebClient
) -> None:
    """An outsider sees the shared channel only; an ephemeral message reaches one person's page."""
    await client.chat_postMessage(channel="C1INC", text="for the channel")
    await client.chat_postEphemeral(channel="C1INC", user="U1ALICE", text="for alice")
    seen = {}
    for name in ("alice", "bob", "outsider"):
        async with aiohttp.ClientSession() as session, session.get(f"{workspace.url}/_sim/state?user={name}") as answer:
            state = await answer.json()
        seen[name] = ([one["text"] for one in state["messages"]], [one["id"] for one in state["channels"]])
    assert seen["alice"][0] == ["for the channel", "for alice"]
    assert seen["bob"][0] == ["for the channel"]
    assert seen["outsider"] == ([], ["C2SHARED"])


async def test_the_page_hears_what_happens_live(workspace: Workspace, client: AsyncWebClient) -> None:
    """Server-sent events carry each event's number and kind, from a number on."""
    await client.chat_postMessage(channel="C1INC", text="one")
    async with aiohttp.ClientSession() as session, session.get(f"{workspace.url}/_sim/events?after=1") as stream:
        await client.chat_postMessage(channel="C1INC", text="two")
        lines = []
        while "data: message" not in lines:
            lines.append((await asyncio.wait_for(stream.content.readline(), 2)).decode().strip())
    assert lines[0] == "id: 2"


async def test_the_page_acts_for_its_person(workspace: Workspace, client: AsyncWebClient, echo: Echo) -> None:
    """A command, a press and a message arrive as that person's; what cannot be done is a sentence."""
    posted = await client.chat_postMessage(channel="C1INC", text="t", blocks=BUTTONS)
    common = {"user": "U2BOB", "channel": "C1INC"}
    assert (await (await act(workspace, "slash", text="/netdiag help", **common)).json())["acked"]
    assert (await (await act(workspace, "press", ts=posted["ts"], action_id="go", value="1", **common)).json())["ok"]
    assert (await (await act(workspace, "say", text="hello", **common)).json())["ok"]
    assert echo.commands[0]["user_id"] == echo.presses[0]["user"]["id"] == "U2BOB"
    wrong = await (await act(workspace, "press", ts="1.1", action_id="go", **common)).json()
    assert "no message" in wrong["error"]


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}])
async def test_another_web_site_cannot_act(workspace: Workspace, headers: dict[str, str]) -> None:
    """A foreign origin and a rebound host name are refused."""
    answer = await act(workspace, "say", headers, user="U1ALICE", channel="C1INC", text="hello")
    assert answer.status == 403
    assert workspace.messages("C1INC") == []
    status, _ = await ask(workspace, "/_sim/state", headers={"Host": "evil.example"})
    assert status == 403


async def test_a_form_cannot_act(workspace: Workspace) -> None:
    """Only JSON counts: what a plain HTML form can send does nothing."""
    async with aiohttp.ClientSession() as session:
        answer = await session.post(
            f"{workspace.url}/_sim/say", data={"user": "U1ALICE", "channel": "C1INC", "text": "x"}
        )
    assert answer.status == 415


async def test_the_guide_knows_what_was_done(workspace: Workspace, client: AsyncWebClient, echo: Echo) -> None:
    """Asking, proposing, one's own approval and another's are told apart."""
    button = {"type": "button", "text": {"type": "plain_text", "text": "x"}, "value": "1"}
    elements = [{**button, "action_id": name} for name in ("propose", "approve")]
    posted = await client.chat_postMessage(
        channel="C1INC", text="t", blocks=[{"type": "actions", "elements": elements}]
    )
    alice, bob = Person(workspace, "alice"), Person(workspace, "bob")

    async def did() -> list[str]:
        async with aiohttp.ClientSession() as session, session.get(f"{workspace.url}/_sim/state") as answer:
            return (await answer.json())["did"]

    assert await did() == []
    await alice.slash("svc checkout")
    await alice.press(posted["ts"], "propose")
    await alice.press(posted["ts"], "approve")
    assert await did() == ["ask", "propose", "self"]
    await bob.press(posted["ts"], "approve")
    await bob.slash("audit")
    assert await did() == ["ask", "propose", "self", "approve", "audit"]
    assert echo.commands
