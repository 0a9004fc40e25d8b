"""Who may do what: every kind of account, every kind of channel, and a Slack that does not answer."""

from typing import Any

import pytest

from bot import policy
from bot.access import ACCOUNT_FRESH, CHANNEL_FRESH, Access
from tests.bot.kit import POLICY, Clock, Slack
from workers.core.errors import NotAllowed


def make(slack: Slack, clock: Clock | None = None) -> Access:
    """Access over the kit's policy."""
    return Access(policy.parse(POLICY), slack, clock=clock or Clock())


@pytest.mark.parametrize(
    ("account", "team", "facts", "reason"),
    [
        ("U1ALICE", "T0SIM", {}, ""),
        ("U1ALICE", "", {}, ""),
        ("U1ALICE", "T9OTHER", {}, "other-workspace"),
        ("U1ALICE", "", {"team_id": "T9OTHER"}, "other-workspace"),
        ("U1ALICE", "", {"team_id": None}, "other-workspace"),
        ("U1ALICE", "", {"deleted": True}, "deleted"),
        ("U1ALICE", "", {"is_bot": True}, "bot"),
        ("U1ALICE", "", {"is_restricted": True}, "guest"),
        ("U1ALICE", "", {"is_ultra_restricted": True}, "guest"),
        ("U1ALICE", "", {"is_stranger": True}, "stranger"),
        ("U7EVE", "", {}, "unknown-person"),
        ("U8NOBODY", "", None, "cannot-tell"),
    ],
)
async def test_accounts(account: str, team: str, facts: dict[str, Any] | None, reason: str) -> None:
    """A full member of our workspace who is in the policy may ask; everybody else is refused with a reason."""
    slack = Slack()
    if facts is not None:
        slack.users[account].update(facts)
    if not reason:
        assert (await make(slack).caller(account, team)).name == "alice"
        return
    with pytest.raises(NotAllowed) as refused:
        await make(slack).caller(account, team)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, ""),
        ({"shared_team_ids": ["T0SIM"]}, ""),
        ({"is_ext_shared": True}, "shared-channel"),
        ({"is_pending_ext_shared": True}, "shared-channel"),
        ({"connected_team_ids": ["T9OTHER"]}, "shared-channel"),
        ({"shared_team_ids": ["T0SIM", "T9OTHER"]}, "shared-channel"),
        ({"pending_shared": ["T9OTHER"]}, "shared-channel"),
    ],
)
async def test_channels(facts: dict[str, Any], reason: str) -> None:
    """A channel that others can read, or soon will, gets no evidence."""
    slack = Slack()
    slack.channels["C1INC"] = facts
    if not reason:
        await make(slack).need_own_channel("C1INC")
        return
    with pytest.raises(NotAllowed) as refused:
        await make(slack).need_own_channel("C1INC")
    assert refused.value.reason == reason


async def test_answers_are_kept_for_a_while_and_silence_is_not() -> None:
    """Slack is asked once a minute about an account; when it does not answer, the next try asks again."""
    slack, clock = Slack(), Clock()
    access = make(slack, clock)
    slack.away = True
    for check in (access.caller("U1ALICE"), access.need_own_channel("C1INC")):
        with pytest.raises(NotAllowed) as refused:
            await check
        assert refused.value.reason == "cannot-tell"
    slack.away = False
    for _ in range(3):
        await access.caller("U1ALICE")
        await access.need_own_channel("C1INC")
    assert slack.asked == 4
    slack.users["U1ALICE"]["deleted"] = True
    slack.channels["C1INC"]["is_ext_shared"] = True
    clock.now += max(ACCOUNT_FRESH, CHANNEL_FRESH) + 1
    for check in (access.caller("U1ALICE"), access.need_own_channel("C1INC")):
        with pytest.raises(NotAllowed):
            await check


async def test_roles_are_of_people() -> None:
    """A role that the policy does not give is refused by its name."""
    access = make(Slack())
    carol = await access.caller("U3CAROL")
    access.need(carol, "look")
    with pytest.raises(NotAllowed) as refused:
        access.need(carol, "audit")
    assert refused.value.reason == "no-role-audit"
