"""Do the Web API's methods do what Slack documents, errors included?"""

from collections.abc import Awaitable

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.driver import Person
from bot.demo.workspace import Workspace
from bot.demo.world import visible_text
from tests.demo.conftest import BUTTONS


async def refusal(call: Awaitable[object]) -> str:
    """The error that a call ends with."""
    with pytest.raises(SlackApiError) as refused:
        await call
    return str(refused.value.response["error"])


async def test_a_message_its_edit_and_its_end(workspace: Workspace, client: AsyncWebClient) -> None:
    """chat.postMessage, chat.update, chat.getPermalink and chat.delete act on one message."""
    posted = await client.chat_postMessage(channel="C1INC", text="one", blocks=BUTTONS)
    assert [message.ts for message in workspace.messages("C1INC")] == [posted["ts"]]
    await client.chat_update(channel="C1INC", ts=posted["ts"], text="two")
    message = workspace.find("C1INC", posted["ts"])
    assert (message.text, message.blocks, message.edits) == ("two", (), 1)
    link = await client.chat_getPermalink(channel="C1INC", message_ts=posted["ts"])
    assert link["permalink"].endswith("/archives/C1INC/p" + posted["ts"].replace(".", ""))
    await client.chat_delete(channel="C1INC", ts=posted["ts"])
    assert workspace.messages("C1INC") == []
    assert await refusal(client.chat_update(channel="C1INC", ts=posted["ts"], text="x")) == "message_not_found"
    assert await refusal(client.chat_delete(channel="C1INC", ts=posted["ts"])) == "message_not_found"


async def test_texts_have_their_limits(workspace: Workspace, client: AsyncWebClient) -> None:
    """A long text is truncated when it is posted and refused when it is an edit; no text at all is refused."""
    posted = await client.chat_postMessage(channel="C1INC", text="x" * 40_001)
    assert len(workspace.find("C1INC", posted["ts"]).text) == 40_000
    assert await refusal(client.chat_update(channel="C1INC", ts=posted["ts"], text="x" * 4_001)) == "msg_too_long"
    assert await refusal(client.api_call("chat.postMessage", json={"channel": "C1INC", "text": ""})) == "no_text"


async def test_replies_stand_in_their_thread(workspace: Workspace, client: AsyncWebClient) -> None:
    """A reply is not in the channel unless it is broadcast; a reply to a reply and to nothing is refused."""
    parent = await client.chat_postMessage(channel="C1INC", text="parent")
    reply = await client.chat_postMessage(channel="C1INC", text="reply", thread_ts=parent["ts"])
    loud = await client.chat_postMessage(channel="C1INC", text="loud", thread_ts=parent["ts"], reply_broadcast=True)
    assert [message.text for message in workspace.messages("C1INC")] == ["parent", "loud"]
    assert [message.ts for message in workspace.thread("C1INC", parent["ts"])] == [reply["ts"], loud["ts"]]
    deeper = client.chat_postMessage(channel="C1INC", text="x", thread_ts=reply["ts"])
    assert await refusal(deeper) == "cannot_reply_to_message"
    assert await refusal(client.chat_postMessage(channel="C1INC", text="x", thread_ts="1.1")) == "thread_not_found"


async def test_the_bot_writes_only_where_it_is(client: AsyncWebClient) -> None:
    """Channels without the bot and channels that are not there are told apart."""
    assert await refusal(client.chat_postMessage(channel="C3OPS", text="x")) == "not_in_channel"
    assert await refusal(client.chat_postMessage(channel="C404", text="x")) == "channel_not_found"
    assert await refusal(client.chat_postEphemeral(channel="C1INC", user="U9OUT", text="x")) == "user_not_in_channel"


async def test_an_ephemeral_message_cannot_be_edited_by_chat_update(client: AsyncWebClient, alice: Person) -> None:
    """Only its one person has it, and only a response_url changes it."""
    shown = await client.chat_postEphemeral(channel="C1INC", user="U1ALICE", text="psst")
    assert [message.text for message in alice.ephemerals] == ["psst"]
    again = client.chat_update(channel="C1INC", ts=shown["message_ts"], text="x")
    assert await refusal(again) == "message_not_found"


async def test_messages_of_people_are_not_the_bots_to_change(client: AsyncWebClient, alice: Person) -> None:
    """The bot edits and deletes its own messages only."""
    said = await alice.say("hello")
    assert await refusal(client.chat_update(channel="C1INC", ts=said.ts, text="x")) == "cant_update_message"
    assert await refusal(client.chat_delete(channel="C1INC", ts=said.ts)) == "cant_delete_message"


async def test_sorts_of_accounts_and_channels_can_be_told_apart(client: AsyncWebClient) -> None:
    """Guest, leaver, outsider and bot in users.info; the shared channel in conversations.info."""
    users = {name: (await client.users_info(user=name))["user"] for name in ("U1ALICE", "U4GUEST", "U5GONE", "U9OUT")}
    assert users["U4GUEST"]["is_restricted"]
    assert users["U5GONE"]["deleted"]
    assert users["U9OUT"]["team_id"] == "T9OTHER"
    assert not users["U9OUT"]["is_stranger"]
    assert users["U1ALICE"]["tz"]
    assert (await client.users_info(user="U0NETDIAG"))["user"]["is_bot"]
    assert await refusal(client.users_info(user="U404")) == "user_not_found"
    shared = (await client.conversations_info(channel="C2SHARED"))["channel"]
    assert shared["is_ext_shared"]
    assert shared["shared_team_ids"] == ["T0SIM", "T9OTHER"]
    assert not (await client.conversations_info(channel="C1INC"))["channel"]["is_ext_shared"]
    assert "U2BOB" in (await client.conversations_members(channel="C1INC"))["members"]


