"""What does a press, a worker's word or the clock do to a proposed change?

Over the machine of `workers.core.approval`: each transition is one SQL transaction that also writes the audit entry
and puts into the outbox what has to be said and sent. The functions take that transaction. Whether the presser is who
they say, and in which channel, was decided before (`bot.access`).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from bot.access import Caller
from bot.ledger import changes, outbox, presence
from bot.ledger.audit import NETDIAG, Scribe
from bot.ledger.outbox import Order
from bot.policy import Policy
from bot.records import AuditRef, Change, Message, Run
from workers.core import sending, wire
from workers.core.approval import TRANSITIONS, Approval, Event, State
from workers.core.errors import NotAllowed
from workers.core.finding import Finding, Offer
from workers.core.tokens import Signer, digest

GRACE = 90.0  # seconds after a granted change's expiry within which the change worker may still answer
SILENT = 300.0  # seconds without a word of a change that was started
NOTICED = 2.0  # seconds after which a card says what it waits for
PRESSED = {Event.APPROVE: "granted", Event.DENY: "denied", Event.WITHDRAW: "withdrawn"}
ENTRIES = {
    Event.PLANNED: "asked",
    Event.REFUSE: "plan-refused",
    Event.EXPIRE: "expired",
    Event.START: "started",
    Event.APPLIED: "applied",
    **PRESSED,
}


class Move(NamedTuple):
    """One step of the machine: what happened, by whom, and what a person should read of it in the audit."""

    event: Event
    actor: str = NETDIAG
    data: dict[str, Any] = {}  # noqa: RUF012 - a default that is only read


class Approvals:
    """The life of proposed changes. `now`: the wall clock; `new_id`: a fresh id with this prefix."""

    def __init__(
        self,
        policy: Policy,
        signer: Signer,
        scribe: Scribe,
        *,
        now: Callable[[], float],
        new_id: Callable[[str], str],
    ) -> None:
        self._policy = policy
        self._signer = signer
        self._scribe = scribe
        self._now = now
        self._new_id = new_id

    # What people do

    def propose(self, connection: Connection, run: Run, finding: int, offer: int, caller: Caller) -> Change:
        """Ask the change worker for a plan. Raises NotAllowed: `no-offer`, `already-open`, `target-busy`."""
        proven, offered = _offered(run, finding, offer)
        change = self._new(run, proven, offered, caller)
        if there := changes.holding(connection, change.lock):
            same = there.offer.remedy == offered.remedy
            raise NotAllowed("already-open" if same else "target-busy", there.id)
        changes.add(connection, change)
        data = {"run": run.id, "remedy": offered.remedy, "args": offered.args, "finding": proven.id}
        ref = self._scribe.write(
            connection, "proposed", actor=caller.name, subject=change.id, cluster=run.cluster, data=data
        )
        changes.save(connection, change, msgspec.structs.replace(change, entry=ref))
        task = wire.PlanTask(change.id, run.id, run.cluster, change.target, offered.remedy, offered.args)
        self._send(connection, task, until=change.approval.expires)
        key = f"approval:{change.id}"
        outbox.add_message(connection, Message(key, run.place.channel, run.place.thread, f"run:{run.id}", "", ""))
        outbox.redraw(connection, key, now=self._now())
        return change

    def decide(self, connection: Connection, change_id: str, pressed: str, event: Event, caller: Caller) -> Change:
        """Approve, deny or withdraw what the button with the digest `pressed` showed.

        Raises NotAllowed with the machine's reason, or `no-such-change`, `no-role-approve`, `other-digest`.
        """
        change = changes.get(connection, change_id)
        if change is None:
            raise NotAllowed("no-such-change")
        after = change.approval.step(event, by=caller.name, now=self._now())
        if event is not Event.WITHDRAW and not self._policy.has("approve", caller.name):
            raise NotAllowed("no-role-approve")
        if pressed != change.digest:
            raise NotAllowed("other-digest")
        data: dict[str, Any] = {"remedy": change.offer.remedy, "digest": change.digest, "account": caller.slack}
        if event is Event.APPROVE:
            # Signed at the press, over exactly what this person saw.
            token = sending.grant(self._signer, self._order(change), caller.name, now=self._now())
            changes.grant(connection, change.id, caller.name, token, at=self._now())
            data["granted"] = f"{len(after.granted_by)} of {after.quorum}"
        change = self._move(connection, change, Move(event, caller.name, data))
        if change.approval.state is State.GRANTED:
            order = self._order(change, changes.grants(connection, change.id))
            self._send(connection, order, until=change.approval.expires)
        elif change.approval.ended:
            outbox.drop(connection, "task", f"plan-{change.id}")
        return change

    # What the change worker says

    def planned(self, connection: Connection, event: wire.Planned) -> None:
        """There is a plan, tried as a dry run: put it on the card, and ask."""
        change = changes.get(connection, event.approval)
        if change is None or change.approval.state is not State.PLANNING:
            return
        outbox.drop(connection, "task", f"plan-{change.id}")
        if event.plan.digest != event.digest or event.plan.remedy != change.offer.remedy:
            self._refuse(connection, change, detail="the plan that came back is not the one that was asked for")
            return
        approval = msgspec.structs.replace(change.approval, expires=self._expiry())
        data = {"digest": event.digest, "steps": msgspec.to_builtins(event.plan.steps), "expires": approval.expires}
        asked = msgspec.structs.replace(change, approval=approval, plan=event.plan, digest=event.digest)
        self._move(connection, asked, Move(Event.PLANNED, NETDIAG, data))

    def plan_refused(self, connection: Connection, event: wire.PlanRefused) -> None:
        """There is no plan, and a reason."""
        change = changes.get(connection, event.approval)
        if change is None or change.approval.state is not State.PLANNING:
            return
        outbox.drop(connection, "task", f"plan-{change.id}")
        self._refuse(connection, msgspec.structs.replace(change, refusal=event.refusal), detail=event.detail)

    def started(self, connection: Connection, event: wire.ChangeStarted) -> None:
        """The change worker holds the claim."""
        change = changes.get(connection, event.approval)
        if change and _may(change, Event.START):
            change = msgspec.structs.replace(change, worker=event.worker)
            self._move(connection, change, Move(Event.START, NETDIAG, {"worker": event.worker, "at": event.at}))

    def applied(self, connection: Connection, event: wire.ChangeApplied) -> None:
        """Every step is done; the check that failed runs again."""
        change = changes.get(connection, event.approval)
        if change is None or change.approval.state not in {State.GRANTED, State.STARTED}:
            return
        change = self._catch_up(connection, change, (Event.START,))
        change = msgspec.structs.replace(change, applied=event.steps, again=event.again)
        data = {"steps": list(event.steps), "found_done_after_restart": event.again, "at": event.at}
        self._move(connection, change, Move(Event.APPLIED, NETDIAG, data))

    def ended(self, connection: Connection, event: wire.ChangeEnded) -> None:
        """How it ended. What was not heard on the way there is made up for; a second end changes nothing."""
        change = changes.get(connection, event.approval)
        last = _end_of(event)
        if change is None or change.approval.state in {State.PLANNING, State.ASKED}:
            return  # nothing was ordered: this cannot be a true word
        outbox.drop(connection, "task", f"change-{change.id}")
        if last is Event.HEALED and change.approval.state is not State.UNKNOWN:
            change = self._catch_up(connection, change, (Event.START, Event.APPLIED))
        if not _may(change, last):
            return
        data: dict[str, Any] = {"result": event.result, "detail": event.detail, "at": event.at}
        if event.outcome:
            data["outcome"] = msgspec.to_builtins(event.outcome)
        change = msgspec.structs.replace(change, detail=event.detail, outcome=event.outcome)
        self._move(connection, change, Move(last, NETDIAG, data))

    # What the clock says

    def tick(self, connection: Connection) -> None:
        """End what nobody decided or answered in time."""
        now = self._now()
        for change in changes.in_states(connection, changes.HOLDING):
            state, expires = change.approval.state, change.approval.expires
            if state in {State.PLANNING, State.ASKED} and now >= expires:
                self._expire(connection, change)
            elif state is State.GRANTED and now >= expires + GRACE:
                self._expire_granted(connection, change)
            elif state in {State.STARTED, State.VERIFYING} and now >= change.since + SILENT:
                self._lose(connection, change)
            elif state in {State.PLANNING, State.GRANTED} and now >= change.since + NOTICED:
                self._watch(connection, change)

    def _watch(self, connection: Connection, change: Change) -> None:
        """Say on the card that it waits for a worker, and when it no longer does."""
        away = self._now() - presence.last_heard(connection, change.cluster, "change") > presence.FRESH
        if away != change.away:
            changes.save(connection, change, msgspec.structs.replace(change, away=away))
            outbox.redraw(connection, f"approval:{change.id}", now=self._now())

    def _expire(self, connection: Connection, change: Change) -> None:
        for kind in ("plan", "change"):
            outbox.drop(connection, "task", f"{kind}-{change.id}")
        self._move(connection, change, Move(Event.EXPIRE, NETDIAG, {"expired": change.approval.expires}))

    def _expire_granted(self, connection: Connection, change: Change) -> None:
        """Only an order that never left the house has certainly not been carried out."""
        row = outbox.find(connection, "task", f"change-{change.id}")
        if row and row.sent == outbox.NEVER:
            self._expire(connection, change)
        else:
            self._lose(connection, change)

    def _lose(self, connection: Connection, change: Change) -> None:
        data = {"result": "unknown", "detail": f"no word of the change worker since it was {change.approval.state}"}
        self._move(connection, change, Move(Event.LOSE, NETDIAG, data))

    # How

    def _new(self, run: Run, finding: Finding, offer: Offer, caller: Caller) -> Change:
        target = run.target or run.request.target
        if target is None:
            raise NotAllowed("no-offer")
        now, change_id = self._now(), self._new_id("a")
        approval = Approval(change_id, caller.name, self._expiry(), self._policy.approval.quorum)
        return Change(
            id=change_id,
            run=run.id,
            cluster=run.cluster,
            target=target,
            offer=offer,
            finding=finding,
            lock=f"{run.cluster} {digest(offer.args or target)}",
            account=caller.slack,
            place=run.place,
            language=run.language,
            asked=now,
            since=now,
            approval=approval,
        )

    def _expiry(self) -> float:
        """A whole second, so that the token's claim, the order and the card say the same."""
        return float(int(self._now() + self._policy.approval.expires_minutes * 60))

    def _order(self, change: Change, grants: tuple[str, ...] = ()) -> wire.ChangeTask:
        if change.plan is None:
            raise NotAllowed("no-plan", "There is no plan yet.")
        return wire.ChangeTask(
            approval=change.id,
            run=change.run,
            cluster=change.cluster,
            plan=change.plan,
            digest=change.digest,
            requester=change.approval.requester,
            quorum=change.approval.quorum,
            expires=change.approval.expires,
            grants=grants,
            findings=(change.finding,),
        )

    def _send(self, connection: Connection, task: wire.PlanTask | wire.ChangeTask, *, until: float) -> None:
        verb, name = ("plan", sending.PLAN) if isinstance(task, wire.PlanTask) else ("change", sending.CHANGE)
        order = Order(task.cluster, wire.queue("change", task.cluster), name, wire.encode(task), until)
        outbox.order(connection, f"{verb}-{task.approval}", order, now=self._now())

    def _refuse(self, connection: Connection, change: Change, *, detail: str) -> None:
        change = msgspec.structs.replace(change, detail=detail)
        reason = change.refusal.reason if change.refusal else "failed"
        params = dict(change.refusal.params) if change.refusal else {}
        self._move(
            connection, change, Move(Event.REFUSE, NETDIAG, {"reason": reason, "params": params, "detail": detail})
        )

    def _catch_up(self, connection: Connection, change: Change, path: tuple[Event, ...]) -> Change:
        for event in path:
            if _may(change, event):
                change = self._move(connection, change, Move(event, NETDIAG, {"implied_by_later_word": True}))
        return change

    def _move(self, connection: Connection, change: Change, move: Move) -> Change:
        now = self._now()
        before = change.approval
        after = before.step(move.event, by=move.actor if move.event in PRESSED else "", now=now)
        ref = self._write(connection, change, move)
        since = now if after.state is not before.state else change.since
        moved = msgspec.structs.replace(change, approval=after, entry=ref, since=since, away=False)
        changes.save(connection, change, moved)
        outbox.redraw(connection, f"approval:{change.id}", now=now)
        return moved

    def _write(self, connection: Connection, change: Change, move: Move) -> AuditRef:
        name = ENTRIES.get(move.event, "ended")
        data = {"run": change.run, "remedy": change.offer.remedy, **move.data}
        return self._scribe.write(
            connection, name, actor=move.actor, subject=change.id, cluster=change.cluster, data=data
        )


def _offered(run: Run, finding: int, offer: int) -> tuple[Finding, Offer]:
    findings = run.report.findings if run.report else ()
    if not 0 <= finding < len(findings) or not 0 <= offer < len(findings[finding].remedies):
        raise NotAllowed("no-offer")
    return findings[finding], findings[finding].remedies[offer]


def _may(change: Change, event: Event) -> bool:
    return event in TRANSITIONS[change.approval.state]


def _end_of(event: wire.ChangeEnded) -> Event:
    """What the worker's last word is to the machine: `done` counts as healed only when the check said so."""
    if event.result == "done" and event.outcome and event.outcome.result != "healed":
        return Event.FAIL if event.outcome.result == "not-healed" else Event.LOSE
    return {
        "done": Event.HEALED,
        "failed": Event.FAIL,
        "refused": Event.FAIL,
        "void": Event.VOID,
        "unknown": Event.LOSE,
    }[event.result]
