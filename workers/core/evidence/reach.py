"""Can this node open a connection there?"""

from typing import Literal

import msgspec

from workers.core.query import NodeQuery, Query

State = Literal["open", "refused", "timeout", "unreachable", "error"]


class Reached(msgspec.Struct, frozen=True, omit_defaults=True):
    """One TCP connection's fate.

    `refused`: RST or ICMP port unreachable. `unreachable`: no route, ICMP host or net unreachable. errno 0 when
    none.
    """

    host: str
    port: int
    state: State
    took: float = 0.0
    errno: int = 0
    source: str = ""


class Connect(NodeQuery[Reached], frozen=True, tag="connect"):
    """Open (and close at once) a TCP connection from `node`'s own network to host:port: an address of the cluster."""

    answer = Reached

    host: str
    port: int
    timeout: float = 2.0


class ApiAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The way to one API server address: the connection, then TLS, then an HTTP status of any kind (401 proves the
    way as well as 200 does).
    """

    address: str
    tcp: State
    tls: bool = False
    status: int = 0
    took: float = 0.0
    detail: str = ""


class ApiAnswers(msgspec.Struct, frozen=True):
    """One answer per address asked."""

    answers: tuple[ApiAnswer, ...]


class ApiReach(NodeQuery[ApiAnswers], frozen=True, tag="api-reach"):
    """Does `node` reach the API server? addresses: `ip:port`; kube-proxy's own kubeconfig server on that node is
    always asked as well, first.
    """

    answer = ApiAnswers

    addresses: tuple[str, ...] = ()


class ApiEndpointList(msgspec.Struct, frozen=True):
    """The API servers' own addresses as `ip:port`."""

    addresses: tuple[str, ...]


class ApiEndpoints(Query[ApiEndpointList], frozen=True, tag="api-endpoints"):
    """Where the API servers listen: the endpoints of `default/kubernetes`."""

    answer = ApiEndpointList
