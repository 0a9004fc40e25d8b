"""What happens with what people type and press? Every answer, refusal and effect is one transaction of the ledger.

The listeners have acknowledged before they come here, so nothing here can make Slack wait. Slack delivers more than
once; each delivery's key is handled once.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection

from bot.access import Access, Caller
from bot.approvals import Approvals
from bot.cards import audit as audit_card
from bot.cards import help as help_card
from bot.cards import words
from bot.cards.text import Block, Drawn, escape, line, pre, rich, say
from bot.ledger import Ledger, changes, outbox, presence, runs
from bot.ledger import audit as trail
from bot.ledger.audit import Scribe
from bot.ledger.outbox import Reply
from bot.records import Place, Run
from bot.runs import Asked, Runs
from workers import grammar
from workers.core.approval import Event, State
from workers.core.errors import NotAllowed, TryAgain, TypedWrongly
from workers.core.target import Request

LOG = structlog.get_logger("desk")
PRESSES = {"approve": Event.APPROVE, "deny": Event.DENY, "withdraw": Event.WITHDRAW}
TYPED_MAX = 2000  # characters of a command that are kept and shown


class Typed(msgspec.Struct, frozen=True):
    """A command as it was delivered. key: the same for every delivery of it. team: the user's, if Slack says it."""

    key: str
    account: str
    channel: str
    text: str
    team: str = ""
    thread: str = ""
    response_url: str = ""


class Pressed(msgspec.Struct, frozen=True):
    """A press of a button, likewise. thread: the thread that its message is in."""

    key: str
    account: str
    channel: str
    action: str
    value: str
    team: str = ""
    thread: str = ""
    response_url: str = ""


