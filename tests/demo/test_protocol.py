"""Does Bolt, unchanged, live in the simulated workspace as in Slack's?"""

import asyncio

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.client import WebClient

from bot.demo.driver import CannotDo, Person
from bot.demo.people import APP_TOKEN, BOT_TOKEN
from bot.demo.workspace import Workspace
from tests.demo.conftest import BUTTONS, Echo


async def test_a_command_is_acked_and_its_answer_is_seen_by_one_person(
    workspace: Workspace, alice: Person, echo: Echo
) -> None:
    """The ack's text comes back as an ephemeral message for the one who typed."""
    ack = await alice.slash("svc checkout")
    assert ack.acked
    assert ack.text == "heard svc checkout"
    assert [message.text for message in alice.ephemerals] == ["heard svc checkout"]
    assert Person(workspace, "bob").ephemerals == []
    assert echo.commands[0]["user_id"] == "U1ALICE"
    assert "thread_ts" not in echo.commands[0]


async def test_what_is_typed_is_escaped_as_slack_does(alice: Person, echo: Echo) -> None:
    """Angle brackets and ampersands are escaped, names and channels become ids, links get brackets."""
    await alice.slash("a -> b & <x> @bob #incident-42 http://a.example/x")
    assert echo.commands[0]["text"] == (
        "a -&gt; b &amp; &lt;x&gt; <@U2BOB|bob> <#C1INC|incident-42> <http://a.example/x>"
    )


@pytest.mark.usefixtures("echo")
async def test_a_command_without_an_ack_fails_visibly(workspace: Workspace, alice: Person) -> None:
    """After the time for an ack, the person sees operation_timeout."""
    ack = await alice.slash("silence")
    assert not ack.acked
    assert ack.error == "operation_timeout"
    assert "operation_timeout" in alice.ephemerals[0].text
    assert workspace.log.of("app-failed", error="operation_timeout")


async def test_a_command_without_any_socket_fails_visibly(alice: Person) -> None:
    """Without a connected app, the person sees dispatch_failed at once."""
    ack = await alice.slash("svc checkout")
    assert ack.error == "dispatch_failed"
    assert "dispatch_failed" in alice.ephemerals[0].text


async def test_a_press_carries_what_bolt_needs_and_may_replace_its_message(
    workspace: Workspace, client: AsyncWebClient, alice: Person, echo: Echo
) -> None:
    """A press in a thread tells channel, thread, message, user and team; response_url replaces the message."""
    parent = await client.chat_postMessage(channel="C1INC", text="parent")
    reply = await client.chat_postMessage(channel="C1INC", text="t", blocks=BUTTONS, thread_ts=parent["ts"])
    ack = await alice.press(reply["ts"], "go")
    assert ack.acked
    await workspace.wait_for(lambda: workspace.find("C1INC", reply["ts"]).text == "gone")
    body = echo.presses[0]
    assert body["container"]["thread_ts"] == parent["ts"]
    assert body["container"]["message_ts"] == reply["ts"]
    assert body["user"]["team_id"] == "T0SIM"
    assert body["actions"][0]["value"] == "1"
    assert body["actions"][0]["block_id"] == "choose"


async def test_an_outsider_presses_with_our_team_beside_his_own(
    client: AsyncWebClient, workspace: Workspace, echo: Echo
) -> None:
    """The payload's team is ours, only user.team_id tells that the person is of another workspace."""
    posted = await client.chat_postMessage(channel="C2SHARED", text="t", blocks=BUTTONS)
    await Person(workspace, "outsider").press(posted["ts"], "go", channel="C2SHARED")
    assert echo.presses[0]["team"]["id"] == "T0SIM"
    assert echo.presses[0]["user"]["team_id"] == "T9OTHER"


async def test_one_press_delivered_ten_times_is_one_press(client: AsyncWebClient, alice: Person, echo: Echo) -> None:
    """A duplicated delivery keeps trigger_id and action_ts, so that an app can tell."""
    posted = await client.chat_postMessage(channel="C1INC", text="t", blocks=BUTTONS)
    await alice.press(posted["ts"], "go", times=10)
    assert len(echo.presses) == 10
    assert len({body["trigger_id"] for body in echo.presses}) == 1
    assert len({body["actions"][0]["action_ts"] for body in echo.presses}) == 1


async def test_a_press_that_is_not_possible_is_refused_by_the_client(
    workspace: Workspace, client: AsyncWebClient, alice: Person
) -> None:
    """No button of that kind, somebody else's ephemeral message, a channel one is not in: Slack's client stops it."""
    posted = await client.chat_postMessage(channel="C1INC", text="t", blocks=BUTTONS)
    hidden = await client.chat_postEphemeral(channel="C1INC", user="U2BOB", text="t", blocks=BUTTONS)
    with pytest.raises(CannotDo, match="no button fly"):
        await alice.press(posted["ts"], "fly")
    with pytest.raises(CannotDo, match="no message"):
        await alice.press(hidden["message_ts"], "go")
    with pytest.raises(CannotDo, match="is not in"):
        await Person(workspace, "outsider").slash("svc checkout")


async def test_a_press_on_an_ephemeral_message_carries_no_message(
    client: AsyncWebClient, alice: Person, echo: Echo
) -> None:
    """The payload of an ephemeral message's button says so and holds no copy of it."""
    posted = await client.chat_postEphemeral(channel="C1INC", user="U1ALICE", text="t", blocks=BUTTONS)
    await alice.press(posted["message_ts"], "go")
    assert echo.presses[0]["container"]["is_ephemeral"] is True
    assert "message" not in echo.presses[0]


