"""What is a slash command to us? It carries no thread, and no team of the user."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.desk import Desk, Typed

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


class OnCommand:
    """Bolt's listener for the command."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def __call__(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Acknowledge, then serve: Bolt lets the ack go while this waits, so nothing here may block the loop."""
        await ack()
        await self._desk.typed(typed(body))
