"""Where are the node's files and programs?

A probe gets the node as a value, so that a test can give it another /proc or other programs. The network namespace
is simply the one this process runs in.
"""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from workers.core.errors import NetdiagError

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
KEPT_OF_STDERR = 2000  # bytes
BLOCK = 1 << 16  # bytes read at once


class ProbeFailed(NetdiagError):
    """The probe could not look; the message is a sentence part that says why."""


class Host(msgspec.Struct, frozen=True):
    """The node. proc: its /proc, with the pids of all its processes. path: where its programs are."""

    proc: Path = Path("/proc")
    path: str = SYSTEM_PATH

    def tool(self, name: str) -> str | None:
        """The program's full path, or None when it is not installed."""
        return shutil.which(name, path=self.path)


async def stream(argv: Sequence[str], feed: Callable[[bytes], None], *, path: str, most: int) -> None:
    """Run a program and feed its output in blocks, so that no more than a block is ever held here.

    Raises ProbeFailed when it fails, or prints more than `most` bytes. It is killed when this coroutine is cancelled.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": path, "LC_ALL": "C"},
    )
    name = Path(argv[0]).name
    if process.stdout is None or process.stderr is None:
        raise ProbeFailed(f"{name} has no output")
    # Not a TaskGroup: before Python 3.11.4 a timeout around it ends as a cancellation.
    beginning = asyncio.ensure_future(_beginning(process.stderr))
    try:
        await _pump(process.stdout, feed, name, most)
        code = await process.wait()
        said = await beginning
    finally:
        beginning.cancel()
        if process.returncode is None:
            process.kill()
            await process.communicate()  # `wait` alone never returns while a pipe has something left in it
    if code:
        detail = " ".join(said.decode("utf-8", "replace").split())
        raise ProbeFailed(f"{name} ended with code {code}: {detail or 'it said nothing'}")


async def _pump(source: asyncio.StreamReader, feed: Callable[[bytes], None], name: str, most: int) -> None:
    seen = 0
    while block := await source.read(BLOCK):
        seen += len(block)
        if seen > most:
            raise ProbeFailed(f"{name} printed more than {most >> 20} MiB")
        feed(block)


async def _beginning(source: asyncio.StreamReader) -> bytes:
    kept = b""
    while block := await source.read(BLOCK):  # to the end, so that the program never waits for us
        kept += block[: KEPT_OF_STDERR - len(kept)]
    return kept
