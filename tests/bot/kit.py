"""What the bot's tests share: a clock that is set by hand, a ledger in a file, and a run with a finding."""

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection

from bot import policy
from bot.access import Caller
from bot.approvals import Approvals
from bot.events import Hearer
from bot.ledger import Ledger, changes, open_ledger, runs
from bot.ledger import audit as trail
from bot.ledger.audit import Scribe
from bot.records import Change, Place, Run
from bot.runs import Asked, Runs
from workers.core import wire
from workers.core.errors import TryAgain
from workers.core.finding import Comparison, Finding, Offer, Report
from workers.core.plan import Outcome, Plan
from workers.core.steps import DeletePod
from workers.core.target import Request, Target
from workers.core.tokens import Keyring, Signer

T = TypeVar("T")
START = 1_764_000_000.0
TARGET = Target("lab", "svc", "checkout", "shop")
OFFER = Offer("restart-kube-proxy", {"node": "node-2"})
FINDING = Finding(
    id="kube-proxy-stale-rules",
    severity="critical",
    confidence="confirmed",
    params={"node": "node-2"},
    scope={"node": "node-2"},
    evidence=("NodePort 30080 is rejected on node-2",),
    command="iptables-save -t nat",
    compare=Comparison(("", "node-1", "node-2"), (("30080", "2 endpoints", "REJECT"),)),
    remedies=(OFFER,),
)
REPORT = Report("broken", (FINDING,))
STEP = DeletePod("kube-system", "kube-proxy-x7", "uid-1", "DaemonSet/kube-proxy", "node-2")
PLAN = Plan("restart-kube-proxy", TARGET, {"node": "node-2"}, (STEP,), ("the rules of node-2",))
HEALED = Outcome("healed", (("30080", "REJECT"),), (("30080", "2 endpoints"),))
POLICY = """
version: 1
workspace: T0SIM
clusters: [lab]
people:
  alice: {slack: U1ALICE}
  bob: {slack: U2BOB, language: zh}
  carol: {slack: U3CAROL}
  dora: {slack: U6DORA}
roles:
  look: [alice, bob, carol]
  approve: [alice, bob, carol]
  audit: [alice, bob]
approval: {expires_minutes: 15, quorum: 1}
"""
ALICE = Caller("alice", "U1ALICE", "en")
BOB = Caller("bob", "U2BOB", "zh")
CAROL = Caller("carol", "U3CAROL", "en")
DORA = Caller("dora", "U6DORA", "en")


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        """What it shows."""
        return self.now


class Slack:
    """What users.info and conversations.info say."""

    def __init__(self) -> None:
        self.users: dict[str, dict[str, Any]] = {
            account: {"id": account, "team_id": "T0SIM"}
            for account in ("U1ALICE", "U2BOB", "U3CAROL", "U6DORA", "U7EVE")
        }
        self.users["U4GUEST"] = {"team_id": "T0SIM", "is_restricted": True}
        self.users["U9OUT"] = {"team_id": "T9OTHER"}
        self.channels: dict[str, dict[str, Any]] = {"C1INC": {}, "C2SHARED": {"is_ext_shared": True}}
        self.away = False
        self.asked = 0

    async def user(self, account: str) -> Mapping[str, Any]:
        """users.info."""
        return self._get(self.users, account)

    async def channel(self, channel: str) -> Mapping[str, Any]:
        """conversations.info."""
        return self._get(self.channels, channel)

    def _get(self, known: Mapping[str, dict[str, Any]], key: str) -> dict[str, Any]:
        self.asked += 1
        if self.away or key not in known:
            raise TryAgain
        return known[key]


class Kit:
    """The bot's inner parts over one ledger: a file, or another database at `url`."""

    def __init__(self, folder: Path, text: str = POLICY, *, url: str = "") -> None:
        self.now = Clock()
        self.policy = policy.parse(text)
        self.signer = Signer(Ed25519PrivateKey.generate())
        self.keys = Keyring([self.signer.public])
        self.path = folder / "ledger.db"
        self.url = url or f"sqlite:///{self.path}"
        self.ledger: Ledger = open_ledger(self.url)
        self.ledger.migrate()
        count = itertools.count(1)
        self.scribe = Scribe(self.signer, now=self.now)
        self.runs = Runs(self.scribe, now=self.now, new_id=lambda kind: f"{kind}-{next(count)}")
        self.approvals = Approvals(
            self.policy, self.signer, self.scribe, now=self.now, new_id=lambda kind: f"{kind}-{next(count)}"
        )
        self.hearer = Hearer(self.runs, self.approvals, now=self.now)

    def write(self, work: Callable[[Connection], T]) -> T:
        """One write transaction."""
        return self.ledger.write_now(work)

    def read(self, work: Callable[[Connection], T]) -> T:
        """One read."""
        return self.ledger.read_now(work)

    def hear(self, *events: wire.Event, cluster: str = "lab") -> None:
        """A worker's words, one after the other."""
        for event in events:
            self.write(lambda connection, event=event: self.hearer.hear(connection, event, cluster))  # type: ignore[misc]

    def ask(self, caller: Caller = ALICE) -> Run:
        """A run that was asked."""
        asked = Asked(caller, "svc shop/checkout", Place("C1INC"), response_url="http://127.0.0.1:1/r")
        return self.write(lambda connection: self.runs.ask(connection, asked, Request("svc", TARGET), "lab"))

    def done(self) -> Run:
        """A run that found the fault."""
        run = self.ask()
        self.hear(wire.RunDone(run.id, self.now(), 1.0, TARGET, REPORT, ()))
        return run

    def proposed(self) -> Change:
        """A change that alice proposed."""
        run = self.done()
        return self.write(
            lambda connection: self.approvals.propose(connection, self._run(connection, run), 0, 0, ALICE)
        )

    def asked(self) -> Change:
        """A change whose plan is on the card."""
        change = self.proposed()
        self.hear(wire.Planned(change.id, self.now(), PLAN, PLAN.digest))
        return self.change(change.id)

    def change(self, change_id: str) -> Change:
        """The change as it is now."""
        found = self.read(lambda connection: changes.get(connection, change_id))
        assert found
        return found

    def events(self) -> list[str]:
        """The names of all audit entries, oldest first."""
        return [entry.body["event"] for entry in self.read(lambda connection: list(trail.entries(connection)))]

    def _run(self, connection: Connection, run: Run) -> Run:
        found = runs.get(connection, run.id)
        assert found
        return found
