"""A DNS answer is read by the letter of RFC 1035."""

import struct

import pytest

from tests.lab import lookup

QUESTION = b"\7example\3com\0" + struct.pack("!2H", 1, 1)


def _answer(code: int, *records: bytes) -> bytes:
    return struct.pack("!6H", 7, 0x8180 | code, 1, len(records), 0, 0) + QUESTION + b"".join(records)


def _record(kind: int, data: bytes, name: bytes = b"\xc0\x0c") -> bytes:
    return name + struct.pack("!2HIH", kind, 1, 30, len(data)) + data


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_answer(0, _record(1, b"\x0a\x60\x00\x01")), "10.96.0.1"),
        (_answer(0, _record(5, b"\1a\xc0\x0c"), _record(1, b"\x0a\x60\x00\x02", b"\1a\xc0\x0c")), "10.96.0.2"),
        (_answer(0, _record(1, b"\x0a\x60\x00\x03", b"\1b\0")), "10.96.0.3"),
        (_answer(0), "NOERROR"),
        (_answer(3), "NXDOMAIN"),
        (_answer(2), "SERVFAIL"),
        (_answer(9), "9"),
    ],
)
def test_the_first_address_or_the_code(answer: bytes, said: str) -> None:
    """Aliases before the address are passed over, whether names are written out or pointed to."""
    assert lookup.read(answer, 12 + len(QUESTION)) == said
