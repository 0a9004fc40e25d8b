"""conversations.*: what is this channel, who is in it, is it shared with another workspace?"""

from bot.demo.errors import SlackRefuses
from bot.demo.methods import Answer, Method, Params
from bot.demo.workspace import Workspace


def info(workspace: Workspace, params: Params) -> Answer:
    """conversations.info."""
    return {"channel": workspace.channel_to_read(str(params.get("channel"))).shown()}


def members(workspace: Workspace, params: Params) -> Answer:
    """conversations.members, all on one page."""
    channel = workspace.channel_to_read(str(params.get("channel")))
    return {"members": list(channel.members), "response_metadata": {"next_cursor": ""}}


def open_direct(workspace: Workspace, params: Params) -> Answer:
    """conversations.open with one person."""
    user = str(params.get("users"))
    if user not in workspace.users:
        raise SlackRefuses("user_not_found")
    return {"channel": {"id": workspace.direct(user).id}}


METHODS = (
    Method("conversations.info", info, tier="3", scope="channels:read"),
    Method("conversations.members", members, tier="4", scope="channels:read"),
    Method("conversations.open", open_direct, tier="3", scope="im:write"),
)
