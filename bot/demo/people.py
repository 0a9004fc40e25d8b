"""Who is in the simulated workspace, and in which channels?

One of each sort that access rules must tell apart: members, a guest, somebody who has left, a person of another
workspace who is there only through a shared channel.
"""

from typing import Any

import msgspec

TEAM = "T0SIM"
TEAM_NAME = "netdiag simulated"
DOMAIN = "netdiag-sim"
OTHER_TEAM = "T9OTHER"
BOT_USER = "U0NETDIAG"
BOT_ID = "B0NETDIAG"
APP_ID = "A0NETDIAG"
BOT_TOKEN = "xoxb-sim-bot"  # noqa: S105 - opens nothing but this simulated workspace
APP_TOKEN = "xapp-sim-app"  # noqa: S105 - likewise
SCOPES = (
    "commands",
    "app_mentions:read",
    "chat:write",
    "files:write",
    "users:read",
    "channels:read",
    "groups:read",
    "im:write",
    "reactions:write",
)


class User(msgspec.Struct, frozen=True):
    """One account, with the flags of users.info that decide what a person may do."""

    id: str
    name: str
    team: str = TEAM
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    is_stranger: bool = False
    is_bot: bool = False
    deleted: bool = False
    tz: str = "Europe/Berlin"
    locale: str = "en-US"

    def shown(self) -> dict[str, Any]:
        """As users.info tells it."""
        return {
            "id": self.id,
            "team_id": self.team,
            "name": self.name,
            "real_name": self.name,
            "deleted": self.deleted,
            "is_bot": self.is_bot,
            "is_restricted": self.is_restricted or self.is_ultra_restricted,
            "is_ultra_restricted": self.is_ultra_restricted,
            "is_stranger": self.is_stranger,
            "is_app_user": False,
            "tz": self.tz,
            "locale": self.locale,
            "profile": {"display_name": self.name, "real_name": self.name, "team": self.team},
        }


class Channel(msgspec.Struct, frozen=True):
    """One conversation. `shared_with`: other workspaces' ids. `direct`: the person at the other end of a DM."""

    id: str
    name: str
    members: tuple[str, ...]
    shared_with: tuple[str, ...] = ()
    private: bool = False
    archived: bool = False
    direct: str = ""

    def shown(self) -> dict[str, Any]:
        """As conversations.info tells it to the bot."""
        shared = bool(self.shared_with)
        facts = {
            "id": self.id,
            "is_archived": self.archived,
            "is_im": bool(self.direct),
            "is_mpim": False,
            "is_shared": shared,
            "is_ext_shared": shared,
            "is_org_shared": False,
            "is_pending_ext_shared": False,
            "context_team_id": TEAM,
        }
        if self.direct:
            return {**facts, "user": self.direct}
        return {
            **facts,
            "name": self.name,
            "is_channel": not self.private,
            "is_group": self.private,
            "is_private": self.private,
            "is_member": BOT_USER in self.members,
            "num_members": len(self.members),
            "shared_team_ids": [TEAM, *self.shared_with],
            "connected_team_ids": list(self.shared_with),
        }


# An outsider who shares a channel with us is no "stranger" in users.info: only the team tells.
USERS = (
    User("U1ALICE", "alice"),
    User("U2BOB", "bob", tz="Asia/Shanghai"),
    User("U3CAROL", "carol", tz="America/New_York"),
    User("U4GUEST", "dave-guest", is_restricted=True),
    User("U5GONE", "former-member", deleted=True),
    User("U9OUT", "outsider", team=OTHER_TEAM),
    User(BOT_USER, "netdiag", is_bot=True),
)
CHANNELS = (
    Channel("C1INC", "incident-42", ("U1ALICE", "U2BOB", "U3CAROL", "U4GUEST", BOT_USER)),
    Channel(
        "C2SHARED", "shared-partner", ("U1ALICE", "U2BOB", "U3CAROL", "U9OUT", BOT_USER), shared_with=(OTHER_TEAM,)
    ),
    Channel("C3OPS", "ops", ("U1ALICE", "U2BOB", "U3CAROL")),
)
