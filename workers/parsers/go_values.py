"""How does Go's standard library read a number, a duration, an address? CoreDNS reads its arguments by these.

Each function gives the value, or None where Go gives an error. Sources: the packages strconv, time and net of Go 1.26.
"""

import ipaddress
import re
from fractions import Fraction

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NANOSECOND = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
SECOND = NANOSECOND["s"]
MINUTE = NANOSECOND["m"]
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_BASES = (
    (re.compile(r"0[xX](?:_?[0-9a-fA-F])+", re.ASCII), 16),
    (re.compile(r"0[bB](?:_?[01])+", re.ASCII), 2),
    (re.compile(r"0[oO]?(?:_?[0-7])+", re.ASCII), 8),
    (re.compile(r"0|[1-9](?:_?[0-9])*", re.ASCII), 10),
)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_NAMED = re.compile(r"[+-]?inf(?:inity)?|nan", re.IGNORECASE | re.ASCII)
_HEX = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+", re.ASCII)
_LARGEST_FLOAT32 = (2 - 2**-24) * 2**127  # what lies above is rounded to infinity, which is a range error
_TRUTH = {"1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"}
_LARGEST_MASK = 0xFFFFFF  # Go's dtoi gives up there


def atoi(text: str) -> int | None:
    """strconv.Atoi: a decimal number of 64 bits, with a sign or without."""
    if not re.fullmatch(r"[+-]?[0-9]+", text, re.ASCII):
        return None
    value = int(text)
    return value if -(2**63) <= value < 2**63 else None


def parse_uint(text: str, bits: int, base: int = 10) -> int | None:
    """strconv.ParseUint with base 10, or with base 0, where the prefix decides and `_` may stand between digits."""
    if base:
        value = int(text) if re.fullmatch(r"[0-9]+", text, re.ASCII) else None
    else:
        found = [(digits, number) for digits, number in _BASES if digits.fullmatch(text)]
        value = _digits(text, found[0][1]) if found else None
    return value if value is not None and value < 2**bits else None


def _digits(text: str, base: int) -> int:
    bare = text.replace("_", "")
    return int(bare[1:] or "0", 8) if base == 8 and bare[1:2].isdigit() else int(bare, base)  # noqa: PLR2004 -- octal


def float32(text: str) -> float | None:
    """strconv.ParseFloat with 32 bits: what does not fit is an error."""
    if _NAMED.fullmatch(text):
        return float(text)
    value = float(text) if _DECIMAL.fullmatch(text) else float.fromhex(text) if _HEX.fullmatch(text) else None
    return value if value is not None and abs(value) < _LARGEST_FLOAT32 else None


def parse_float(text: str) -> float | None:
    """strconv.ParseFloat with 64 bits."""
    if _NAMED.fullmatch(text):
        return float(text)
    value = float(text) if _DECIMAL.fullmatch(text) else None
    return value if value is not None and abs(value) != float("inf") else None


def is_bool(text: str) -> bool:
    """Does strconv.ParseBool take it?"""
    return text in _TRUTH


def duration(text: str) -> int | None:
    """time.ParseDuration, in nanoseconds: `1h15m30.9s`; a bare number other than 0 is an error."""
    sign, bare = (text[:1], text[1:]) if text[:1] in {"+", "-"} else ("", text)
    if bare == "0":
        return 0
    parts = list(_PART.finditer(bare))
    if not parts or "".join(part[0] for part in parts) != bare:
        return None
    # Go cuts each part to whole nanoseconds before it adds them.
    value = sum(int(_fraction(part[1]) * NANOSECOND[part[2]]) for part in parts)
    if value > 2**63 - (sign != "-"):
        return None
    return -value if sign == "-" else value


def _fraction(number: str) -> Fraction:
    whole, _, rest = number.partition(".")
    return Fraction(int(whole or "0")) + (Fraction(int(rest), 10 ** len(rest)) if rest else 0)


def ip(text: str) -> Address | None:
    """net.ParseIP: an address without zone; a leading zero in a part of four is an error."""
    try:
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


def cidr(text: str) -> Network | None:
    """net.ParseCIDR: the network, host bits cleared."""
    address, slash, mask = text.partition("/")
    found = ip(address)
    if found is None or not slash or not re.fullmatch(r"[0-9]+", mask, re.ASCII):
        return None
    if int(mask) >= _LARGEST_MASK or int(mask) > found.max_prefixlen:
        return None
    return ipaddress.ip_network((found, int(mask)), strict=False)


def split_host_port(text: str) -> tuple[str, str] | None:
    """net.SplitHostPort: the last colon parts them; an address with colons stands in brackets."""
    colon = text.rfind(":")
    if colon < 0:
        return None
    if text.startswith("["):
        end = text.find("]")
        if end < 0 or end + 1 != colon:
            return None
        host, opens, closes = text[1:end], text.find("[", 1), text.find("]", end + 1)
        return None if opens >= 0 or closes >= 0 else (host, text[colon + 1 :])
    host = text[:colon]
    if ":" in host or "[" in text or "]" in text:
        return None
    return host, text[colon + 1 :]
