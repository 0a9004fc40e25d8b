"""Can every sort of bad luck at Slack be played, and does a real client see it as Slack would show it?"""

import pytest
from aiohttp import ClientError
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.driver import Person
from bot.demo.people import BOT_TOKEN
from bot.demo.rates import Bucket
from bot.demo.workspace import Workspace
from tests.demo.conftest import Echo


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        """The time as it stands."""
        return self.now


async def test_rate_limits_are_slacks_when_they_are_on() -> None:
    """chat.update has 50 a minute; the 51st is told how long to wait, and then may."""
    clock = Clock()
    async with Workspace(clock=clock, rates=True) as workspace:
        client = AsyncWebClient(token=BOT_TOKEN, base_url=workspace.api_url, retry_handlers=[])
        ts = (await client.chat_postMessage(channel="C1INC", text="t"))["ts"]
        for number in range(50):
            await client.chat_update(channel="C1INC", ts=ts, text=str(number))
        with pytest.raises(SlackApiError) as refused:
            await client.chat_update(channel="C1INC", ts=ts, text="x")
        assert refused.value.response.status_code == 429
        assert refused.value.response.headers["Retry-After"] == "2"
        clock.now += 2
        await client.chat_update(channel="C1INC", ts=ts, text="x")


async def test_posting_is_limited_a_channel() -> None:
    """One message a second and channel, with a short burst; another channel is free."""
    clock = Clock()
    async with Workspace(clock=clock, rates=True) as workspace:
        client = AsyncWebClient(token=BOT_TOKEN, base_url=workspace.api_url, retry_handlers=[])
        for _ in range(4):
            await client.chat_postMessage(channel="C1INC", text="t")
        with pytest.raises(SlackApiError):
            await client.chat_postMessage(channel="C1INC", text="t")
        await client.chat_postMessage(channel="C2SHARED", text="t")


async def test_a_thousand_calls_pass_when_limits_are_off(workspace: Workspace, client: AsyncWebClient) -> None:
    """Tests that are not about limits never meet them."""
    for _ in range(120):
        await client.users_info(user="U1ALICE")
    assert not [event for event in workspace.log.of("api") if not event.data["ok"]]


def test_a_bucket_fills_up_to_its_size_and_no_further() -> None:
    """After a long rest there is one bucket full, not more."""
    bucket = Bucket(2, 1.0, 0.0)
    assert [bucket.take(100.0) for _ in range(3)] == [0.0, 0.0, 1.0]
    assert bucket.take(101.0) == 0.0


async def test_a_429_storm_is_ridden_out_by_slacks_own_handler(workspace: Workspace) -> None:
    """Retry-After is there for the client's handler to obey, and the call is done once."""
    workspace.faults.ratelimited(0, method="chat.postMessage", times=2)
    handlers = [AsyncRateLimitErrorRetryHandler(max_retry_count=3)]
    client = AsyncWebClient(token=BOT_TOKEN, base_url=workspace.api_url, retry_handlers=handlers)
    await client.chat_postMessage(channel="C1INC", text="t")
    assert len(workspace.messages("C1INC")) == 1


async def test_a_failing_slack_does_nothing(workspace: Workspace, client: AsyncWebClient) -> None:
    """A 503 and an error by name leave no message; afterwards all is well."""
    workspace.faults.status(503, method="chat.*")
    workspace.faults.error("fatal_error", method="chat.postMessage")
    with pytest.raises(SlackApiError):
        await client.chat_postMessage(channel="C1INC", text="t")
    await client.chat_postMessage(channel="C1INC", text="t")
    assert len(workspace.messages("C1INC")) == 1


async def test_a_lost_answer_leaves_the_caller_in_doubt(workspace: Workspace) -> None:
    """The message is there although the call failed: posting it again would double it."""
    workspace.faults.lost_answer(method="chat.postMessage")
    client = AsyncWebClient(token=BOT_TOKEN, base_url=workspace.api_url, retry_handlers=[])
    with pytest.raises(ClientError):
        await client.chat_postMessage(channel="C1INC", text="t")
    assert len(workspace.messages("C1INC")) == 1


async def test_a_slow_slack_answers_late(workspace: Workspace, client: AsyncWebClient) -> None:
    """The call is done after the wait; a client with less patience gives up."""
    workspace.faults.slow(0.2, method="users.info", times=2)
    assert (await client.users_info(user="U1ALICE"))["ok"]
    client.timeout = 0.05
    with pytest.raises(TimeoutError):
        await client.users_info(user="U1ALICE")


async def test_all_deliveries_can_be_doubled(workspace: Workspace, alice: Person, echo: Echo) -> None:
    """With `duplicates`, a command reaches the app several times with one trigger_id."""
    workspace.faults.duplicates = 3
    await alice.slash("svc checkout")
    assert len(echo.commands) == 3
    assert len({body["trigger_id"] for body in echo.commands}) == 1
