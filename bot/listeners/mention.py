"""What is `@netdiag svc checkout` to us? The same as a command, and the only way to ask from inside a thread."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.desk import Desk, Typed
from bot.listeners import Listener


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


def listener(desk: Desk) -> Listener:
    """Bolt's listener for app_mention: acknowledge, then serve."""

    async def serve(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        came = typed(body)
        if came:
            await desk.typed(came)

    return serve
