"""What must never enter a bundle, a message or a log: secrets that happen to stand in what was seen.

Redaction is at collection, so that nothing behind the door ever holds them.
"""

import re
from typing import Any

import msgspec

from workers.core.query import Query, Seen, T

GONE = "[redacted]"
NAMES = r"(?:[\w.-]*(?:password|passwd|secret|token|api[_-]?key)|client-key-data)"
# After a colon there must be a space or a quotation mark: `shop/auth-token:http` is a Service's port in the comment of
# a rule, and must be told apart from a secret. A flag's value follows after a space.
BETWEEN = r"""(?:["']?(?:\s*=\s*|:\s+|:(?=["'])))"""
VALUE = r"""(?:"[^"]*"|'[^']*'|[^\s,;&"'}]+)"""
SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    # The end of a key may be missing: a text that was cut.
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), GONE),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), GONE),  # a JSON Web Token, such as a service account's
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {GONE}"),
    (re.compile(r"(?i)(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"), GONE),  # user:password in a URL
    (re.compile(rf"(?i)(\b{NAMES}{BETWEEN}){VALUE}"), rf"\1{GONE}"),
    (re.compile(rf"(?i)(--{NAMES}\s+){VALUE}"), rf"\1{GONE}"),
)


def redacted(query: Query[T], seen: Seen[T]) -> Seen[T]:
    """The same answer, without secrets in any of its strings."""
    missing = seen.missing
    if missing and (detail := clean(missing.detail)) != missing.detail:
        seen = msgspec.structs.replace(seen, missing=msgspec.structs.replace(missing, detail=detail))
    if seen.value is None:
        return seen
    plain = msgspec.to_builtins(seen.value)
    cleaned = _walk(plain)
    if cleaned == plain:
        return seen
    return msgspec.structs.replace(seen, value=msgspec.convert(cleaned, type=type(query).answer))


def clean(text: str) -> str:
    """A text without the secrets that we know by their shape."""
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text


def _walk(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: _walk(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_walk(one) for one in value]
    return value
