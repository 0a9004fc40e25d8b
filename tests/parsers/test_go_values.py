"""Numbers, durations and addresses are read as Go reads them; the values were tried with Go 1.26."""

import ipaddress

import pytest

from workers.parsers import go_values


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("+5", 5), ("-0", 0), ("007", 7), ("9223372036854775807", 2**63 - 1)]
    + [(bad, None) for bad in ("9223372036854775808", "", "1_0", "0x1", "1.0", " 1", "+", "١")],
)  # fmt: skip
def test_atoi(text: str, value: int | None) -> None:
    """Decimal, 64 bits, one sign."""
    assert go_values.atoi(text) == value


@pytest.mark.parametrize(
    ("text", "base", "value"),
    [
        ("10", 10, 10), ("+1", 10, None), ("-1", 10, None), ("65536", 10, None), ("0x_ff", 0, 255), ("0b11", 0, 3),
        ("017", 0, 15), ("0o17", 0, 15), ("1_0", 0, 10), ("_1", 0, None), ("1__0", 0, None), ("08", 0, None),
        ("0", 0, 0),
    ],
)  # fmt: skip
def test_parse_uint(text: str, base: int, value: int | None) -> None:
    """No sign; base 0 knows prefixes and underscores."""
    assert go_values.parse_uint(text, 16, base) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("-0", 0), ("1h1m", 3_660_000_000_000), ("1.5s", 1_500_000_000), (".5s", 500_000_000), ("1.s", 10**9)]
    + [("-2ms", -2_000_000), ("1µs", 1000), ("2562047h47m16.854775807s", 2**63 - 1), ("2562047h47m16.854775808s", None)]
    + [(bad, None) for bad in ("", "10", "1d", ".s", "s", "1s ", "10%", "--1s", "1 s")],
)  # fmt: skip
def test_duration(text: str, value: int | None) -> None:
    """Units are needed, except for zero."""
    assert go_values.duration(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.1.1.1:53", ("1.1.1.1", "53")), ("[::1]:53", ("::1", "53")), (":", ("", "")), ("a:", ("a", ""))]
    + [(bad, None) for bad in ("a", "::1", "[::1]", "[::1", "a:b:c", "[a]b:1", "[[a]]:1", "a]:1", "[a:1")],
)  # fmt: skip
def test_split_host_port(text: str, value: tuple[str, str] | None) -> None:
    """Addresses with colons stand in brackets."""
    assert go_values.split_host_port(text) == value


def test_addresses() -> None:
    """No leading zeros, no zones; a network's host bits are cleared."""
    assert go_values.ip("01.1.1.1") is None
    assert go_values.ip("fe80::1%eth0") is None
    assert go_values.cidr("10.0.0.9/8") == ipaddress.ip_network("10.0.0.0/8")
    assert [go_values.cidr(bad) for bad in ("10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "x/8", "1.1.1.1/+8")] == [None] * 5


def test_floats() -> None:
    """32 bits end earlier than 64; infinity has a name; an underscore is an error."""
    assert go_values.float32("1e39") is None
    assert go_values.parse_float("1e39") == 1e39
    assert go_values.float32("-inf") == float("-inf")
    assert go_values.float32("0x1p3") == 8
    assert [go_values.parse_float(bad) for bad in ("", "1_0", "x", "1e400")] == [None] * 4
    assert go_values.is_bool("T")
    assert not go_values.is_bool("yes")
