"""May this request be answered, and what exactly does it ask?

Cheap questions come first, and nothing is done for a stranger. A token names the nodes, the probe, the digest of its
arguments and the nonce: what is shown again, altered or shown to another node is worth nothing.
"""

from typing import Annotated, Any

import msgspec
import rfc8785

from workers.agent.callers import CLASSES, Callers
from workers.agent.limits import Nonces
from workers.core import tokens
from workers.core.declare import Probe
from workers.core.errors import NetdiagError, NotTrusted, TryAgain, WrongTime
from workers.core.query import NodeQuery

Nonce = Annotated[str, msgspec.Meta(min_length=16, max_length=64, pattern="^[A-Za-z0-9_-]+$")]
SHOWN = 200  # characters of a wrong value that are repeated


class Refused(NetdiagError):
    """The agent will not answer: an HTTP status, an id, a sentence for people, and for `clock-skew` its own time."""

    def __init__(self, status: int, error: str, detail: str, *, clock: float | None = None) -> None:
        super().__init__(detail[: 2 * SHOWN])
        self.status = status
        self.error = error
        self.clock = clock

    @property
    def body(self) -> bytes:
        """JSON: `{"error", "detail"}`, and `clock`."""
        extra = {} if self.clock is None else {"clock": self.clock}
        return msgspec.json.encode({"error": self.error, "detail": str(self), **extra})


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request's body."""

    nonce: Nonce
    probe: str
    args: dict[str, Any]


class Admitted(msgspec.Struct, frozen=True):
    """A request that will be answered."""

    nonce: str
    tag: str
    probe: Probe
    query: NodeQuery[Any]
    caller: str


class Door:
    """Lets requests to this node in."""

    def __init__(self, node: str, probes: dict[str, Probe], callers: Callers, *, nonces: Nonces | None = None) -> None:
        self._node = node
        self._probes = probes
        self._callers = callers
        self._nonces = nonces or Nonces()

    def admit(self, body: bytes, authorization: str, node_uid: str, *, now: float) -> Admitted:
        """Raises Refused with the first thing that is wrong."""
        asked = _decode(body)
        probe = self._probes.get(asked.probe)
        if probe is None:
            raise Refused(404, "unknown-probe", f"this agent has no probe {asked.probe[:SHOWN]!r}")
        caller, claims = self._claims(authorization, now)
        _check(asked, probe, claims, node_uid)
        query = self._query(asked, probe)
        try:
            fresh = self._nonces.use(asked.nonce, until=claims["exp"] + tokens.LEEWAY, now=now)
        except TryAgain as error:
            raise Refused(503, "busy", str(error)) from error
        if not fresh:
            raise Refused(401, "replayed", "this request was made before")
        return Admitted(nonce=asked.nonce, tag=asked.probe, probe=probe, query=query, caller=caller)

    def _claims(self, authorization: str, now: float) -> tuple[str, dict[str, Any]]:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused(401, "no-token", "the request carries no bearer token")
        try:
            return self._callers.claims(token.strip(), now=now)
        except WrongTime as error:
            raise Refused(401, "clock-skew", str(error), clock=now) from error
        except NotTrusted as error:
            raise Refused(401, "not-trusted", str(error)) from error

    def _query(self, asked: Asked, probe: Probe) -> NodeQuery[Any]:
        names = set(probe.query.__struct_fields__) - {"node"}
        unknown = sorted(set(asked.args) - names)
        if unknown:
            raise Refused(400, "bad-arguments", f"{asked.probe} takes no {unknown[0][:SHOWN]!r}")
        try:
            query: NodeQuery[Any] = msgspec.convert(
                {**asked.args, "query": asked.probe, "node": self._node}, probe.query
            )
        except msgspec.ValidationError as error:
            raise Refused(400, "bad-arguments", f"{asked.probe}: {error}") from error
        return query


def _decode(body: bytes) -> Asked:
    try:
        return msgspec.json.decode(body, type=Asked)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, "bad-request", f"this is not a request: {error}") from error


def _check(asked: Asked, probe: Probe, claims: dict[str, Any], node_uid: str) -> None:
    nodes = claims.get("nodes")
    if not isinstance(nodes, list) or node_uid not in nodes:
        raise Refused(403, "other-node", "the token is for other nodes")
    if claims.get("probe") != asked.probe:
        raise Refused(403, "other-probe", "the token is for another probe")
    if claims.get("nonce") != asked.nonce:
        raise Refused(403, "other-nonce", "the token is for another request")
    try:
        digest = tokens.digest(asked.args)
    except rfc8785.CanonicalizationError as error:
        raise Refused(400, "bad-arguments", f"the arguments have no canonical form: {error}") from error
    if claims.get("digest") != digest:
        raise Refused(403, "other-arguments", "the token is for other arguments")
    if probe.klass not in CLASSES:
        raise Refused(403, "not-allowed", f"a token alone does not allow a probe of class {probe.klass}")
