"""What does Slack send an app for a command, a press or a mention? Payloads as pure functions."""

import re
from typing import Any

from bot.demo.people import APP_ID, BOT_USER, DOMAIN, TEAM, Channel, User
from bot.demo.world import Message, escaped

VERIFICATION = "deprecated-verification-token"  # Slack still sends the field; nobody may trust it


def slash(user: User, channel: Channel, command: str, text: str, *, trigger: str, url: str) -> dict[str, Any]:
    """A slash command. It carries no thread and no team of the user, as Slack's does not."""
    return {
        "token": VERIFICATION,
        "team_id": TEAM,
        "team_domain": DOMAIN,
        "channel_id": channel.id,
        "channel_name": channel.name,
        "user_id": user.id,
        "user_name": user.name,
        "command": command,
        "text": text,
        "api_app_id": APP_ID,
        "is_enterprise_install": "false",
        "response_url": url,
        "trigger_id": trigger,
    }


def press(
    user: User, channel: Channel, message: Message, button: dict[str, Any], *, at: float, trigger: str, url: str
) -> dict[str, Any]:
    """A press of a button in a message. `team` is ours even when the user's team is another one."""
    action = {key: value for key, value in button.items() if key not in ("confirm", "accessibility_label")}
    container: dict[str, Any] = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": bool(message.only_for),
    }
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    payload: dict[str, Any] = {
        "type": "block_actions",
        "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team},
        "api_app_id": APP_ID,
        "token": VERIFICATION,
        "container": container,
        "trigger_id": trigger,
        "team": {"id": TEAM, "domain": DOMAIN},
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": channel.id, "name": channel.name},
        "state": {"values": {}},
        "response_url": url,
        "actions": [{**action, "action_ts": f"{at:.6f}"}],
    }
    if not message.only_for:
        payload["message"] = message.shown()
    return payload


def mention(user: User, channel: Channel, message: Message, *, event_id: str, at: float) -> dict[str, Any]:
    """An app_mention event."""
    event: dict[str, Any] = {
        "type": "app_mention",
        "user": user.id,
        "text": message.text,
        "ts": message.ts,
        "channel": channel.id,
        "event_ts": message.ts,
        "team": user.team,
    }
    if message.thread_ts:
        event["thread_ts"] = message.thread_ts
    return {
        "token": VERIFICATION,
        "team_id": TEAM,
        "api_app_id": APP_ID,
        "event": event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(at),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": bool(channel.shared_with),
    }


def typed(text: str, people: dict[str, User], channels: dict[str, Channel]) -> str:
    """What a person typed, as Slack passes it on with `should_escape`: escaped, @names and #channels as ids."""
    by_name = {user.name: user for user in people.values()}
    by_channel = {channel.name: channel for channel in channels.values()}

    def person(match: re.Match[str]) -> str:
        user = by_name.get(match.group(1))
        return f"<@{user.id}|{user.name}>" if user else match.group()

    def place(match: re.Match[str]) -> str:
        channel = by_channel.get(match.group(1))
        return f"<#{channel.id}|{channel.name}>" if channel else match.group()

    named = re.sub(r"(?<!\w)@([\w.-]+)", person, escaped(text))
    return re.sub(r"(?<![\w&])#([\w-]+)", place, named)
