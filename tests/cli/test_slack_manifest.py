"""The Slack app's manifest asks for what the bot uses, and for nothing else."""

import re
from pathlib import Path

import yaml

from bot.listeners import command

ROOT = Path(__file__).parents[2]
NEEDED_FOR = {
    "chat_postMessage": {"chat:write"},
    "chat_postEphemeral": {"chat:write"},
    "chat_update": {"chat:write"},
    "users_info": {"users:read"},
    "conversations_info": {"channels:read", "groups:read"},
    "auth_test": set(),
}


def test_the_scopes_are_those_of_the_methods_that_are_called() -> None:
    """A new call needs its scope there; a scope without a call is one too many."""
    manifest = yaml.safe_load((ROOT / "deploy" / "slack" / "manifest.yaml").read_text())
    files = [path for path in (ROOT / "bot").rglob("*.py") if "demo" not in path.parts]
    called = {name for path in files for name in re.findall(r"lient\.([a-z]+_[a-zA-Z]+)\(", path.read_text())}
    scopes = set().union(*(NEEDED_FOR[name] for name in called if name != "is_connected"))
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == scopes | {"commands", "app_mentions:read"}
    assert manifest["settings"]["socket_mode_enabled"]
    assert [one["command"] for one in manifest["features"]["slash_commands"]] == [command.COMMAND]