async def test_a_direct_message_is_opened_once(workspace: Workspace, client: AsyncWebClient) -> None:
    """conversations.open gives the same channel each time; posting to a user's id leads there as well."""
    first = (await client.conversations_open(users="U2BOB"))["channel"]["id"]
    second = (await client.conversations_open(users="U2BOB"))["channel"]["id"]
    assert first == second
    await client.chat_postMessage(channel="U2BOB", text="hello")
    assert [message.text for message in workspace.messages(first)] == ["hello"]
    assert await refusal(client.conversations_open(users="U404")) == "user_not_found"


async def test_a_file_is_uploaded_in_three_steps(workspace: Workspace, client: AsyncWebClient) -> None:
    """files_upload_v2 ends as a message with the file in the thread, bytes unchanged."""
    parent = await client.chat_postMessage(channel="C1INC", text="parent")
    content = "stale rules: none\n" * 3
    await client.files_upload_v2(
        filename="report.txt", content=content, title="Report", channel="C1INC", thread_ts=parent["ts"]
    )
    (reply,) = workspace.thread("C1INC", parent["ts"])
    assert reply.files[0].title == "Report"
    assert reply.files[0].data == content.encode()
    empty = client.files_getUploadURLExternal(filename="x", length=0)
    assert await refusal(empty) == "invalid_arguments"
    assert await refusal(client.files_completeUploadExternal(files=[{"id": "F404"}])) == "file_not_found"


async def test_a_reaction_is_added_once(workspace: Workspace, client: AsyncWebClient) -> None:
    """The same emoji a second time is refused."""
    posted = await client.chat_postMessage(channel="C1INC", text="t")
    await client.reactions_add(channel="C1INC", timestamp=posted["ts"], name="eyes")
    assert workspace.find("C1INC", posted["ts"]).reactions == (("eyes", "U0NETDIAG"),)
    again = client.reactions_add(channel="C1INC", timestamp=posted["ts"], name="eyes")
    assert await refusal(again) == "already_reacted"


async def test_an_unknown_method_is_named(client: AsyncWebClient) -> None:
    """What the workspace does not know, it says."""
    assert await refusal(client.api_call("chat.sing")) == "unknown_method"
    assert (await client.api_call("api.test", params={"foo": "bar"}))["args"] == {"foo": "bar"}


async def test_alerts_are_written_down(workspace: Workspace, client: AsyncWebClient) -> None:
    """`<!channel>` in text or blocks is a real alert, escaped it is not; rich text's own broadcast counts too."""
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "<!here> see <https://a.example|this> <@U2BOB>"}}
    cell = {"type": "table", "rows": [[{"type": "raw_text", "text": "<!channel>"}]]}
    loud = {"type": "rich_text_section", "elements": [{"type": "broadcast", "range": "everyone"}]}
    blocks = [section, cell, {"type": "rich_text", "elements": [loud]}]
    posted = await client.chat_postMessage(channel="C1INC", text="&lt;!channel&gt;", blocks=blocks)
    kinds = [event.data["kind"] for event in workspace.log.of("pinged", ts=posted["ts"])]
    assert sorted(kinds) == ["everyone", "here", "link", "user"]
    await client.chat_update(channel="C1INC", ts=posted["ts"], text="<!channel>")
    assert workspace.log.of("pinged", kind="channel", ts=posted["ts"])


async def test_names_are_linked_only_when_asked(workspace: Workspace, client: AsyncWebClient) -> None:
    """A plain @channel alerts only with link_names or parse=full."""
    await client.chat_postMessage(channel="C1INC", text="@channel")
    assert not workspace.log.of("pinged")
    await client.chat_postMessage(channel="C1INC", text="@channel", parse="full")
    await client.chat_postMessage(channel="C1INC", text="@here", link_names=True)
    assert [event.data["kind"] for event in workspace.log.of("pinged")] == ["channel", "here"]


async def test_what_a_reader_sees_can_be_asked(workspace: Workspace, client: AsyncWebClient) -> None:
    """visible_text gives the blocks' text, and the plain text only when there are no blocks."""
    line = [{"type": "emoji", "name": "lock"}, {"type": "text", "text": " by "}, {"type": "user", "user_id": "U2BOB"}]
    rich = {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": line}]}
    table = {"type": "table", "rows": [[{"type": "raw_text", "text": "a"}, rich]]}
    posted = await client.chat_postMessage(channel="C1INC", text="fallback", blocks=[*BUTTONS, rich, table])
    shown = visible_text(workspace.find("C1INC", posted["ts"]))
    assert shown == "press one\nGo\nSilent\n:lock: by <@U2BOB>\na | :lock: by <@U2BOB>"
    await client.chat_update(channel="C1INC", ts=posted["ts"], text="fallback")
    assert visible_text(workspace.find("C1INC", posted["ts"])) == "fallback"


async def test_waiting_in_vain_tells_what_happened(workspace: Workspace, client: AsyncWebClient) -> None:
    """wait_for ends with the last events in its message."""
    await client.chat_postMessage(channel="C1INC", text="only this")
    with pytest.raises(TimeoutError, match="only this"):
        await workspace.wait_for(lambda: workspace.log.of("message", text="never"), 0.01)
