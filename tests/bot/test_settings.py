"""A missing or bad setting is one clear sentence that names it."""

from pathlib import Path

import pytest

from bot import settings
from workers import keys
from workers.core.errors import TypedWrongly

GOOD = {
    "SLACK_BOT_TOKEN": "xoxb-1",
    "SLACK_APP_TOKEN": "xapp-1",
    "NETDIAG_BROKER_URL": "redis://127.0.0.1/0",
    "NETDIAG_POLICY": "policy.yaml",
    "NETDIAG_KEYS_DIR": "keys",
}


def test_good_settings_have_defaults() -> None:
    """What has a default need not be set, and no secret is printed."""
    given = settings.load(GOOD)
    assert (given.slack_api_url, given.database_url) == (settings.SLACK_API, settings.DATABASE)
    assert "xoxb" not in repr(given)


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_setting_is_named(name: str) -> None:
    """Each setting without a default is asked for by its name."""
    with pytest.raises(TypedWrongly, match=name):
        settings.load({**GOOD, name: ""})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLACK_BOT_TOKEN", "xoxp-1"),
        ("SLACK_APP_TOKEN", "xoxb-1"),
        ("NETDIAG_BROKER_URL", "amqp://x"),
        ("NETDIAG_SLACK_API_URL", "slack.com"),
    ],
)
def test_a_bad_setting_is_named_without_its_value(name: str, value: str) -> None:
    """A token of the wrong kind is not repeated in the sentence."""
    with pytest.raises(TypedWrongly, match=name) as wrong:
        settings.load({**GOOD, name: value})
    assert "xoxp-1" not in str(wrong.value)


def test_the_socket_url_is_spelled_for_both_clients() -> None:
    """Celery and the Redis client spell a unix socket differently."""
    assert settings.redis_url("redis+socket:///tmp/b.sock?virtual_host=2") == "unix:///tmp/b.sock?db=2"
    assert settings.redis_url("redis://h:1/0") == "redis://h:1/0"


def test_keys_are_read_or_named(tmp_path: Path) -> None:
    """The key's file is named when it is missing or no key."""
    keys.generate(tmp_path, ["lab"])
    signer, ring = settings.read_signer(tmp_path), settings.read_keyring(tmp_path)
    ring.check(b"x", signer.sign(b"x"), signer.kid)
    (tmp_path / "bot.key").write_text("nonsense")
    with pytest.raises(TypedWrongly, match=r"NETDIAG_KEYS_DIR.*bot\.key"):
        settings.read_signer(tmp_path)
    with pytest.raises(TypedWrongly, match=r"NETDIAG_KEYS_DIR.*bot\.pub"):
        settings.read_keyring(tmp_path / "none")
