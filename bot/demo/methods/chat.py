"""chat.*: messages, for all and for one."""

from typing import Any

from bot.demo import validate
from bot.demo.errors import SlackRefuses
from bot.demo.methods import Answer, Method, Params
from bot.demo.people import BOT_USER, DOMAIN
from bot.demo.workspace import Workspace
from bot.demo.world import Message

UPDATE_MAX = 4000  # characters of text in chat.update; more is refused, not truncated
METADATA_MAX = 8000


def _content(workspace: Workspace, params: Params) -> tuple[str, tuple[dict[str, Any], ...]]:
    text = str(params.get("text") or "")
    blocks = validate.as_blocks(params.get("blocks"))
    if not text and not blocks:
        raise SlackRefuses("no_text")
    validate.check(blocks, workspace.limits)
    named = [block if block.get("block_id") else {**block, "block_id": workspace.new_id("b")} for block in blocks]
    return text, tuple(named)


def _metadata(params: Params) -> dict[str, Any] | None:
    metadata = params.get("metadata")
    if metadata is None:
        return None
    if not isinstance(metadata, dict) or not {"event_type", "event_payload"} <= set(metadata):
        raise SlackRefuses("invalid_metadata_format")
    if len(str(metadata)) > METADATA_MAX:
        raise SlackRefuses("metadata_too_large")
    return metadata


def _thread(workspace: Workspace, channel: str, params: Params) -> str:
    ts = str(params.get("thread_ts") or "")
    if not ts:
        return ""
    parent = workspace.find(channel, ts)
    if parent is None or parent.only_for:
        raise SlackRefuses("thread_not_found")
    if parent.in_thread:
        raise SlackRefuses("cannot_reply_to_message")
    return ts


def _own(workspace: Workspace, params: Params, refusal: str) -> Message:
    channel, ts = str(params.get("channel")), str(params.get("ts"))
    workspace.channel_to_read(channel)
    message = workspace.find(channel, ts)
    if message is None or message.only_for:
        raise SlackRefuses("message_not_found")
    if message.user != BOT_USER:
        raise SlackRefuses(refusal)
    return message


def _truthy(value: Any) -> bool:
    return value in (True, 1, "1", "true", "True")


def _link_names(params: Params) -> bool:
    return params.get("parse") == "full" or _truthy(params.get("link_names"))


def post_message(workspace: Workspace, params: Params) -> Answer:
    """chat.postMessage. A user's id as channel means the direct messages with that person."""
    asked = str(params.get("channel"))
    channel = workspace.direct(asked) if asked in workspace.users else workspace.channel_to_write(asked)
    text, blocks = _content(workspace, params)
    thread = _thread(workspace, channel.id, params)
    broadcast = bool(thread) and _truthy(params.get("reply_broadcast"))
    new = Message(channel.id, "", BOT_USER, text, blocks, thread, broadcast=broadcast, metadata=_metadata(params))
    posted = workspace.post(new, link_names=_link_names(params))
    return {"channel": channel.id, "ts": posted.ts, "message": posted.shown()}


def update(workspace: Workspace, params: Params) -> Answer:
    """chat.update. Text without blocks deletes the blocks."""
    message = _own(workspace, params, "cant_update_message")
    if len(str(params.get("text") or "")) > UPDATE_MAX:
        raise SlackRefuses("msg_too_long")
    text, blocks = _content(workspace, params)
    edited = workspace.edit(message, text=text, blocks=blocks, metadata=_metadata(params) or message.metadata)
    return {"channel": edited.channel, "ts": edited.ts, "text": edited.text, "message": edited.shown()}


def delete(workspace: Workspace, params: Params) -> Answer:
    """chat.delete."""
    message = _own(workspace, params, "cant_delete_message")
    workspace.remove(message)
    return {"channel": message.channel, "ts": message.ts}


def post_ephemeral(workspace: Workspace, params: Params) -> Answer:
    """chat.postEphemeral: the person has to be in the channel."""
    channel = workspace.channel_to_write(str(params.get("channel")))
    user = str(params.get("user"))
    if user not in channel.members:
        raise SlackRefuses("user_not_in_channel")
    text, blocks = _content(workspace, params)
    thread = _thread(workspace, channel.id, params)
    posted = workspace.post(Message(channel.id, "", BOT_USER, text, blocks, thread, only_for=user))
    return {"message_ts": posted.ts}


def permalink(workspace: Workspace, params: Params) -> Answer:
    """chat.getPermalink."""
    channel, ts = str(params.get("channel")), str(params.get("message_ts"))
    workspace.channel_to_read(channel)
    message = workspace.find(channel, ts)
    if message is None:
        raise SlackRefuses("message_not_found")
    link = f"https://{DOMAIN}.slack.com/archives/{channel}/p{ts.replace('.', '')}"
    if message.in_thread:
        link += f"?thread_ts={message.thread_ts}&cid={channel}"
    return {"channel": channel, "permalink": link}


METHODS = (
    Method("chat.postMessage", post_message, tier="special", scope="chat:write"),
    Method("chat.update", update, tier="3", scope="chat:write"),
    Method("chat.delete", delete, tier="3", scope="chat:write"),
    Method("chat.postEphemeral", post_ephemeral, tier="4", scope="chat:write"),
    Method("chat.getPermalink", permalink, tier="special"),
)
