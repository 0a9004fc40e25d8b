"""api.test, auth.test, apps.connections.open: does the way work, who am I, and where is the socket?"""

from bot.demo.methods import Answer, Method, Params
from bot.demo.people import APP_ID, BOT_ID, BOT_USER, DOMAIN, TEAM, TEAM_NAME
from bot.demo.workspace import Workspace


def api_test(_: Workspace, params: Params) -> Answer:
    """api.test: the parameters come back."""
    return {"args": params}


def auth_test(_: Workspace, __: Params) -> Answer:
    """auth.test."""
    return {
        "url": f"https://{DOMAIN}.slack.com/",
        "team": TEAM_NAME,
        "user": "netdiag",
        "team_id": TEAM,
        "user_id": BOT_USER,
        "bot_id": BOT_ID,
        "is_enterprise_install": False,
    }


def connections_open(workspace: Workspace, _: Params) -> Answer:
    """apps.connections.open: a URL that opens one socket once."""
    return {"url": f"ws://127.0.0.1:{workspace.port}/link/?ticket={workspace.links.ticket()}&app_id={APP_ID}"}


METHODS = (
    Method("api.test", api_test, tier="4"),
    Method("auth.test", auth_test, tier="special"),
    Method("apps.connections.open", connections_open, tier="3", token="app"),  # noqa: S106 - a kind, not a token
)
