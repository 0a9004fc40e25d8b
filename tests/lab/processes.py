"""The lab's own processes: started with a log each, ended for sure, and what they said when something went wrong."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path


class LabError(Exception):
    """The lab could not do what was asked of it."""


class EndedError(LabError):
    """A process that has to run has ended; waiting for it is vain."""


class Processes:
    """Processes by name. They do not belong to an event loop: a lab may outlive the loop that started it."""

    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> int:
        """Start `argv` with its output in `<logs>/<name>.log`; its pid."""
        with (self.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True
            )
        self._running[name] = process
        return process.pid

    def check(self) -> None:
        """Raises EndedError when one of them has ended, with its last lines."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise EndedError(f"{name} ended with {process.returncode}:\n{tail(self.logs / f'{name}.log')}")

    def stop(self, name: str, *, grace: float = 3.0) -> None:
        """SIGTERM, and SIGKILL to the whole group after `grace` seconds."""
        process = self._running.pop(name)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop_all(self) -> None:
        """Stop everything, last started first."""
        for name in reversed(list(self._running)):
            self.stop(name)


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""


async def run(*argv: str, env: Mapping[str, str] | None = None, stdin: str | None = None, limit: float = 30) -> str:
    """What a short command prints. Raises LabError with what it complained about."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        env=env,
        stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(stdin.encode() if stdin is not None else None), limit)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise LabError(f"{' '.join(argv)} did not end within {limit:.0f} s") from None
    if process.returncode:
        raise LabError(f"{' '.join(argv)} ended with {process.returncode}: {(err or out).decode().strip()[-2000:]}")
    return out.decode()


async def until(what: str, holds: Callable[[], Awaitable[object]], *, limit: float, every: float = 0.1) -> None:
    """Wait until `holds` answers truly. Raises LabError `what` did not come within `limit` seconds, with the last
    reason.
    """
    loop = asyncio.get_running_loop()
    deadline, reason = loop.time() + limit, ""
    while True:
        try:
            if await holds():
                return
        except EndedError:
            raise
        except (OSError, LabError, TimeoutError) as error:
            reason = f" ({error})"
        if loop.time() > deadline:
            raise LabError(f"{what}: not within {limit:.0f} s{reason}")
        await asyncio.sleep(every)
