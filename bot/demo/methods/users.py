"""users.info: what sort of account is this?"""

from bot.demo.errors import SlackRefuses
from bot.demo.methods import Answer, Method, Params
from bot.demo.workspace import Workspace


def info(workspace: Workspace, params: Params) -> Answer:
    """users.info."""
    user = workspace.users.get(str(params.get("user")))
    if user is None:
        raise SlackRefuses("user_not_found")
    return {"user": user.shown()}


METHODS = (Method("users.info", info, tier="4", scope="users:read"),)
