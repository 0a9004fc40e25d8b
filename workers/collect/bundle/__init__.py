"""A bundle: everything that a run saw, in one file, from which the same run can be analysed again.

The file is gzip over JSON, so that it can be read without netdiag:
`{"schema":"netdiag.bundle/1","request":..,"target":..,"at":..,"release":..,"versions":{..},"seen":[{"query":..,"nth":1,"seen":..}]}`
"""

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from workers.collect.look import Recorded
from workers.core.errors import NetdiagError
from workers.core.query import Missing, NodeQuery, Query, Seen, T
from workers.core.target import Request, Target

SCHEMA = "netdiag.bundle/1"
LARGEST = 64 * 1024 * 1024  # bytes of JSON; a run's evidence is slices, so more than this is not a bundle of ours
GZIP = 16 + zlib.MAX_WBITS  # zlib's way to say: with gzip's header and checksum


class BadBundle(NetdiagError):
    """This is not a bundle that this release can read; the message says why."""


class Bundle(msgspec.Struct, frozen=True):
    """A run's evidence. at: Unix time of the recording. versions: of what was looked at, such as `kubernetes`."""

    request: Request
    target: Target | None
    at: float
    release: str
    versions: dict[str, str]
    seen: tuple[Recorded, ...]


class _File(msgspec.Struct, frozen=True):
    schema: str
    request: Request
    at: float
    target: Target | None = None
    release: str = ""
    versions: dict[str, str] = {}
    seen: tuple[dict[str, Any], ...] = ()


def pack(
    recorded: Iterable[Recorded],
    *,
    request: Request,
    target: Target | None,
    at: float,
    release: str,
    versions: Mapping[str, str] | None = None,
) -> bytes:
    """The bytes of a bundle file; the same looks give the same bytes."""
    looks = [{"query": msgspec.to_builtins(one.query), "nth": one.nth, "seen": one.seen} for one in recorded]
    file = {
        "schema": SCHEMA,
        "request": request,
        "target": target,
        "at": at,
        "release": release,
        "versions": dict(versions or {}),
        "seen": looks,
    }
    packer = zlib.compressobj(level=6, wbits=GZIP)
    return packer.compress(msgspec.json.encode(file)) + packer.flush()


def unpack(data: bytes, queries: Mapping[str, type[Query[Any]]]) -> Bundle:
    """The bundle in `data`. queries: tag -> type, as the catalogue knows them; a look that it does not know is skipped.

    Raises BadBundle.
    """
    try:
        file = msgspec.json.decode(_unzip(data), type=_File)
    except msgspec.DecodeError as error:
        raise BadBundle(f"This is not a netdiag bundle: {error}.") from error
    if file.schema != SCHEMA:
        raise BadBundle(f"This bundle has the form {file.schema!r}; this release reads {SCHEMA!r}.")
    looks = tuple(look for one in file.seen if (look := _look(one, queries)))
    return Bundle(file.request, file.target, file.at, file.release, file.versions, looks)


def _unzip(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=GZIP)
    try:
        text = unpacker.decompress(data, LARGEST)
    except zlib.error as error:
        raise BadBundle("This is not a netdiag bundle: it is not compressed with gzip.") from error
    if not unpacker.eof:
        raise BadBundle("This bundle is cut off, or larger than any that netdiag writes.")
    return text


def _look(one: dict[str, Any], queries: Mapping[str, type[Query[Any]]]) -> Recorded | None:
    try:
        kind = queries.get(one["query"]["query"])
        if kind is None:
            return None
        query = msgspec.convert(one["query"], type=kind)
        seen = msgspec.convert(one["seen"], type=Seen[kind.answer])  # type: ignore[name-defined]  # a type at run time
        return Recorded(query, int(one["nth"]), seen)
    except (KeyError, TypeError, ValueError) as error:
        raise BadBundle(f"A look in this bundle cannot be read: {error}.") from error


class BundleSource:
    """A source that answers from a bundle: the first time a query comes with its first look, then with its second.

    After the last recorded look it begins again: the next run over the same evidence sees the same.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._seen = {(one.query, one.nth): one.seen for one in bundle.seen}
        self._looks = Counter(query for query, _ in self._seen)
        self._times: Counter[Query[Any]] = Counter()

    async def fetch(self, query: Query[T]) -> Seen[T]:
        """What was seen then, or `not-recorded`."""
        nth = 1 + self._times[query] % max(self._looks[query], 1)
        self._times[query] += 1
        seen = self._seen.get((query, nth))
        if seen is not None:
            return cast("Seen[T]", seen)
        node = query.node if isinstance(query, NodeQuery) else ""
        return Seen(missing=Missing("not-recorded", "this bundle does not hold that look"), node=node)
