"""What is `@netdiag svc checkout` to us? The same as a command, and the only way to ask from inside a thread."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.desk import Desk, Typed


def typed(body: dict[str, Any]) -> Typed | None:
    """The command, with the event's id as its key; None for what no person wrote."""
    event = body["event"]
    if event.get("bot_id") or event.get("subtype") or not event.get("user"):
        return None
    return Typed(
        key=f"mention {body['event_id']}"[:300],
        account=str(event["user"]),
        channel=str(event["channel"]),
        text=str(event.get("text") or ""),
        team=str(event.get("user_team") or event.get("team") or ""),
        thread=str(event.get("thread_ts") or ""),
    )


class OnMention:
    """Bolt's listener for app_mention."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def __call__(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Acknowledge, then serve."""
        await ack()
        came = typed(body)
        if came:
            await self._desk.typed(came)
