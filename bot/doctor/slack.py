"""Do Slack's tokens work, with the scopes that are needed, in the right workspace, and is the bot where it is asked?"""

from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.doctor.result import Result
from bot.policy import Policy

SCOPES = frozenset({"commands", "app_mentions:read", "chat:write", "users:read", "channels:read", "groups:read"})
AWAY = (aiohttp.ClientError, OSError, ValueError)
REINSTALL = "Add them under 'OAuth & Permissions', and install the app again."


async def examine(client: AsyncWebClient, app_token: str, policy: Policy | None) -> list[Result]:
    """Tokens first; then, when they work, the channels and people that the policy names."""
    try:
        bot, works = await _bot_token(client, policy)
        results = [*bot, await _app_token(client, app_token)]
        if works and policy:
            channels = sorted({channel for cluster in policy.clusters.values() for channel in cluster.channels})
            results += [await _channel(client, channel) for channel in channels]
            results += [await _person(client, name, one.slack) for name, one in policy.people.items()]
    except AWAY as error:
        return [
            Result("Slack", "failed", f"Slack does not answer: {error}", "Let this host reach slack.com on port 443.")
        ]
    return results


async def _bot_token(client: AsyncWebClient, policy: Policy | None) -> tuple[list[Result], bool]:
    try:
        answer = await client.auth_test()
    except SlackApiError as error:
        said = f"Slack refuses SLACK_BOT_TOKEN: {_reason(error)}"
        fix = "Copy the bot token (xoxb-) anew from 'OAuth & Permissions', after installing the app."
        return [Result("bot token", "failed", said, fix)], False
    missing = sorted(SCOPES - _scopes(answer.headers))
    if missing:
        results = [Result("bot token", "failed", f"it lacks the scopes {', '.join(missing)}", REINSTALL)]
    else:
        results = [Result("bot token", "ok", f"it works in {answer.get('team')} with all scopes")]
    team = str(answer.get("team_id"))
    if policy and policy.workspace != team:
        said = f"the token is of {team}, and the policy's workspace is {policy.workspace}: everybody is refused"
        results.append(Result("workspace", "failed", said, f"Set `workspace: {team}` in the policy, if that is meant."))
    return results, True


def _scopes(headers: Any) -> set[str]:
    found = next((value for name, value in headers.items() if name.lower() == "x-oauth-scopes"), "")
    return {scope.strip() for scope in str(found).split(",")}


async def _app_token(client: AsyncWebClient, app_token: str) -> Result:
    try:
        await client.apps_connections_open(app_token=app_token)
    except SlackApiError as error:
        said = f"Slack opens no Socket Mode connection for SLACK_APP_TOKEN: {_reason(error)}"
        fix = "Switch Socket Mode on, and make an app-level token (xapp-) with the scope connections:write."
        return Result("app token", "failed", said, fix)
    return Result("app token", "ok", "Slack opens Socket Mode connections for it")


async def _channel(client: AsyncWebClient, channel: str) -> Result:
    what = f"channel {channel}"
    try:
        found: dict[str, Any] = (await client.conversations_info(channel=channel)).get("channel") or {}
    except SlackApiError as error:
        said = f"netdiag does not see it: {_reason(error)}"
        return Result(what, "failed", said, "Type /invite @netdiag there, or mend the channel's id in the policy.")
    named = f"#{found.get('name', channel)}"
    if found.get("is_ext_shared") or found.get("is_pending_ext_shared"):
        said = f"{named} is shared with another organisation: netdiag says nothing there"
        return Result(what, "failed", said, "Name a channel of your own in the policy.")
    if not found.get("is_member"):
        return Result(what, "failed", f"netdiag is not in {named}", f"Type /invite @netdiag in {named}.")
    return Result(what, "ok", f"netdiag is in {named}")


async def _person(client: AsyncWebClient, name: str, account: str) -> Result:
    what = f"person {name}"
    try:
        user: dict[str, Any] = (await client.users_info(user=account)).get("user") or {}
    except SlackApiError as error:
        said = f"Slack knows no account {account}: {_reason(error)}"
        return Result(what, "failed", said, "Copy the member id from the person's profile in Slack into the policy.")
    if user.get("deleted"):
        return Result(what, "warning", f"the account {account} is deactivated", "Take the person out of the policy.")
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return Result(
            what, "warning", f"{account} is a guest: guests are refused", "Take the person out of the policy."
        )
    return Result(what, "ok", f"{account} is {user.get('real_name') or user.get('name') or account}")


def _reason(error: SlackApiError) -> str:
    return str(error.response.get("error"))
