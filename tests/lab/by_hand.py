"""What do netdiag's workers say of this lab, and do they heal it? Their own code and roles, without Slack and Redis."""

import asyncio
import secrets
import time

import msgspec

from tests.lab.cluster import Lab
from tests.lab.processes import LabError
from workers import catalogue, change, diagnose, grammar, runs
from workers.collect.bundle import pack
from workers.collect.cluster.api import Api
from workers.collect.look import Looker
from workers.core import sending, wire
from workers.core.finding import Offer
from workers.core.target import Request, Target
from workers.keys import load_keyring, load_signer
from workers.release import RELEASE
from workers.world import LiveWorld

REQUESTER, APPROVER = "alice", "bob"
EXPIRY = 300.0  # seconds that an order holds


class ByHand:
    """netdiag in front of one lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._catalogue = catalogue.load()

    def _world(self, role: str, key: str) -> LiveWorld:
        api = Api.connect(self.lab.kubeconfig(role), role=role)
        signer = load_signer(self.lab.keys_dir / f"{key}-{self.lab.cluster}.key")
        return LiveWorld(api, signer, clock=time.time)

    def _request(self, command: str) -> Request:
        request = grammar.parse(command)
        if request.target is None:
            raise LabError(f"{command!r} asks about nothing in the cluster")
        return msgspec.structs.replace(
            request, target=msgspec.structs.replace(request.target, cluster=self.lab.cluster)
        )

    async def ask(self, command: str) -> wire.RunDone:
        """A whole run, as the look worker does it. Raises LabError when it ends without a report."""
        request = self._request(command)
        task = wire.DiagnoseTask(run=_new_id(), cluster=self.lab.cluster, request=request, asked=time.time())
        done = await runs.run(
            task,
            world=self._world("look", "look"),
            catalogue=self._catalogue,
            worker="lab",
            emit=_no_one,
            now=time.time,
        )
        if isinstance(done, wire.RunAnswer):
            raise LabError(f"{command!r}: {done.reason}: {done.detail} {', '.join(done.choices)}".rstrip())
        return done

    async def record(self, command: str, versions: dict[str, str]) -> tuple[wire.RunDone, bytes]:
        """A run's report and its bundle, with what the offered remedies look at for their plans as well: so that a
        replay can plan them.
        """
        begun = time.time()
        request = self._request(command)
        async with self._world("look", "look").source() as source:
            look = Looker(source, now=time.time)
            target = await diagnose.resolve(request, look)
            request = msgspec.structs.replace(request, target=target)
            said = await diagnose.diagnose(request, look)
            for remedy in self._catalogue.remedies.values():
                for node in self.lab.nodes:
                    await remedy.plan(target, {"node": node}, look)
            bundle = pack(look.recorded(), request=request, target=target, at=begun, release=RELEASE, versions=versions)
        done = wire.RunDone("recorded", time.time(), time.time() - begun, target, said.report, said.checks)
        return done, bundle

    async def plan(self, target: Target, offer: Offer) -> wire.Planned | wire.PlanRefused:
        """The plan of a remedy, tried as a dry run, as the change worker does it."""
        task = wire.PlanTask(_new_id(), _new_id(), self.lab.cluster, target, offer.remedy, offer.args)
        world = self._world("change", "act")
        async with world.source() as source:
            look = Looker(source, now=time.time)
            return await change.plan_remedy(task, look, world.writer, self._catalogue, now=time.time)

    async def carry_out(self, planned: wire.Planned, run: wire.RunDone) -> wire.ChangeEnded:
        """The plan, granted by a second person (signed with the bot's key) and carried out by the change role."""
        signer = load_signer(self.lab.keys_dir / "bot.key")
        order = wire.ChangeTask(
            approval=planned.approval,
            run=run.run,
            cluster=self.lab.cluster,
            plan=planned.plan,
            digest=planned.digest,
            requester=REQUESTER,
            quorum=1,
            expires=time.time() + EXPIRY,
            grants=(),
            findings=run.report.findings,
        )
        grant = sending.grant(signer, order, APPROVER, now=time.time())
        order = msgspec.structs.replace(order, grants=(grant,))
        world = self._world("change", "act")
        async with world.source() as source:
            ended = await change.carry_out(
                order,
                holder=_new_id(),
                fresh_look=lambda: Looker(source, now=time.time),
                writer=world.writer,
                catalogue=self._catalogue,
                recheck=diagnose.recheck,
                bot_keys=load_keyring([self.lab.keys_dir / "bot.pub"]),
                now=time.time,
                sleep=asyncio.sleep,
                emit=_no_one,
            )
        if ended is None:
            raise LabError("another delivery holds the claim of an order that nobody else knows")
        return ended


def _new_id() -> str:
    return secrets.token_hex(8)


async def _no_one(event: wire.Event) -> None:
    """Nobody listens to progress here."""
