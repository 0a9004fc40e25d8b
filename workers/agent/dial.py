"""What becomes of one TCP connection from this node, and where may one go at all?"""

import asyncio
import errno
import ipaddress
import socket
import time

from workers.agent.host import ProbeFailed
from workers.core.evidence.reach import Reached, State

STATES: dict[int, State] = {
    errno.ECONNREFUSED: "refused",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.ENETDOWN: "unreachable",
    errno.EHOSTDOWN: "unreachable",
    errno.EACCES: "unreachable",  # a `prohibit` route
    errno.EPERM: "unreachable",  # dropped by this node's own OUTPUT rules
    errno.EINVAL: "unreachable",  # a `blackhole` route
}
METADATA = (  # cloud metadata services that are not on link-local addresses
    ipaddress.ip_network("fd00:ec2::254/128"),
    ipaddress.ip_network("fd20:ce::254/128"),
    ipaddress.ip_network("100.100.100.200/32"),
    ipaddress.ip_network("168.63.129.16/32"),
    ipaddress.ip_network("192.0.0.192/32"),
)


def destination(host: str, port: int, *, loopback: bool = False) -> str:
    """The address in its usual form, if traffic may be sent there. Raises ProbeFailed with the reason if not.

    loopback: allowed for what the node's own files name, never for what a caller names.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError as error:
        raise ProbeFailed(f"{host[:100]!r} is not an IP address") from error
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped  # the kernel would go to that IPv4 address
    if not 0 < port < 65536:  # noqa: PLR2004 - what a port can be
        raise ProbeFailed(f"{port} is not a port")
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id:
        raise ProbeFailed(f"{host} is link-local")
    kind = _kind(address)
    if kind and not (loopback and kind == "loopback"):
        raise ProbeFailed(f"{address} is {kind}: probes do not go there")
    return str(address)


def _kind(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    kinds = {
        "loopback": address.is_loopback,
        "link-local": address.is_link_local,  # 169.254.0.0/16 holds most clouds' metadata services
        "multicast": address.is_multicast,
        "unspecified": address.is_unspecified or address in ipaddress.ip_network("0.0.0.0/8"),
        "reserved": address.is_reserved,  # the broadcast address is among them
        "a metadata service": any(address in network for network in METADATA),
    }
    return next((kind for kind, so in kinds.items() if so), "")


async def dial(address: str, port: int, timeout: float) -> tuple[Reached, socket.socket | None]:  # noqa: ASYNC109 - in the answer
    """Open one TCP connection; the socket is the caller's to close. It is tried once: a REJECT rule's answers are
    rate-limited by the kernel, and a burst would look like a timeout.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    begun = time.monotonic()
    number, source = 0, ""
    state: State = "open"
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        async with asyncio.timeout(timeout):
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
        source = str(sock.getsockname()[0])
    except TimeoutError as error:
        number = error.errno or 0  # the kernel's own timeout has a number, ours has none
        state = "timeout"
    except OSError as error:
        number = error.errno or 0
        state = STATES.get(number, "error")
    except BaseException:
        sock.close()
        raise
    took = round(time.monotonic() - begun, 6)
    reached = Reached(host=address, port=port, state=state, took=took, errno=number, source=source)
    if state != "open":
        sock.close()
    return reached, sock if state == "open" else None
