"""Which fields of Kubernetes' objects do we read? Only these; all may be missing or null, as real servers send them."""

import datetime as dt

import msgspec


class Object(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """A part of a Kubernetes object: fields that are not named here are skipped while decoding."""


class Owner(Object, frozen=True):
    """One owner reference."""

    kind: str | None = None
    name: str | None = None
    controller: bool | None = None


class Managed(Object, frozen=True):
    """One managedFields entry."""

    time: str | None = None


class Meta(Object, frozen=True):
    """metadata."""

    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[Owner] | None = None
    managed_fields: list[Managed] | None = None

    @property
    def owner(self) -> str:
        """The controller as `kind/name`, or an empty text."""
        return next((f"{one.kind}/{one.name}" for one in self.owner_references or () if one.controller), "")


class Named(Object, frozen=True):
    """Any object, of which only the metadata matters."""

    metadata: Meta = Meta()


class Condition(Object, frozen=True):
    """A status condition."""

    type: str | None = None
    status: str | None = None


def holds(conditions: list[Condition] | None, kind: str) -> bool:
    """Is this condition True?"""
    return any(one.type == kind and one.status == "True" for one in conditions or ())


def seconds(text: str | None) -> float:
    """An RFC 3339 time as Unix seconds; 0.0 when there is none or it cannot be read."""
    try:
        at = dt.datetime.fromisoformat(text or "")
    except ValueError:
        return 0.0
    return at.timestamp() if at.tzinfo else 0.0
