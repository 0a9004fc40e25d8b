"""Is the audit trail whole, and what does it hold? `netdiag audit list|show|export|verify`, on the bot's host."""

import sys
from collections.abc import Iterator
from typing import Any

import click
import msgspec
from sqlalchemy import Connection
from tabulate import tabulate

from bot import settings
from bot.cards import audit as card
from bot.ledger import LedgerAway, open_ledger
from bot.ledger import audit as trail
from workers.core import audit
from workers.core.audit import Entry, Verified
from workers.core.errors import TypedWrongly

REASONS = {
    "hash": "its text is not the one that was hashed",
    "link": "it does not follow the entry before it",
    "gap": "an entry is missing here",
    "signature": "its signature is not by a key of the bot",
    "tail": "it is not the entry that the anchor names",
    "unreadable": "the database cannot be read here",
}


class Anchor(click.ParamType[tuple[int, str]]):
    """A number and a hash that were known elsewhere: `118:b7d1...`."""

    name = "SEQ:HASH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, str]:
        """The pair."""
        number, _, digest = str(value).partition(":")
        if not number.isdecimal() or not digest:
            self.fail("an anchor is an entry's number and hash, such as 118:b7d1c0...", param, ctx)
        return int(number), digest.lower()


@click.group()
def command() -> None:
    """Read and verify the audit trail."""


@command.command("list")
@click.option("--last", default=20, show_default=True, help="How many entries, newest first.")
@click.option("--about", default="", help="Only of this run (with its changes) or this change.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def list_(last: int, about: str, *, as_json: bool) -> None:
    """The newest entries."""
    entries = _read(lambda connection: trail.last(connection, last, about=about))
    if as_json:
        click.echo(msgspec.json.encode([_whole(entry) for entry in entries]))
        return
    heads = ("#", "UTC", "event", "who", "of", "what", "hash")
    click.echo(tabulate([card.row(entry) for entry in entries], heads, disable_numparse=True))


@command.command()
@click.argument("number", type=int)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def show(number: int, *, as_json: bool) -> None:
    """One entry, whole."""
    entry = _read(lambda connection: trail.get(connection, number))
    if entry is None:
        raise TypedWrongly(f"there is no entry {number}")
    raw = msgspec.json.encode(_whole(entry))
    click.echo(raw if as_json else msgspec.json.format(raw, indent=2))


@command.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of one line an entry.")
def export(*, as_json: bool) -> None:
    """Every entry as it is stored, oldest first: enough to verify it elsewhere."""
    entries = _read(lambda connection: list(trail.entries(connection)))
    if as_json:
        click.echo(msgspec.json.encode(entries))
        return
    for entry in entries:
        click.echo(msgspec.json.encode(entry))


@command.command()
@click.option("--anchor", type=Anchor(), help="An entry's number and hash that were noted elsewhere.")
@click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
def verify(anchor: tuple[int, str] | None, *, as_json: bool) -> None:
    """Walk the whole chain; exit 1 and name the first bad entry unless it is whole."""
    verified = check(anchor)
    if as_json:
        click.echo(msgspec.json.encode(verified))
    elif verified.ok:
        click.echo(f"ok: {verified.entries} entries, head {verified.head}")
    else:
        why = REASONS.get(verified.reason, verified.reason)
        click.echo(f"entry {verified.first_bad} is bad ({verified.reason}): {why}; {verified.entries} before it hold")
    if not verified.ok:
        sys.exit(1)


def check(anchor: tuple[int, str] | None = None) -> Verified:
    """What `verify` says of the ledger that the environment names."""
    given = settings.load_audit()
    keys = settings.read_keyring(given.keys_dir)
    ledger = open_ledger(given.database_url)
    seen = 0

    def counted(connection: Connection) -> Iterator[Entry]:
        nonlocal seen
        for entry in trail.entries(connection):
            yield entry
            seen += 1

    try:
        return ledger.read_now(lambda connection: audit.verify(counted(connection), keys, tail=anchor))
    except LedgerAway:
        if not seen and not _there(given.database_url):
            raise
        return Verified(ok=False, entries=seen, head="", first_bad=seen + 1, reason="unreadable")
    finally:
        ledger.close()


def _there(url: str) -> bool:
    """Is there an audit at all? A ledger that was never made is another thing than one that was damaged."""
    ledger = open_ledger(url)
    try:
        ledger.read_now(lambda connection: trail.get(connection, 1))
    except LedgerAway:
        return False
    finally:
        ledger.close()
    return True


def _read(work: Any) -> Any:
    ledger = open_ledger(settings.load_audit().database_url)
    try:
        return ledger.read_now(work)
    finally:
        ledger.close()


def _whole(entry: Entry) -> dict[str, Any]:
    proof = {"hash": entry.hash, "signature": entry.signature, "kid": entry.kid}
    return {**entry.body, **proof}
