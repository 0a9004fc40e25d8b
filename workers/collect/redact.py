"""What must never enter a bundle, a message or a log: secrets that happen to stand in what was seen.

Redaction is at collection, so that nothing behind the door ever holds them.
"""

import re
from typing import Any

import msgspec

from workers.core.query import Query, Seen, T

GONE = "[redacted]"
SECRETS = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"),  # a JSON Web Token, such as a service account's
    re.compile(r"(?i)(?<=bearer )[\w.~+/=-]{8,}"),
    re.compile(r"(?i)(?<=basic )[a-z0-9+/=]{8,}"),
    re.compile(r"(?i)(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),  # user:password in a URL
    re.compile(
        r"(?i)(?<![\w-])(?:(?:[\w-]*(?:password|passwd|secret|token|api[_-]?key))|client-key-data)[\"']?\s*[=:]\s*[\"']?"
        r"(?P<value>[^\s\"',;&]{4,})"
    ),
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
    for pattern in SECRETS:
        text = pattern.sub(_hide, text)
    return text


def _hide(found: re.Match[str]) -> str:
    if "value" not in found.re.groupindex:
        return GONE
    return found[0].replace(found["value"], GONE)


def _walk(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: _walk(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_walk(one) for one in value]
    return value
