"""The command `netdiag`: lazy, and honest about what is missing."""

import builtins
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from workers import cli
from workers.cli import COMMANDS, Entry, load, main
from workers.core.errors import NetdiagError, NotAllowed, NotTrusted, TypedWrongly


def test_help_imports_no_role() -> None:
    """A machine with no extra at all can print it."""
    code = "import sys, workers.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: print(sorted(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "The Slack side." in said
    for module in ("'celery'", "'kubernetes'", "'aiohttp'", "'slack_bolt'", "'sqlalchemy'", "'bot'"):
        assert module not in said


def test_the_version_is_the_distributions() -> None:
    """One number, from one place."""
    said = CliRunner().invoke(main, ["--version"])
    assert said.output.startswith("netdiag ")
    assert said.exit_code == 0


@pytest.mark.parametrize("name", [*COMMANDS, "nonsense"])
def test_every_command_is_listed_or_unknown(name: str) -> None:
    """An unknown one is typed wrongly."""
    if name == "nonsense":
        assert CliRunner().invoke(main, [name]).exit_code == 2
    else:
        assert name in CliRunner().invoke(main, ["--help"]).output


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the line that installs it."""
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "celery":
            raise ModuleNotFoundError("No module named 'celery'", name="celery")
        return real(name, *rest, **more)

    for module in [one for one in sys.modules if one.startswith(("workers.worker", "celery"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(builtins, "__import__", without)
    said = CliRunner().invoke(main, ["worker", "--role", "look"])
    assert said.exit_code == 2
    assert "netdiag worker needs the extra 'worker': pip install 'netdiag-bot[worker]'" in said.output


def test_a_module_of_ours_that_is_missing_is_a_fault_of_ours() -> None:
    """It is not blamed on an extra."""
    with pytest.raises(ModuleNotFoundError, match=r"workers\.nowhere"):
        load("x", Entry("workers.nowhere:command", "worker", ""))


@pytest.mark.parametrize(
    ("error", "code"),
    [(TypedWrongly("say it so"), 2), (NotAllowed("x", "no"), 4), (NotTrusted("no"), 4), (NetdiagError(), 5)],
)
def test_an_error_is_a_sentence_and_a_code(monkeypatch: pytest.MonkeyPatch, error: Exception, code: int) -> None:
    """No traceback."""

    @click.command()
    def failing() -> None:
        raise error

    monkeypatch.setattr(cli, "load", lambda _name, _entry: failing)
    said = CliRunner().invoke(main, ["keys"])
    assert said.exit_code == code
    assert str(error) in said.output
    assert "Traceback" not in said.output


WORKER = ["worker", "--role", "look", "--cluster", "lab"]


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({}, "NETDIAG_BROKER_URL is not set"),
        ({"NETDIAG_BROKER_URL": "redis://127.0.0.1:1"}, "NETDIAG_KEYS_DIR is not set"),
        ({"NETDIAG_BROKER_URL": "redis://127.0.0.1:1", "NETDIAG_KEYS_DIR": "/nowhere"}, "/nowhere/bot.pub"),
    ],
)
def test_a_worker_names_the_first_setting_that_it_misses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str], says: str
) -> None:
    """Before anything is connected."""
    for name in ("NETDIAG_BROKER_URL", "NETDIAG_KEYS_DIR", "NETDIAG_KUBECONFIG", "NETDIAG_REPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(main, WORKER, env=environment)
    assert said.exit_code in {2, 4}
    assert says in said.output
