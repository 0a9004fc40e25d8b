"""What does a command, a worker's word or the clock do to a run?

Like `bot.approvals`: each transition is one SQL transaction with its audit entry and outbox rows.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection

from bot.access import Caller
from bot.ledger import outbox, presence, runs
from bot.ledger.audit import NETDIAG, Scribe
from bot.ledger.outbox import Order
from bot.records import Answer, Message, Place, Run
from workers.core import run as life
from workers.core import sending, wire
from workers.core.target import Request

NOTICED = 2.0  # seconds after which a run that nobody took says why
LIFE = 3600.0  # seconds after which an answer is worth nothing any more
SILENT = 600.0  # seconds without a word of a run that was started, after which nobody waits for it


class Asked(msgspec.Struct, frozen=True):
    """A command as it came: what was typed, by whom, where, and how to answer this person alone."""

    caller: Caller
    typed: str
    place: Place
    response_url: str = ""


class Runs:
    """The life of runs. `now`: the wall clock; `new_id`: a fresh id with this prefix."""

    def __init__(self, scribe: Scribe, *, now: Callable[[], float], new_id: Callable[[str], str]) -> None:
        self._scribe = scribe
        self._now = now
        self._new_id = new_id

    # What people do

    def ask(self, connection: Connection, asked: Asked, request: Request, cluster: str) -> Run:
        """Write a run down; its message and its task are on their way with this transaction."""
        now = self._now()
        run = Run(
            id=self._new_id("r"),
            cluster=cluster,
            request=request,
            typed=asked.typed,
            by=asked.caller.name,
            account=asked.caller.slack,
            place=asked.place,
            language=asked.caller.language,
            asked=now,
            response_url=asked.response_url,
        )
        runs.add(connection, run)
        data = {"typed": asked.typed, "command": request.command, "target": run.asked_about, "account": run.account}
        data["channel"] = asked.place.channel
        self._write(connection, run, "run-asked", data, actor=run.by)
        task = wire.DiagnoseTask(run.id, cluster, request, now, LIFE)
        queue = wire.queue("look", cluster)
        order = Order(cluster, queue, sending.DIAGNOSE, wire.encode(task), now + LIFE)
        outbox.order(connection, f"run-{run.id}", order, now=now)
        outbox.add_message(connection, Message(f"run:{run.id}", asked.place.channel, asked.place.thread, "", "", ""))
        outbox.redraw(connection, f"run:{run.id}", now=now)
        return run

    # What the look worker says

    def started(self, connection: Connection, event: wire.RunStarted) -> None:
        """A worker has taken it; a later start than the one that is known is another worker taking over."""
        run = runs.get(connection, event.run)
        if run is None or event.at <= run.started:
            return
        changed = {"started": event.at, "worker": event.worker, "target": event.target, "checks": event.checks}
        self._move(connection, run, life.Event.START, **changed, n=0, looked=0, found=(), heard=self._now())

    def progress(self, connection: Connection, event: wire.RunProgress) -> None:
        """How far it is; what is older than what was seen changes nothing."""
        run = runs.get(connection, event.run)
        if run is None or run.state is not life.State.RUNNING or event.at < run.started or event.n <= run.n:
            return
        changed = {"n": event.n, "checks": event.checks, "looked": event.looked, "found": event.found}
        runs.save(connection, run, msgspec.structs.replace(run, **changed, heard=self._now()))
        outbox.redraw(connection, f"run:{run.id}", now=self._now())

    def done(self, connection: Connection, event: wire.RunDone) -> None:
        """The report: the message's first line says the verdict, each finding gets a message in the thread."""
        run = runs.get(connection, event.run)
        if run is None:
            return
        changed = {"target": event.target, "checks": event.checks, "report": event.report, "took": event.took}
        done = self._move(connection, run, life.Event.REPORT, **changed, answer=None, ended=self._now())
        if done is None:
            return
        outbox.drop(connection, "task", f"run-{run.id}")
        if event.bundle:
            runs.keep_bundle(connection, run.id, event.bundle, at=self._now())
        for number in range(len(event.report.findings)):
            key = f"finding:{run.id}:{number}"
            outbox.add_message(connection, Message(key, run.place.channel, run.place.thread, f"run:{run.id}", "", ""))
            outbox.redraw(connection, key, now=self._now())
        found = [{"id": one.id, "scope": one.scope, "confidence": one.confidence} for one in event.report.findings]
        data = {"verdict": event.report.verdict, "findings": found, "took": round(event.took, 3)}
        self._write(connection, run, "run-done", {"target": done.asked_about, **data})

    def answered(self, connection: Connection, event: wire.RunAnswer) -> None:
        """It ends without a report, and says why."""
        run = runs.get(connection, event.run)
        if run:
            self._end(connection, run, life.Event.ANSWER, Answer(event.reason, event.detail, event.choices))

    # What the clock says

    def tick(self, connection: Connection) -> None:
        """Say what runs wait for, and end those that nobody will answer any more."""
        now = self._now()
        for run in runs.in_states(connection, (life.State.QUEUED, life.State.WAITING, life.State.RUNNING)):
            if run.state is life.State.RUNNING:
                if now - run.heard > SILENT:
                    self._end(connection, run, life.Event.FAIL, Answer("silent", ""))
            elif now - run.asked > LIFE:
                self._end(connection, run, life.Event.FAIL, Answer("nobody", ""))
            else:
                self._watch(connection, run)

    def _watch(self, connection: Connection, run: Run) -> None:
        now, heard = self._now(), presence.last_heard(connection, run.cluster, "look")
        away = now - heard > presence.FRESH
        if away and run.state is life.State.QUEUED and now - run.asked > NOTICED:
            self._move(connection, run, life.Event.AWAY, away_since=heard)
        elif not away and run.state is life.State.WAITING:
            self._move(connection, run, life.Event.BACK, away_since=0.0)

    # How

    def _end(self, connection: Connection, run: Run, event: life.Event, answer: Answer) -> None:
        ended = self._move(connection, run, event, answer=answer, ended=self._now())
        if ended is None:
            return
        outbox.drop(connection, "task", f"run-{run.id}")
        data = {"answer": answer.reason, "detail": answer.detail, "target": ended.asked_about}
        self._write(connection, run, "run-done", data)

    def _move(self, connection: Connection, run: Run, event: life.Event, **changed: Any) -> Run | None:
        """The run after `event`; None when that cannot follow any more, because it came twice or too late."""
        if event not in life.TRANSITIONS[run.state]:
            return None
        moved = msgspec.structs.replace(run, state=life.step(run.state, event), **changed)
        runs.save(connection, run, moved)
        outbox.redraw(connection, f"run:{run.id}", now=self._now())
        return moved

    def _write(
        self, connection: Connection, run: Run, event: str, data: dict[str, Any], *, actor: str = NETDIAG
    ) -> None:
        self._scribe.write(connection, event, actor=actor, subject=run.id, cluster=run.cluster, data=data)
