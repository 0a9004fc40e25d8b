"""What does a DNS server answer to a machine of the lab? Asked with one packet, as a resolver does (RFC 1035)."""

import asyncio
import secrets
import socket
import struct

from tests.lab import probes

QUERY = struct.Struct("!6H")
TYPE_A, CLASS_IN = 1, 1
RECURSION = 0x0100
RCODES = {0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}


async def ask(namespace: str, name: str, server: str, *, limit: float = 2.0) -> str:
    """An IPv4 address of `name`, or how it was refused (`NXDOMAIN`, `NOERROR` without an address, ...), or `timeout`.

    Asked once, from the network of that name. Raises OSError when the packet cannot be sent or is refused.
    """
    # A thread of its own, ended at once: one that stayed would keep the network of a deleted pod alive.
    with probes.executor(namespace) as threads:
        return await asyncio.get_running_loop().run_in_executor(threads, _ask, name, server, limit)


def _ask(name: str, server: str, limit: float) -> str:
    number = secrets.randbelow(1 << 16)
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    question = labels + b"\0" + struct.pack("!2H", TYPE_A, CLASS_IN)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(limit)
        sock.connect((server, 53))
        sock.send(QUERY.pack(number, RECURSION, 1, 0, 0, 0) + question)
        try:
            answer = sock.recv(4096)
        except TimeoutError:
            return "timeout"
    return read(answer, QUERY.size + len(question))


def read(answer: bytes, offset: int) -> str:
    """The first address in an answer whose records begin at `offset`; else its code in words."""
    _, flags, _, count, _, _ = QUERY.unpack_from(answer)
    for _ in range(count):
        offset = _after_name(answer, offset)
        kind, _, _, length = struct.unpack_from("!2HIH", answer, offset)
        offset += 10 + length
        if kind == TYPE_A:
            return socket.inet_ntoa(answer[offset - length : offset])
    code = flags & 0xF
    return RCODES.get(code, str(code))


def _after_name(answer: bytes, offset: int) -> int:
    """Names are labels until an empty one, or until a pointer, which has two bytes with both high bits set."""
    while answer[offset]:
        if answer[offset] >= 0xC0:
            return offset + 2
        offset += 1 + answer[offset]
    return offset + 1
