"""`netdiag doctor`, on the bot's host with the bot's settings."""

import asyncio

import click
import msgspec
from slack_sdk.web.async_client import AsyncWebClient
from tabulate import tabulate

from bot import settings
from bot.broker import Broker
from bot.doctor import broker, house, slack
from bot.doctor.result import Result
from bot.settings import Settings
from workers.core.errors import TypedWrongly
from workers.core.tokens import Keyring

PATIENCE = 10  # seconds for one call of Slack


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """Examine keys, policy, ledger, Slack, Redis and workers; say what to do about what is wrong.

    It changes nothing, and may run beside the bot.

    Exit code: 0 nothing failed, 1 something did, 2 a setting is missing.
    """
    results = asyncio.run(examine(settings.load()))
    if as_json:
        click.echo(msgspec.json.encode(results))
    else:
        click.echo(shown(results))
    ctx.exit(1 if any(one.state == "failed" for one in results) else 0)


async def examine(given: Settings) -> list[Result]:
    """Everything, in the order in which it is mended best."""
    policy, about_policy = house.read_policy(given)
    clusters = list(policy.clusters) if policy else []
    client = AsyncWebClient(given.bot_token, base_url=given.slack_api_url, timeout=PATIENCE)
    redis = Broker(given.broker_url)
    try:
        of_slack, of_broker = await asyncio.gather(
            slack.examine(client, given.app_token, policy),
            broker.examine(redis.redis, {cluster: _rings(given, cluster) for cluster in clusters}),
        )
    finally:
        await redis.close()
    own = [house.keys(given, clusters), about_policy, await asyncio.to_thread(house.ledger, given)]
    return [*own, *of_slack, *of_broker]


def _rings(given: Settings, cluster: str) -> dict[str, Keyring]:
    """A cluster's keys. Where they cannot be read, nobody is believed; that they cannot is said elsewhere."""
    try:
        return settings.read_workers(given.keys_dir, [cluster])[cluster]
    except TypedWrongly:
        return dict.fromkeys(("look", "change"), Keyring([]))


def shown(results: list[Result]) -> str:
    """A table, and below it what to do, in order."""
    table = tabulate([(one.state, one.what, one.said) for one in results], maxcolwidths=[None, None, 90])
    steps = [f"- {one.what}: {one.fix}" for one in results if one.fix]
    return "\n".join([table, *(["", "What to do:", *steps] if steps else ["", "Nothing to mend."])])
