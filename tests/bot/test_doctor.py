"""`netdiag doctor` over the real protocol, a real Redis and a real ledger; each failure is provoked once."""

import sqlite3
import time
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis

from bot.demo.people import APP_TOKEN, BOT_TOKEN, SCOPES
from bot.demo.workspace import Workspace
from bot.doctor import command
from bot.doctor.result import Result
from bot.ledger import open_ledger
from bot.settings import Settings, redis_url
from tests.bot.kit import POLICY
from workers import keys
from workers.core import sending, wire
from workers.keys import load_signer
from workers.release import RELEASE

pytestmark = pytest.mark.service


@pytest.fixture
def given(tmp_path: Path, workspace: Workspace, broker: str) -> Settings:
    """A whole installation, in which no worker has spoken yet."""
    keys.generate(tmp_path / "keys", ["lab"])
    (tmp_path / "policy.yaml").write_text(POLICY.replace("[lab]", "{lab: {channels: [C1INC]}}"))
    database = f"sqlite:///{tmp_path / 'ledger.db'}"
    ledger = open_ledger(database)
    ledger.migrate()
    ledger.close()
    return Settings(
        BOT_TOKEN, APP_TOKEN, workspace.api_url, broker, database, tmp_path / "policy.yaml", tmp_path / "keys"
    )


async def beat(given: Settings, role: str, *, release: str = RELEASE, ahead: float = 0.0, key: str = "") -> None:
    """One heartbeat of a worker, signed with its role's key (or another)."""
    signer = load_signer(given.keys_dir / f"{key or {'look': 'look', 'change': 'act'}[role]}-lab.key")
    one = wire.Heartbeat(f"{role}-1", role, "lab", release, time.time() + ahead)  # type: ignore[arg-type]  # by callers
    async with Redis.from_url(redis_url(given.broker_url)) as client:
        await client.xadd(wire.stream("lab"), dict(sending.entry(signer, "lab", one)))


async def ask(given: Settings, **changes: object) -> dict[str, Result]:
    """What the doctor says, by name."""
    return {one.what: one for one in await command.examine(msgspec.structs.replace(given, **changes))}


async def test_a_whole_installation_has_nothing_to_mend_but_what_it_is_told(given: Settings) -> None:
    """Valkey in the tests keeps no file, and nobody there is called dora; all else is well."""
    for role in ("look", "change"):
        await beat(given, role)
    said = await ask(given)
    assert {name for name, one in said.items() if one.state != "ok"} == {"broker", "person dora"}
    assert "appendonly yes" in said["broker"].fix
    assert said["channel C1INC"].said.startswith("netdiag is in #")
    text = command.shown(list(said.values()))
    assert "1 alive, release" in text
    assert "- broker: Set `appendonly yes`." in text


async def test_workers_that_are_away_of_another_release_or_ahead(given: Settings) -> None:
    """Without a look worker nothing is diagnosed; without a change worker changes are halted, which may be meant."""
    said = await ask(given)
    assert (said["look workers of lab"].state, said["change workers of lab"].state) == ("failed", "warning")
    assert said["look workers of lab"].fix == "Start one: netdiag worker --role look --cluster lab."
    await beat(given, "look", release="0.0.1")
    await beat(given, "change", ahead=60)
    said = await ask(given)
    assert "of release 0.0.1; the bot is" in said["look workers of lab"].said
    assert "s ahead of this host's" in said["change workers of lab"].said
    await beat(given, "look", key="act")  # not signed by a look worker: not heard
    await beat(given, "look", ahead=-3600)
    assert "the last was heard 3600 s ago" in (await ask(given))["look workers of lab"].said


@pytest.mark.parametrize(
    ("changes", "what", "part"),
    [
        ({"bot_token": "xoxb-another"}, "bot token", "invalid_auth"),
        ({"app_token": "xapp-another"}, "app token", "Slack opens no Socket Mode connection"),
        ({"slack_api_url": "http://127.0.0.1:1/api/"}, "Slack", "Slack does not answer"),
        ({"broker_url": "redis://127.0.0.1:1/0"}, "broker", "Redis does not answer"),
        ({"policy": Path("/nowhere/policy.yaml")}, "policy", "cannot read /nowhere/policy.yaml"),
        ({"keys_dir": Path("/nowhere")}, "keys", "cannot read /nowhere/bot.key"),
        ({"database_url": "oracle://nobody"}, "ledger", "oracle"),
        ({"database_url": "sqlite:////etc/hostname"}, "ledger", "the ledger does not answer"),
    ],
)
async def test_each_failure_has_its_name_and_its_fix(
    given: Settings, changes: dict[str, object], what: str, part: str
) -> None:
    """One thing at a time is wrong; the rest is examined all the same."""
    said = await ask(given, **changes)
    assert (said[what].state, part in said[what].said, bool(said[what].fix)) == ("failed", True, True), said[what]
    assert len(said) > 3


async def test_asking_makes_no_ledger(given: Settings, tmp_path: Path) -> None:
    """What is not there yet is made by the bot."""
    file = tmp_path / "new.db"
    assert "is not there yet" in (await ask(given, database_url=f"sqlite:///{file}"))["ledger"].said
    assert not file.exists()


async def test_a_token_without_a_scope(given: Settings, workspace: Workspace) -> None:
    """Slack tells which scopes a token has; those that are missing are named."""
    workspace.scopes = tuple(scope for scope in SCOPES if scope not in {"groups:read", "commands"})
    assert "it lacks the scopes commands, groups:read" in (await ask(given))["bot token"].said


async def test_another_workspace_a_channel_without_netdiag_and_a_stranger(given: Settings) -> None:
    """What the policy says and Slack does not."""
    text = given.policy.read_text().replace("T0SIM", "T1OTHER").replace("C1INC", "C0NOWHERE").replace("U2BOB", "U0NONE")
    given.policy.write_text(text)
    said = await ask(given)
    assert "everybody is refused" in said["workspace"].said
    assert said["workspace"].fix == "Set `workspace: T0SIM` in the policy, if that is meant."
    assert "/invite @netdiag" in said["channel C0NOWHERE"].fix
    assert "Slack knows no account U0NONE" in said["person bob"].said


async def test_a_database_of_a_newer_release_and_keys_that_do_not_belong_together(
    given: Settings, tmp_path: Path
) -> None:
    """The bot must not write into the one, and nobody would believe its signatures with the others."""
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    keys.generate(tmp_path / "others", ["lab"])
    (given.keys_dir / "bot.pub").write_bytes((tmp_path / "others" / "bot.pub").read_bytes())
    said = await ask(given)
    assert "the schema 9999 of a newer netdiag" in said["ledger"].said
    assert "is not the public half" in said["keys"].said
