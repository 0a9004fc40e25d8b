"""What is a slash command to us? It carries no thread, and no team of the user."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.desk import Desk, Typed
from bot.listeners import Listener

COMMAND = "/netdiag"


def typed(body: dict[str, Any]) -> Typed:
    """The command, with the trigger's id as its key: each delivery of one command has the same."""
    return Typed(
        key=f"command {body['trigger_id']}"[:300],
        account=str(body["user_id"]),
        channel=str(body["channel_id"]),
        text=str(body.get("text") or ""),
        response_url=str(body.get("response_url") or ""),
    )


def listener(desk: Desk) -> Listener:
    """Bolt's listener for the command: acknowledge, then serve."""

    async def serve(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        # Bolt lets the ack go while this waits, so nothing here may block the loop.
        await desk.typed(typed(body))

    return serve
