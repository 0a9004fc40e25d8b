"""reactions.add: an emoji under a message."""

from bot.demo.errors import SlackRefuses
from bot.demo.methods import Answer, Method, Params
from bot.demo.people import BOT_USER
from bot.demo.workspace import Workspace


def add(workspace: Workspace, params: Params) -> Answer:
    """reactions.add."""
    channel = workspace.channel_to_write(str(params.get("channel")))
    message = workspace.find(channel.id, str(params.get("timestamp")))
    if message is None or message.only_for:
        raise SlackRefuses("message_not_found")
    workspace.react(message, str(params.get("name")), BOT_USER)
    return {}


METHODS = (Method("reactions.add", add, tier="3", scope="reactions:write"),)
