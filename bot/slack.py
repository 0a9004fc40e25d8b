"""What does Slack say about an account or a channel? The reads that access needs; all writing is the notifier's."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from workers.core.errors import NotAllowed, TryAgain

PATIENCE = 5.0  # seconds that a person waits for Slack to tell who they are


class SlackReads:
    """users.info and conversations.info."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client

    async def user(self, account: str) -> Mapping[str, Any]:
        """The `user` object of users.info. Raises TryAgain when Slack does not say."""
        return await self._get(self._client.users_info(user=account), "user")

    async def channel(self, channel: str) -> Mapping[str, Any]:
        """The `channel` object of conversations.info. Raises TryAgain likewise, and NotAllowed (`channel-unseen`)
        for a private channel that netdiag is not in.
        """
        return await self._get(self._client.conversations_info(channel=channel), "channel")

    async def _get(self, call: Awaitable[Any], field: str) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(PATIENCE):
                response = await call
        except SlackApiError as error:
            if error.response.get("error") == "channel_not_found":
                raise NotAllowed("channel-unseen") from error
            raise TryAgain(f"Slack answers {error.response.get('error')}") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
            raise TryAgain(f"Slack does not answer: {error}") from error
        found = response.get(field)
        if not isinstance(found, dict):
            raise TryAgain(f"Slack's answer holds no {field}")
        return found