class Desk:
    """Where people are served. say_now: a way to one person past the ledger. now: the wall clock."""

    def __init__(
        self,
        ledger: Ledger,
        access: Access,
        runs_: Runs,
        approvals: Approvals,
        scribe: Scribe,
        *,
        say_now: Callable[[Reply], Awaitable[bool]],
        now: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._access = access
        self._runs = runs_
        self._approvals = approvals
        self._scribe = scribe
        self._say_now = say_now
        self._now = now

    # What is typed

    async def typed(self, typed: Typed) -> None:
        """Serve a command: a run, a list, or a sentence that says why not."""
        typed = msgspec.structs.replace(typed, text=typed.text[:TYPED_MAX])
        language = self._language(typed.account)
        try:
            caller = await self._access.caller(typed.account, typed.team)
            await self._access.need_own_channel(typed.channel)
            work = self._work(typed, caller)
        except NotAllowed as refused:
            work = self._refusing(typed, refused)
        except TypedWrongly as wrong:
            work = self._correcting(typed, str(wrong), language)
        await self._once(typed, work, language)

    def _work(self, typed: Typed, caller: Caller) -> Callable[[Connection], None]:
        """What is to be done for an understood command. Raises TypedWrongly, NotAllowed."""
        request = grammar.parse(typed.text)
        if request.command == "help":
            return lambda connection: self._answer(connection, typed, self._help(typed, caller))
        if request.command == "audit":
            self._access.need(caller, "audit")
            about = request.words[0] if request.words else ""
            return lambda connection: self._answer(connection, typed, _audit(connection, caller, about))
        self._access.need(caller, "look")
        request = self._with_cluster(request, typed.channel, caller.language)
        asked = Asked(
            caller, grammar.unslack(typed.text), Place(typed.channel, typed.thread), response_url=typed.response_url
        )
        return lambda connection: self._ask(connection, asked, request)

    def _ask(self, connection: Connection, asked: Asked, request: Request) -> None:
        run = self._runs.ask(connection, asked, request, request.target.cluster if request.target else "")
        LOG.info("run-asked", run=run.id, by=run.by, cluster=run.cluster, target=run.asked_about)

    def _with_cluster(self, request: Request, channel: str, language: str) -> Request:
        """The request with its cluster filled in, when only one can be meant. Raises TypedWrongly, NotAllowed."""
        policy = self._access.policy
        here = policy.clusters_in(channel)
        target = request.target
        if target is None:
            return request
        if target.cluster and target.cluster not in policy.clusters:
            unknown = words.say(language, "typed.no-cluster", cluster=target.cluster, choices=", ".join(here) or "-")
            raise TypedWrongly(unknown)
        if target.cluster and target.cluster not in here:
            raise NotAllowed("elsewhere", target.cluster)
        if not target.cluster and len(here) != 1:
            key = "typed.cluster" if here else "typed.nothing-here"
            raise TypedWrongly(words.say(language, key, choices=", ".join(here)))
        target = msgspec.structs.replace(target, cluster=target.cluster or here[0])
        return msgspec.structs.replace(request, target=target)

    def _help(self, typed: Typed, caller: Caller) -> Drawn:
        may = {"check": "look", "about": "audit"}
        policy = self._access.policy
        rows = [
            (command.example, command.help[caller.language])
            for command in grammar.COMMANDS.values()
            if command.name == "help" or caller.name in policy.roles.get(may[command.kind], ())  # type: ignore[call-overload]  # the two roles above
        ]
        return help_card.card(rows if len(rows) > 1 else (), policy.clusters_in(typed.channel), caller.language)

    def _correcting(self, typed: Typed, sentence: str, language: str) -> Callable[[Connection], None]:
        was = grammar.unslack(typed.text)
        text = f"{escape(sentence)}\n{escape(words.say(language, 'typed.was', typed=was), TYPED_MAX)}"
        label = words.say(language, "typed.was", typed="")
        blocks = (rich(line(say(sentence)), line(say(label)), pre((was,), limit=TYPED_MAX)),)
        return lambda connection: self._answer(connection, typed, Drawn(text, blocks))

    # What is pressed

    async def pressed(self, pressed: Pressed) -> None:
        """Serve a press; the presser is always answered."""
        try:
            caller = await self._access.caller(pressed.account, pressed.team)
            await self._access.need_own_channel(pressed.channel)
        except NotAllowed as refused:
            work = self._refusing(pressed, refused)
        else:
            work = self._pressing(pressed, caller)
        await self._once(pressed, work, self._language(pressed.account))

    def _pressing(self, pressed: Pressed, caller: Caller) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            try:
                # Everything that refuses does so before the first write.
                said = self._press(connection, pressed, caller)
            except NotAllowed as refused:
                self._refusing(pressed, refused, caller)(connection)
            else:
                self._answer(connection, pressed, Drawn(escape(said)))
                LOG.info("pressed", action=pressed.action, value=pressed.value[:60], by=caller.name)

        return work

    def _press(self, connection: Connection, pressed: Pressed, caller: Caller) -> str:
        if pressed.action == "rerun":
            return self._rerun(connection, pressed, caller)
        if pressed.action == "propose":
            return self._propose(connection, pressed, caller)
        change_id, _, digest = pressed.value.partition(":")
        change = self._approvals.decide(connection, change_id, digest, PRESSES[pressed.action], caller)
        more = pressed.action == "approve" and change.approval.state is State.ASKED
        return words.say(caller.language, f"pressed.{pressed.action}{'-more' if more else ''}", id=change.id)

    def _propose(self, connection: Connection, pressed: Pressed, caller: Caller) -> str:
        self._access.need(caller, "look")
        run_id, finding, offer = (*pressed.value.split(":"), "", "")[:3]
        if not finding.isdecimal() or not offer.isdecimal():
            raise NotAllowed("no-offer")
        run = self._known(connection, run_id)
        change = self._approvals.propose(connection, run, int(finding), int(offer), caller)
        return words.say(caller.language, "pressed.propose", id=change.id)

    def _rerun(self, connection: Connection, pressed: Pressed, caller: Caller) -> str:
        self._access.need(caller, "look")
        run = self._known(connection, pressed.value)
        if run.cluster not in self._access.policy.clusters_in(pressed.channel):
            raise NotAllowed("elsewhere", run.cluster)
        asked = Asked(caller, run.typed, run.place, response_url=pressed.response_url)
        self._ask(connection, asked, run.request)
        return words.say(caller.language, "run.rerunning")

    def _known(self, connection: Connection, run_id: str) -> Run:
        run = runs.get(connection, run_id)
        if run is None:
            raise NotAllowed("no-such-run")
        return run

    # What both have in common

    async def _once(self, came: Typed | Pressed, work: Callable[[Connection], None], language: str) -> None:
        def handle(connection: Connection) -> None:
            if presence.first_time(connection, came.key, at=self._now()):
                work(connection)

        try:
            await self._ledger.write(handle)
        except TryAgain as error:
            LOG.warning("ledger-away", error=str(error))
            await self._say_now(self._to(came, Drawn(words.say(language, "trouble.ledger"))))
        except Exception:
            # The one place that catches widely here: a person is never left without an answer.
            LOG.exception("not-served", key=came.key)
            await self._say_now(self._to(came, Drawn(words.say(language, "trouble.ours"))))

    def _refusing(
        self, came: Typed | Pressed, refused: NotAllowed, caller: Caller | None = None
    ) -> Callable[[Connection], None]:
        language = self._language(came.account)
        name = self._access.policy.name_of(came.account) or f"account {came.account}"

        def work(connection: Connection) -> None:
            about, facts = self._facts(connection, came, refused, language)
            data: dict[str, Any] = {"reason": refused.reason, "account": came.account, "channel": came.channel}
            if isinstance(came, Typed):
                event, data["typed"] = "run-refused", grammar.unslack(came.text)
            else:
                event, data["pressed"] = "press-refused", came.action
            self._scribe.write(
                connection, event, actor=caller.name if caller else name, subject=about, cluster="", data=data
            )
            sentence = words.refusal(language, refused.reason, **facts)
            self._answer(connection, came, Drawn(escape(sentence)))
            LOG.info("refused", reason=refused.reason, account=came.account, subject=about)

        return work

    def _facts(
        self, connection: Connection, came: Typed | Pressed, refused: NotAllowed, language: str
    ) -> tuple[str, dict[str, str]]:
        """What the refusal is about (an id), and what its sentence says."""
        facts = {"id": str(refused), "cluster": str(refused), "run": "", "by": ""}
        if isinstance(came, Typed):
            return "", facts
        about = came.value.split(":")[0][:40]
        change = changes.get(connection, str(refused) if refused.reason == "already-open" else about)
        if change:
            facts["run"] = change.run
            who = change.approval.ended_by or ", ".join(change.approval.granted_by)
            facts["by"] = words.say(language, "refused.already-by", who=who) if who else ""
        return about, facts

    def _answer(self, connection: Connection, came: Typed | Pressed, drawn: Drawn) -> None:
        outbox.reply(connection, f"to {came.key}"[:200], self._to(came, drawn), now=self._now())

    def _to(self, came: Typed | Pressed, drawn: Drawn) -> Reply:
        blocks: tuple[Block, ...] = drawn.blocks
        return Reply(came.channel, came.account, drawn.text, blocks, came.thread, came.response_url)

    def _language(self, account: str) -> str:
        policy = self._access.policy
        return policy.speaks(policy.name_of(account))


def _audit(connection: Connection, caller: Caller, about: str) -> Drawn:
    found = trail.last(connection, audit_card.SHOWN, about=about)
    return audit_card.card(found, caller.language, about)
