"""The API server did not give what was asked: what does that mean, and how is it said to a person?"""

import re

import msgspec

from workers.core.errors import NetdiagError
from workers.core.query import Missing, Reason

# As the API server writes it (apiserver/pkg/endpoints/handlers/responsewriters/errors.go: forbiddenMessage); the
# authorizer's own reason may follow after a colon.
FORBIDDEN = re.compile(
    r'cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]+)")?'
)
UNAUTHORIZED, FORBIDDEN_STATUS, NOT_FOUND, GONE = 401, 403, 404, 410
SLOW = frozenset({408, 504})
SAID_AT_MOST = 500  # characters of a server's sentence that are passed on


class Unanswered(NetdiagError):
    """The API server gave no usable answer.

    missing: as it goes into a bundle. status: the HTTP status, 0 when there was none. cause: the Status object's
    `reason`, such as `AlreadyExists`.
    """

    def __init__(self, missing: Missing, *, status: int = 0, cause: str = "") -> None:
        super().__init__(missing.detail)
        self.missing = missing
        self.status = status
        self.cause = cause


class Status(msgspec.Struct, frozen=True):
    """What the API server sends in place of an object."""

    message: str | None = None
    reason: str | None = None


def refused(status: int, body: bytes, *, role: str, what: str) -> Unanswered:
    """The error for an answer outside 2xx. role: whose credentials asked. what: what was asked for, in words."""
    said = _status(body)
    message = (said.message or body.decode(errors="replace").strip() or f"HTTP status {status}")[:SAID_AT_MOST]
    reason, detail = _meaning(status, message, role=role, what=what)
    return Unanswered(Missing(reason, detail), status=status, cause=said.reason or "")


def _meaning(status: int, message: str, *, role: str, what: str) -> tuple[Reason, str]:
    if status == UNAUTHORIZED:
        return "refused", f"the API server does not accept the credentials of the {role} role: {message}"
    if status == FORBIDDEN_STATUS:
        return "forbidden", _right(message, role)
    if status == NOT_FOUND:
        return "not-found", f"there is no {what}"
    if status in SLOW:
        return "timeout", f"the API server gave up on {what}: {message}"
    return "refused", f"the API server answered {status} for {what}: {message}"


def _right(message: str, role: str) -> str:
    """The right that is missing. A refusal that is not RBAC's (an admission policy's) is passed on as it is."""
    found = FORBIDDEN.search(message)
    if not found:
        return message
    resource = ".".join(part for part in (found["resource"], found["group"]) if part)
    where = f"in namespace {found['namespace']}" if found["namespace"] else "in the whole cluster"
    return f"the {role} role may not {found['verb']} {resource} {where}"


def _status(body: bytes) -> Status:
    try:
        return msgspec.json.decode(body, type=Status)
    except msgspec.DecodeError:
        return Status()
