"""Who is who, and who may do what? The policy file, version 1.

It names people, not accounts: every rule compares the policy's names, and an account that is not in the file may do
nothing.
"""

from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from workers.core.errors import TypedWrongly

Role = Literal["look", "approve", "audit"]
Language = Literal["en", "zh"]
ROLES: tuple[Role, ...] = ("look", "approve", "audit")


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One person's account, and the language the bot speaks with them (empty: the workspace's)."""

    slack: str
    language: Language | Literal[""] = ""


class Cluster(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One cluster. `channels`: the only channels it may be asked about in (empty: every channel)."""

    channels: tuple[str, ...] = ()


class ApprovalRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a proposed change waits for its approval, and how many other people must grant it."""

    expires_minutes: float = 15.0
    quorum: int = 1


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The policy file. `workspace`: the team id whose people may ask."""

    version: Literal[1]
    workspace: str
    clusters: dict[str, Cluster]
    people: dict[str, Person]
    roles: dict[Role, tuple[str, ...]]
    approval: ApprovalRules = ApprovalRules()
    language: Language = "en"

    def name_of(self, slack: str) -> str:
        """The person whose account this is; empty when nobody's."""
        return next((name for name, person in self.people.items() if person.slack == slack), "")

    def has(self, role: Role, name: str) -> bool:
        """Does this person have the role?"""
        return bool(name) and name in self.roles.get(role, ())

    def speaks(self, name: str) -> Language:
        """The language for this person; the workspace's for nobody in particular."""
        person = self.people.get(name)
        return (person.language if person else "") or self.language

    def approvers(self, *, without: str) -> tuple[str, ...]:
        """The accounts of those who may grant what `without` asked for."""
        names = (name for name in self.roles.get("approve", ()) if name != without)
        return tuple(self.people[name].slack for name in names)

    def clusters_in(self, channel: str) -> tuple[str, ...]:
        """The clusters that may be asked about in this channel."""
        return tuple(name for name, one in self.clusters.items() if not one.channels or channel in one.channels)


def read(path: Path) -> Policy:
    """The policy in this file. Raises TypedWrongly with a sentence that names the file and what is wrong in it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise TypedWrongly(f"NETDIAG_POLICY: cannot read {path}: {reason}") from error
    try:
        return parse(text)
    except TypedWrongly as error:
        raise TypedWrongly(f"NETDIAG_POLICY: {path}: {error}") from error


def parse(text: str) -> Policy:
    """The policy in this YAML text. Raises TypedWrongly with what is wrong in it."""
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TypedWrongly(f"this is not YAML: {error}") from error
    if not isinstance(raw, dict):
        raise TypedWrongly("a policy is a YAML mapping that begins with `version: 1`")
    try:
        policy = msgspec.convert({**raw, "clusters": _clusters(raw.get("clusters"))}, Policy)
    except msgspec.ValidationError as error:
        raise TypedWrongly(str(error)) from error
    _check(policy)
    return policy


def _clusters(raw: Any) -> Any:
    if isinstance(raw, list):
        return {str(name): {} for name in raw}
    if isinstance(raw, dict):
        return {name: one or {} for name, one in raw.items()}
    return raw


def _check(policy: Policy) -> None:
    if not policy.clusters:
        raise TypedWrongly("clusters names no cluster")
    if policy.approval.quorum < 1:
        raise TypedWrongly("approval.quorum must be 1 or more: nothing is changed without another person's yes")
    if policy.approval.expires_minutes <= 0:
        raise TypedWrongly("approval.expires_minutes must be more than 0")
    accounts = [person.slack for person in policy.people.values()]
    for account in accounts:
        if not account or accounts.count(account) > 1:
            raise TypedWrongly(f"the account {account or '(empty)'} must belong to exactly one person")
    for role, names in policy.roles.items():
        for name in names:
            if name not in policy.people:
                raise TypedWrongly(f"roles.{role} names {name}, who is not under people")
