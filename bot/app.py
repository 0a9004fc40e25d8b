"""How do we hear Slack? Bolt's AsyncApp over Socket Mode, with one listener for each surface."""

import asyncio
import re
from typing import Any

import aiohttp
import structlog
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.desk import Desk
from bot.listeners import command, mention, press

LOG = structlog.get_logger("slack")
PING = 5.0  # seconds; with the SDK's 10 a half-open link is noticed after 17 s only
RETRY = 2.0  # seconds before Slack is tried again


class Door:
    """The app, its connection, and who we are in this workspace."""

    def __init__(self, client: AsyncWebClient, app_token: str, desk: Desk) -> None:
        self._client = client
        self._app_token = app_token
        self._me: dict[str, Any] = {}
        self._handler: AsyncSocketModeHandler | None = None

        async def authorize() -> AuthorizeResult:  # Bolt reads its arguments' names, and takes no method
            return self._we()

        # With `authorize` of ours, no request waits for auth.test: an ack needs nothing but this process.
        self.app = AsyncApp(client=client, authorize=authorize)
        self.app.command(command.COMMAND)(command.listener(desk))
        self.app.event("app_mention")(mention.listener(desk))
        self.app.action(re.compile(f"^({'|'.join(press.ACTIONS)})$"))(press.listener(desk))

    async def run(self) -> None:
        """Stay connected until cancelled; Slack may be away at the start and at any time."""
        who = asyncio.create_task(self._learn_who_we_are())
        handler = AsyncSocketModeHandler(self.app, self._app_token, ping_interval=PING)
        self._handler = handler
        try:
            await handler.connect_async()  # type: ignore[no-untyped-call]  # tries until it works, and again whenever the link breaks
            LOG.info("connected")
            await asyncio.Event().wait()
        finally:
            who.cancel()
            await handler.close_async()  # type: ignore[no-untyped-call]

    async def connected(self) -> bool:
        """Is there a link to Slack at the moment?"""
        return bool(self._handler and self._handler.client and await self._handler.client.is_connected())

    def _we(self) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None,
            team_id=self._me.get("team_id"),
            bot_token=self._client.token,
            bot_id=self._me.get("bot_id"),
            bot_user_id=self._me.get("user_id"),
        )

    async def _learn_who_we_are(self) -> None:
        while not self._me:
            try:
                answer = await self._client.auth_test()
                self._me = {name: answer.get(name) for name in ("team_id", "bot_id", "user_id")}
                LOG.info("logged-in", team=self._me["team_id"], user=self._me["user_id"])
            except SlackApiError as error:
                LOG.error("not-logged-in", error=error.response.get("error"))  # noqa: TRY400 - the answer says it all
                await asyncio.sleep(RETRY * 5)
            except (aiohttp.ClientError, OSError, ValueError) as error:
                LOG.warning("slack-away", error=str(error))
                await asyncio.sleep(RETRY)
