"""What is a press of one of our buttons to us?

Who pressed is `body.user`: its id and its own team. Bolt's context names our team even for an outsider.
"""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.desk import Desk, Pressed
from bot.listeners import Listener

ACTIONS = ("propose", "approve", "deny", "withdraw", "rerun")


def pressed(body: dict[str, Any]) -> Pressed:
    """The press; its key is the same for every delivery of one press, and another for the next press."""
    action, container, user = body["actions"][0], body["container"], body["user"]
    parts = (container.get("message_ts"), action["action_id"], user["id"], action.get("action_ts"))
    return Pressed(
        key=f"press {' '.join(str(part) for part in parts)}"[:300],
        account=str(user["id"]),
        channel=str(container.get("channel_id") or (body.get("channel") or {}).get("id", "")),
        action=str(action["action_id"]),
        value=str(action.get("value") or ""),
        team=str(user.get("team_id") or ""),
        thread=str(container.get("thread_ts") or ""),
        response_url=str(body.get("response_url") or ""),
    )


def listener(desk: Desk) -> Listener:
    """Bolt's listener for every button: acknowledge, then serve."""

    async def serve(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        await desk.pressed(pressed(body))

    return serve
