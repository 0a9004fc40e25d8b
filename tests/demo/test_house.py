"""Does the demo start, end and complain as it should, without anything of its user's leaking into it?"""

import asyncio
import os
import socket
import stat
import sys
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner

from bot import policy
from bot.demo import house as houses
from bot.demo.command import command
from bot.demo.house import CannotStart, House, broker
from bot.settings import load, redis_url
from workers.core.errors import NetdiagError


def make(folder: Path, **environment: str) -> House:
    """A house in `folder`."""
    given = {"PATH": os.environ["PATH"], **environment}
    return House(folder, api_url="http://127.0.0.1:1/api/", broker_url="redis://127.0.0.1:1/0", environment=given)


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with bundles that nobody reads here."""
    folder = tmp_path / "recorded"
    folder.mkdir()
    for name in ("before.bundle", "after.bundle"):
        (folder / name).write_bytes(b"not read here")
    monkeypatch.setattr(houses, "RECORDED", folder)
    return folder


def test_the_broker_is_real_and_gone_afterwards() -> None:
    """Without NETDIAG_BROKER_URL a Valkey answers on a unix socket, and no port; with it, the named one is used."""
    with broker({}) as url:
        client = redis.Redis.from_url(redis_url(url))
        assert client.ping()
        client.close()
        path = Path(url.removeprefix("redis+socket://").partition("?")[0])
        assert stat.S_ISSOCK(path.stat().st_mode)
    assert not path.exists()
    with broker({"NETDIAG_BROKER_URL": "redis://elsewhere/0"}) as url:
        assert url == "redis://elsewhere/0"


@pytest.mark.usefixtures("recorded")
def test_the_bots_settings_are_complete_and_nothing_else_gets_in(tmp_path: Path) -> None:
    """The bot can read its settings; real tokens, proxies and other netdiag settings around are not passed on."""
    house = make(
        tmp_path / "demo", SLACK_BOT_TOKEN="xoxb-real", HTTPS_PROXY="http://p", NETDIAG_KUBECONFIG="/k", LANG="C"
    )
    house.prepare()
    settings = load(house.environment)
    assert settings.bot_token == "xoxb-sim-bot"
    assert {"HTTPS_PROXY", "NETDIAG_KUBECONFIG"}.isdisjoint(house.environment)
    assert house.environment["LANG"] == "C"
    assert policy.read(settings.policy).clusters_in("C1INC") == ("demo",)
    assert (tmp_path / "demo" / "keys" / "bot.key").stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("recorded")
def test_a_folder_that_was_used_is_refused(tmp_path: Path) -> None:
    """Slack's side is new at each start, so an old ledger would speak of messages that are not there."""
    (tmp_path / "netdiag.db").touch()
    with pytest.raises(CannotStart, match="empty folder"):
        make(tmp_path).prepare()


def test_missing_evidence_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without the recorded bundles says which file it misses."""
    monkeypatch.setattr(houses, "RECORDED", tmp_path)
    with pytest.raises(CannotStart, match=r"before\.bundle"):
        make(tmp_path / "demo").prepare()


@pytest.mark.usefixtures("recorded")
async def test_processes_are_started_watched_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ends by itself is named; the others end with the house, also when they ignore SIGTERM."""
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"
    )
    monkeypatch.setattr(houses, "CLI", (sys.executable, "-c"))
    monkeypatch.setattr(houses, "ROLES", {"bot": ("raise SystemExit('no policy')",), "look": (stubborn,)})
    monkeypatch.setattr(houses, "PATIENCE", 0.2)
    async with make(tmp_path / "demo") as house:
        assert await house.first_to_end() == "The bot process ended with exit code 1."
        while "here" not in house.tails():  # noqa: ASYNC110 - a process sets no event
            await asyncio.sleep(0.02)
        assert "no policy" in house.tails()
        look = house._processes["look"]
    assert look.returncode == -9


@pytest.mark.usefixtures("recorded")
def test_a_taken_port_is_one_clear_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The port, and what to do about it."""
    monkeypatch.setenv("NETDIAG_BROKER_URL", "redis://127.0.0.1:1/0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(command, ["--port", port, "--no-browser", "--folder", str(tmp_path / "demo")])
    assert isinstance(result.exception, NetdiagError)
    assert str(result.exception) == f"Port {port} is taken: stop what listens there, or name another with --port."


@pytest.mark.usefixtures("recorded")
def test_a_check_that_fails_shows_the_logs_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, a cross, and the ends of the logs."""
    monkeypatch.setattr(houses, "CLI", (sys.executable, "-c"))
    monkeypatch.setattr(houses, "ROLES", {"bot": ("raise SystemExit('no policy')",)})
    monkeypatch.setenv("NETDIAG_BROKER_URL", "redis://127.0.0.1:1/0")
    result = CliRunner().invoke(command, ["--check", "--folder", str(tmp_path / "demo")])
    assert result.exit_code == 1
    assert "The bot process ended with exit code 1." in result.output
    assert "no policy" in result.output
