"""A simulated workspace on a free port, and a tiny real Bolt app that answers in it."""

from collections.abc import AsyncIterator

import pytest
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond, AsyncSay
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.driver import Person
from bot.demo.people import APP_TOKEN, BOT_TOKEN
from bot.demo.workspace import Workspace

BUTTONS = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "press one"}},
    {
        "type": "actions",
        "block_id": "choose",
        "elements": [
            {"type": "button", "action_id": "go", "value": "1", "text": {"type": "plain_text", "text": "Go"}},
            {"type": "button", "action_id": "silent", "value": "2", "text": {"type": "plain_text", "text": "Silent"}},
        ],
    },
]


@pytest.fixture
async def workspace() -> AsyncIterator[Workspace]:
    """A workspace whose app has one second for an ack."""
    async with Workspace(ack_timeout=1.0, retries=(0.0, 0.0, 0.0)) as workspace:
        yield workspace


@pytest.fixture
def client(workspace: Workspace) -> AsyncWebClient:
    """Slack's own client, pointed at the workspace."""
    return AsyncWebClient(token=BOT_TOKEN, base_url=workspace.api_url)


@pytest.fixture
def alice(workspace: Workspace) -> Person:
    """A full member."""
    return Person(workspace, "alice")


class Echo:
    """What the tiny app has received, and the app's connection."""

    def __init__(self, workspace: Workspace, client: AsyncWebClient) -> None:
        self.commands: list[dict[str, object]] = []
        self.presses: list[dict[str, object]] = []
        self.mentions: list[dict[str, object]] = []
        self.app = AsyncApp(client=client)
        self._listen()
        self.handler = AsyncSocketModeHandler(
            self.app, APP_TOKEN, web_client=AsyncWebClient(base_url=workspace.api_url), ping_interval=0.2
        )

    def _listen(self) -> None:
        @self.app.command("/netdiag")
        async def command(ack: AsyncAck, body: dict[str, object], respond: AsyncRespond) -> None:
            self.commands.append(body)
            if body["text"] == "silence":
                return
            await ack(f"heard {body['text']}" if body["text"] != "nothing" else None)
            if body["text"] == "later":
                await respond("a later answer")

        @self.app.action("go")
        async def go(ack: AsyncAck, body: dict[str, object], respond: AsyncRespond) -> None:
            self.presses.append(body)
            await ack()
            await respond(text="gone", replace_original=True)

        @self.app.event("app_mention")
        async def mention(event: dict[str, object], say: AsyncSay) -> None:
            self.mentions.append(event)
            await say(text="you called", thread_ts=str(event.get("thread_ts", event["ts"])))


@pytest.fixture
async def echo(workspace: Workspace, client: AsyncWebClient) -> AsyncIterator[Echo]:
    """The tiny app, connected."""
    echo = Echo(workspace, client)
    await echo.handler.connect_async()
    await workspace.wait_for(lambda: workspace.links.links)
    yield echo
    await echo.handler.close_async()
