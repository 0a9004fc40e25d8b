"""What is the bot's own: keys, policy, ledger."""

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from bot import policy, settings
from bot.doctor.result import Result
from bot.ledger import LedgerAway, open_ledger
from bot.policy import Policy
from bot.settings import Settings
from workers.core.errors import NotTrusted, TypedWrongly

PROOF = b"netdiag doctor"


def keys(given: Settings, clusters: Iterable[str]) -> Result:
    """Can the bot sign, will its own public key verify that, and does it know the keys of every cluster's workers?"""
    try:
        signer = settings.read_signer(given.keys_dir)
        ring = settings.read_keyring(given.keys_dir)
        settings.read_workers(given.keys_dir, clusters)
    except TypedWrongly as error:
        return Result("keys", "failed", str(error), "Make them: netdiag keys init DIR --cluster NAME.")
    try:
        ring.check(PROOF, signer.sign(PROOF), signer.kid)
    except NotTrusted:
        said = f"bot.pub in {given.keys_dir} is not the public half of bot.key"
        return Result("keys", "failed", said, "Put back the bot.pub that was made together with bot.key.")
    return Result(
        "keys", "ok", f"bot.key and bot.pub of {given.keys_dir} belong together, and all workers' keys are there"
    )


def read_policy(given: Settings) -> tuple[Policy | None, Result]:
    """The policy file, with what it allows in one line."""
    try:
        found = policy.read(given.policy)
    except TypedWrongly as error:
        return None, Result("policy", "failed", str(error), "README, 'Run it for real', shows a whole one.")
    roles = ", ".join(f"{len(found.roles.get(role, ()))} may {role}" for role in policy.ROLES)
    if len(found.roles.get("approve", ())) <= found.approval.quorum:
        said = f"{len(found.roles.get('approve', ()))} may approve, and {found.approval.quorum} must, besides who asked"
        fix = "Give the role `approve` to more people: nobody grants what they asked for themselves."
        return found, Result("policy", "warning", said, fix)
    return found, Result("policy", "ok", f"clusters {', '.join(found.clusters)}; {roles}")


def ledger(given: Settings) -> Result:
    """Does the database answer, and is its schema one of this release's? An SQLite file is not made by asking."""
    try:
        url = make_url(given.database_url)
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
            return Result("ledger", "ok", f"{url.database} is not there yet; the bot makes it at its first start")
        opened = open_ledger(given.database_url)
    except (TypedWrongly, ArgumentError) as error:
        return Result(
            "ledger", "failed", str(error), "Set NETDIAG_DATABASE_URL, such as sqlite:////var/lib/netdiag/n.db."
        )
    try:
        found = opened.schema()
    except TypedWrongly as error:
        return Result(
            "ledger", "failed", str(error), "Run that release, or restore the backup made before the upgrade."
        )
    except LedgerAway as error:
        return Result("ledger", "failed", str(error), "Start the database, or mend NETDIAG_DATABASE_URL.")
    finally:
        opened.close()
    if not found:
        return Result("ledger", "ok", "it is empty; the bot makes its tables at the first start")
    return Result("ledger", "ok", f"it answers; its schema is {found}")