async def test_a_mention_in_a_thread_reaches_the_app(
    workspace: Workspace, client: AsyncWebClient, alice: Person, echo: Echo
) -> None:
    """app_mention carries the thread; the answer lands there."""
    parent = await client.chat_postMessage(channel="C1INC", text="parent")
    await alice.mention("svc checkout", thread_ts=parent["ts"])
    assert echo.mentions[0]["thread_ts"] == parent["ts"]
    assert echo.mentions[0]["text"] == "<@U0NETDIAG> svc checkout"
    await workspace.wait_for(lambda: workspace.log.of("message", text="you called"))


async def test_an_event_whose_acks_are_lost_is_sent_again(workspace: Workspace, alice: Person, echo: Echo) -> None:
    """Events are delivered at least once: a lost ack means the same event again."""
    workspace.links.lose_acks = 2
    await alice.mention("hello")
    assert len(echo.mentions) == 3
    acks = [event.data["acked"] for event in workspace.log.of("ack", type="events_api")]
    assert acks == [False, False, True]


@pytest.mark.parametrize("frame", [True, False])
@pytest.mark.usefixtures("echo")
async def test_a_closed_socket_is_opened_again(workspace: Workspace, alice: Person, frame: bool) -> None:
    """After Slack closes the socket, with or without a word, the app is back and answers."""
    await workspace.links.disconnect(frame=frame)
    await workspace.wait_for(lambda: len(workspace.log.of("socket-open")) > 1 and workspace.links.links, 5)
    assert (await alice.slash("svc checkout")).acked


@pytest.mark.usefixtures("echo")
async def test_a_half_open_socket_loses_envelopes_until_the_app_notices(workspace: Workspace, alice: Person) -> None:
    """On a half-open link commands vanish; the missing pongs make the app connect anew."""
    workspace.links.half_open()
    assert (await alice.slash("svc checkout")).error == "operation_timeout"
    await workspace.wait_for(lambda: len(workspace.log.of("socket-open")) > 1, 10)
    await workspace.wait_for(lambda: [link for link in workspace.links.links if not link.deaf], 5)
    await workspace.links.disconnect(frame=False, last=0)


async def test_two_sockets_share_the_envelopes(
    workspace: Workspace, client: AsyncWebClient, alice: Person, echo: Echo
) -> None:
    """Each envelope goes to one socket; two apps with one token take each other's."""
    other = Echo(workspace, client)
    await other.handler.connect_async()
    await workspace.wait_for(lambda: len(workspace.links.links) == 2)
    for number in range(6):
        assert (await alice.slash(f"svc s{number}")).acked
    assert len(echo.commands) == len(other.commands) == 3
    await other.handler.close_async()


async def test_a_slow_app_is_not_delivered_to_twice(alice: Person, echo: Echo) -> None:
    """A hundred commands at once are each acked once."""
    acks = await asyncio.gather(*(alice.slash(f"svc s{number}") for number in range(100)))
    assert all(ack.acked for ack in acks)
    assert len(echo.commands) == 100


async def test_a_ticket_opens_one_socket(workspace: Workspace) -> None:
    """A socket's URL works once; a made-up one never."""
    url = (
        await AsyncWebClient(token=APP_TOKEN, base_url=workspace.api_url).apps_connections_open(app_token=APP_TOKEN)
    )["url"]
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url) as socket:
            assert (await socket.receive_json())["type"] == "hello"
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)


async def test_a_token_of_the_wrong_kind_or_none_is_refused(workspace: Workspace) -> None:
    """The bot's token opens no sockets, the app's token writes no messages, a wrong one nothing."""
    for token, method, error in (
        (BOT_TOKEN, "apps.connections.open", "not_allowed_token_type"),
        (APP_TOKEN, "chat.postMessage", "not_allowed_token_type"),
        ("xoxb-wrong", "auth.test", "invalid_auth"),
        ("", "auth.test", "not_authed"),
    ):
        with pytest.raises(SlackApiError) as refused:
            await AsyncWebClient(token=token, base_url=workspace.api_url).api_call(method)
        assert refused.value.response["error"] == error


async def test_a_missing_scope_is_named() -> None:
    """`missing_scope` tells what was needed, and the header what is there."""
    async with Workspace(scopes=("commands",)) as narrow:
        client = AsyncWebClient(token=BOT_TOKEN, base_url=narrow.api_url)
        assert (await client.auth_test()).headers["x-oauth-scopes"] == "commands"
        with pytest.raises(SlackApiError) as refused:
            await client.users_info(user="U1ALICE")
    assert refused.value.response["needed"] == "users:read"


async def test_the_sync_client_sends_forms_and_is_understood_too(workspace: Workspace) -> None:
    """The sync client sends forms, the async one queries: both post the same message."""
    client = WebClient(token=BOT_TOKEN, base_url=workspace.api_url)
    posted = await asyncio.to_thread(client.chat_postMessage, channel="C1INC", text="form", blocks=BUTTONS)
    await asyncio.to_thread(client.users_info, user="U1ALICE")
    await asyncio.to_thread(client.api_call, "chat.postMessage", data={"channel": "C1INC", "text": "x", "blocks": "[]"})
    assert workspace.find("C1INC", posted["ts"]).blocks[1]["block_id"] == "choose"
