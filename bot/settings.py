"""What was this bot told by its environment? The only place that reads it.

A missing or bad setting is one clear sentence that names it, said before anything is started.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec

from workers.core.errors import NotTrusted, TypedWrongly
from workers.core.tokens import KID, Keyring, Signer, public_from_pem, signer_from_pem

SLACK_API = "https://slack.com/api/"
WORKERS = (("look", "look"), ("change", "act"))  # role of a worker, and how its key is called
DATABASE = "sqlite:///var/netdiag.db"


class Settings(msgspec.Struct, frozen=True):
    """What `netdiag bot` needs. The tokens never leave this process."""

    bot_token: str
    app_token: str
    slack_api_url: str
    broker_url: str
    database_url: str
    policy: Path
    keys_dir: Path

    def __repr__(self) -> str:
        """Without the secrets: what is logged by accident must not open anything."""
        return f"Settings(slack_api_url={self.slack_api_url!r}, policy={self.policy!s}, keys_dir={self.keys_dir!s})"


class AuditSettings(msgspec.Struct, frozen=True):
    """What `netdiag audit` needs: the ledger, and where bot.pub lies (empty: the folder was not named)."""

    database_url: str
    keys_dir: Path


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings. Raises TypedWrongly with a sentence that names the one that is missing or bad."""
    return Settings(
        bot_token=_token(environment, "SLACK_BOT_TOKEN", "xoxb-"),
        app_token=_token(environment, "SLACK_APP_TOKEN", "xapp-"),
        slack_api_url=_slack_api(environment),
        broker_url=_broker(environment),
        database_url=environment.get("NETDIAG_DATABASE_URL") or DATABASE,
        policy=Path(_needed(environment, "NETDIAG_POLICY", "the path of the policy file")),
        keys_dir=Path(_needed(environment, "NETDIAG_KEYS_DIR", "the folder that holds bot.key")),
    )


def load_audit(environment: Mapping[str, str] = os.environ) -> AuditSettings:
    """The settings of `netdiag audit`. Raises TypedWrongly likewise."""
    return AuditSettings(
        database_url=environment.get("NETDIAG_DATABASE_URL") or DATABASE,
        keys_dir=Path(_needed(environment, "NETDIAG_KEYS_DIR", "the folder that holds bot.pub")),
    )


def read_signer(keys_dir: Path) -> Signer:
    """The bot's signing key. Raises TypedWrongly with the file's name and what is wrong with it."""
    path = keys_dir / "bot.key"
    try:
        return signer_from_pem(_read(path))
    except NotTrusted as error:
        raise TypedWrongly(f"NETDIAG_KEYS_DIR: {path}: {error}") from error


def read_keyring(keys_dir: Path) -> Keyring:
    """The public keys that sign this bot's audit: bot.pub, and those of keys that were replaced."""
    return _ring(keys_dir, "bot")


def read_workers(keys_dir: Path, clusters: Iterable[str]) -> dict[str, dict[str, Keyring]]:
    """The public keys that sign what the workers say: cluster -> role -> ring. Raises TypedWrongly with the file."""
    return {cluster: {role: _ring(keys_dir, f"{name}-{cluster}") for role, name in WORKERS} for cluster in clusters}


def _ring(keys_dir: Path, name: str) -> Keyring:
    """The key of that name, and those that it replaced (`netdiag keys rotate` keeps their public halves)."""
    paths = [keys_dir / f"{name}.pub", *sorted(keys_dir.glob(f"{name}-{KID}.pub"))]
    try:
        return Keyring([public_from_pem(_read(path)) for path in paths])
    except NotTrusted as error:
        raise TypedWrongly(f"NETDIAG_KEYS_DIR: {error}") from error


def redis_url(broker_url: str) -> str:
    """The broker's address as the Redis client spells it (Celery's `redis+socket://` is its `unix://`)."""
    parts = urlsplit(broker_url)
    if parts.scheme != "redis+socket":
        return broker_url
    database = parse_qs(parts.query).get("virtual_host", ["0"])[0].strip("/") or "0"
    return f"unix://{parts.path}?db={database}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TypedWrongly(f"NETDIAG_KEYS_DIR: cannot read {path}: {error.strerror}") from error


def _needed(environment: Mapping[str, str], name: str, what: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise TypedWrongly(f"{name} is not set: it must be {what}")
    return value


def _token(environment: Mapping[str, str], name: str, prefix: str) -> str:
    value = _needed(environment, name, f"a Slack token that begins with {prefix}")
    if not value.startswith(prefix):
        raise TypedWrongly(f"{name} must begin with {prefix}: this is another kind of token")
    return value


def _slack_api(environment: Mapping[str, str]) -> str:
    value = environment.get("NETDIAG_SLACK_API_URL") or SLACK_API
    if urlsplit(value).scheme not in {"http", "https"}:
        raise TypedWrongly(f"NETDIAG_SLACK_API_URL must be an http(s) URL such as {SLACK_API}")
    return value if value.endswith("/") else f"{value}/"


def _broker(environment: Mapping[str, str]) -> str:
    value = _needed(environment, "NETDIAG_BROKER_URL", "the address of Redis, such as redis://127.0.0.1:6379/0")
    if urlsplit(value).scheme not in {"redis", "rediss", "redis+socket"}:
        raise TypedWrongly("NETDIAG_BROKER_URL must begin with redis://, rediss:// or redis+socket://")
    return value
