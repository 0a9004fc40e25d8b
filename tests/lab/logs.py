"""A container's log: written in the format of the CRI, `TIME stdout F TEXT`, and read as `kubectl logs` asks."""

import asyncio
import dataclasses
import datetime as dt
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path

from tests.lab import clock

CHUNK = 1 << 16
LONGEST_LINE = 1 << 20  # bytes; more than that without an end of line is cut
FOLLOW_EVERY = 0.2  # seconds


class LogPipe:
    """Takes what a process says to `writer`, a file descriptor, and writes it to `path` with times."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._read, self.writer = os.pipe()
        self._rest = b""
        os.set_blocking(self._read, False)
        asyncio.get_running_loop().add_reader(self._read, self._take)

    def started(self) -> None:
        """The process has its own copy of `writer`: close ours, so that its end is ours."""
        os.close(self.writer)

    def _take(self) -> bool:
        """Read once; was there anything?"""
        try:
            data = os.read(self._read, CHUNK)
        except BlockingIOError:
            return False
        if not data:  # every writer has ended; `close` follows
            asyncio.get_running_loop().remove_reader(self._read)
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            lines, self._rest = [*lines, self._rest], b""
        self._write(lines)
        return True

    def _write(self, lines: list[bytes]) -> None:
        head = f"{clock.fine_stamp()} stdout F ".encode()
        self._file.write(b"".join(head + line + b"\n" for line in lines))

    def close(self) -> None:
        """Write what is left. What processes that live on say afterwards is lost."""
        for _ in range(1000):  # a pipe holds no more, and a child that writes for ever must not hold us
            if not self._take():
                break
        if self._rest:
            self._write([self._rest])
        asyncio.get_running_loop().remove_reader(self._read)
        os.close(self._read)
        self._file.close()


@dataclasses.dataclass(frozen=True)
class Query:
    """What `kubectl logs` asks for. tail: lines; since: none that are older; limit: bytes."""

    tail: int | None = None
    since: dt.datetime | None = None
    limit: int | None = None
    timestamps: bool = False
    previous: bool = False
    follow: bool = False


def parse(query: Mapping[str, str], now: dt.datetime) -> Query:
    """The query of a kubelet's `/containerLogs`. Raises ValueError for a number or time that is none."""
    since = clock.parse(query["sinceTime"]) if "sinceTime" in query else None
    if "sinceSeconds" in query:
        since = now - dt.timedelta(seconds=int(query["sinceSeconds"]))
    return Query(
        int(query["tailLines"]) if "tailLines" in query else None,
        since,
        int(query["limitBytes"]) if "limitBytes" in query else None,
        **{name: query.get(name) == "true" for name in ("timestamps", "previous", "follow")},
    )


def select(lines: Iterable[bytes], query: Query) -> bytes:
    """The text that answers, of a log's lines."""
    chosen = [line for line in lines if query.since is None or _time(line) >= query.since]
    if query.tail is not None:
        chosen = chosen[-query.tail :] if query.tail else []
    return b"".join(_shown(line, query) for line in chosen)[: query.limit]


def _time(line: bytes) -> dt.datetime:
    return clock.parse(line.partition(b" ")[0].decode())


def _shown(line: bytes, query: Query) -> bytes:
    time, _, _, text = line.split(b" ", 3)
    return (time + b" " + text if query.timestamps else text) + b"\n"


async def read(path: Path, query: Query, ended: Callable[[], bool]) -> AsyncIterator[bytes]:
    """What the log says; with `follow`, what it will say, too, until the container has ended."""
    with path.open("rb") as file:
        *lines, rest = file.read().split(b"\n")
        yield select(lines, query)
        more = dataclasses.replace(query, tail=None, since=None, limit=None)
        over = not query.follow
        while not over:
            over = ended()  # asked before reading, so that its last words are read
            *lines, rest = (rest + file.read()).split(b"\n")
            if lines:
                yield select(lines, more)
            else:
                await asyncio.sleep(FOLLOW_EVERY)
