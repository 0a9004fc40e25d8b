"""May this account, in this channel, do this? People, not accounts; what cannot be checked is refused.

Slack's own answers are needed for two questions: is this account still a full member of our workspace, and is this
channel ours alone. Both are asked with `Slack`, kept for a short while, and refused when Slack does not answer.
`context.actor_team_id` of Bolt is not used: for a press by an outsider it holds our own team.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from bot.policy import Policy, Role
from workers.core.errors import NotAllowed, TryAgain

ACCOUNT_FRESH = 60.0  # seconds that an answer of users.info is believed
CHANNEL_FRESH = 20.0  # seconds that an answer of conversations.info is believed: sharing begins at any moment
CACHED = 10_000  # accounts and channels that are remembered at once


class Caller(msgspec.Struct, frozen=True):
    """Who asks: a person of the policy, behind a Slack account. `name` is what the audit says."""

    name: str
    slack: str
    language: str


class Slack(Protocol):
    """What has to be asked of Slack. Both raise TryAgain when there is no answer, NotAllowed when we may not know."""

    async def user(self, account: str) -> Mapping[str, Any]:
        """users.info: the `user` object."""

    async def channel(self, channel: str) -> Mapping[str, Any]:
        """conversations.info: the `channel` object."""


class Access:
    """The policy, joined with what Slack says about accounts and channels. `clock` may be a monotonic one."""

    def __init__(self, policy: Policy, slack: Slack, *, clock: Callable[[], float]) -> None:
        self.policy = policy
        self._slack = slack
        self._clock = clock
        self._users: dict[str, tuple[float, str]] = {}
        self._channels: dict[str, tuple[float, str]] = {}

    async def caller(self, account: str, team: str = "") -> Caller:
        """The person behind this account; `team` is what the payload says of it (empty: it says nothing).

        Raises NotAllowed: `other-workspace`, `deleted`, `bot`, `guest`, `stranger`, `unknown-person`, `cannot-tell`.
        """
        if team and team != self.policy.workspace:
            raise NotAllowed("other-workspace")
        if reason := await self._of_account(account):
            raise NotAllowed(reason)
        name = self.policy.name_of(account)
        if not name:
            raise NotAllowed("unknown-person")
        return Caller(name, account, self.policy.speaks(name))

    def need(self, caller: Caller, role: Role) -> None:
        """Raises NotAllowed (`no-role-<role>`) unless this person has the role."""
        if not self.policy.has(role, caller.name):
            raise NotAllowed(f"no-role-{role}")

    async def need_own_channel(self, channel: str) -> None:
        """Raises NotAllowed (`shared-channel`, `cannot-tell`) unless only our own people can read this channel."""
        if reason := await self._of_channel(channel):
            raise NotAllowed(reason)

    async def _of_account(self, account: str) -> str:
        at, reason = self._users.get(account, (0.0, ""))
        if account in self._users and self._clock() - at < ACCOUNT_FRESH:
            return reason
        try:
            reason = account_reason(await self._slack.user(account), self.policy.workspace)
        except TryAgain:
            return "cannot-tell"
        _remember(self._users, account, (self._clock(), reason))
        return reason

    async def _of_channel(self, channel: str) -> str:
        at, reason = self._channels.get(channel, (0.0, ""))
        if channel in self._channels and self._clock() - at < CHANNEL_FRESH:
            return reason
        try:
            reason = channel_reason(await self._slack.channel(channel), self.policy.workspace)
        except TryAgain:
            return "cannot-tell"
        except NotAllowed as unseen:
            return unseen.reason
        _remember(self._channels, channel, (self._clock(), reason))
        return reason


def account_reason(user: Mapping[str, Any], workspace: str) -> str:
    """Why this account (a `user` of users.info) may do nothing here; empty when it may."""
    if user.get("deleted"):
        return "deleted"
    if user.get("team_id") != workspace:
        return "other-workspace"
    if user.get("is_bot"):
        return "bot"
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return "guest"
    return "stranger" if user.get("is_stranger") else ""


def channel_reason(channel: Mapping[str, Any], workspace: str) -> str:
    """Why no evidence may be shown in this channel (a `channel` of conversations.info); empty when it may."""
    teams: set[str] = set()
    for field in ("shared_team_ids", "connected_team_ids", "pending_shared", "pending_connected_team_ids"):
        teams.update(str(team) for team in channel.get(field) or ())
    shared = channel.get("is_ext_shared") or channel.get("is_pending_ext_shared") or teams - {workspace}
    return "shared-channel" if shared else ""


def _remember(cache: dict[str, tuple[float, str]], key: str, value: tuple[float, str]) -> None:
    if len(cache) >= CACHED:
        cache.clear()
    cache[key] = value
