"""What does the card of a proposed change show, in each state of its life?

What will be done is rendered from the plan's typed steps, never from catalogue text: what a person reads here is what
their grant is signed over.
"""

import msgspec

from bot.cards import steps, words
from bot.cards.text import (
    Block,
    Drawn,
    actions,
    bullets,
    button,
    code,
    context,
    date,
    drawn,
    emoji,
    escape,
    line,
    pre,
    rich,
    say,
    table,
    user,
)
from bot.records import Change
from workers.core import wire
from workers.core.approval import State

SIGNS = {
    State.ASKED: "lock",
    State.GRANTED: "unlock",
    State.STARTED: "gear",
    State.VERIFYING: "mag",
    State.DONE: "white_check_mark",
    State.FAILED: "x",
    State.UNKNOWN: "grey_question",
    State.PLANNING: "hourglass_flowing_sand",
}
OVER_SIGN = "no_entry_sign"
SHOWS_PLAN = frozenset({State.ASKED, State.GRANTED, State.STARTED, State.VERIFYING, State.UNKNOWN})
EXPIRES = frozenset({State.PLANNING, State.ASKED, State.GRANTED})


class Around(msgspec.Struct, frozen=True):
    """What the ledger's change does not hold.

    approvers: accounts of those who may grant. accounts: person -> account. risk: of the remedy. no_undo: why it
    cannot be undone (empty: it can). refusal: why there is no plan.
    """

    approvers: tuple[str, ...] = ()
    accounts: dict[str, str] = {}
    risk: str = ""
    no_undo: str = ""
    refusal: str = ""


def card(change: Change, around: Around) -> Drawn:
    """The change's card as it is now."""
    whole = _drawn(change, around, may_approve=True)
    plan = _plan(change)
    if change.approval.state is not State.ASKED or (plan in whole.blocks and steps.fits(change.plan)):
        return whole
    # What cannot be read whole must not be granted.
    return _drawn(change, around, may_approve=False)


def _drawn(change: Change, around: Around, *, may_approve: bool) -> Drawn:
    state = change.approval.state
    headline = _headline(change)
    return drawn(
        escape(headline),
        (
            rich(
                line(emoji(SIGNS.get(state, OVER_SIGN)), say(" "), say(headline, bold=True)), *_people(change, around)
            ),
            rich(line(say(_detail(change, around)))) if _detail(change, around) else None,
            _outcome(change),
            _plan(change),
            _about(change, around),
            _find_out(change) if state is State.UNKNOWN else None,
            _small_print(change),
            None if may_approve else rich(line(say(_say(change, "too-long")))),
            _buttons(change, may_approve=may_approve),
        ),
    )


def _say(change: Change, key: str, **params: object) -> str:
    return words.say(change.language, f"change.{key}", **params)


def _what(change: Change) -> str:
    if change.plan:
        return steps.headline(change.plan, change.language)
    return " ".join([change.offer.remedy, *(f"{name}={value}" for name, value in change.offer.args.items())])


def _headline(change: Change) -> str:
    state = change.approval.state
    away = change.away and state in {State.PLANNING, State.GRANTED}
    key = f"{state}-away" if away else str(state)
    return _say(change, key, step=_what(change), remedy=_what(change), cluster=change.cluster)


def _people(change: Change, around: Around) -> list[Block]:
    approval = change.approval
    first = [say(_say(change, "requested")), user(change.account)]
    if approval.state is State.ASKED:
        first.append(say(_say(change, "needs", count=approval.quorum)))
        mentions = [[user(account), say(" ")] for account in around.approvers]
        first += [one for pair in mentions for one in pair] or [say(_say(change, "nobody"))]
    parts = [line(*first)]
    if approval.granted_by:
        parts.append(line(say(_say(change, "granted-by")), *_named(approval.granted_by, around)))
    if approval.ended_by:
        parts.append(line(say(_say(change, "ended-by")), *_named((approval.ended_by,), around)))
    return parts


def _named(people: tuple[str, ...], around: Around) -> list[Block]:
    elements: list[Block] = []
    for name in people:
        account = around.accounts.get(name)
        elements += [say(" "), user(account) if account else say(name)]
    return elements


def _detail(change: Change, around: Around) -> str:
    said = around.refusal if change.approval.state is State.REFUSED else change.detail
    return f"{said} ({_say(change, 'again')})" if change.again and said else said


def _plan(change: Change) -> Block | None:
    if not change.plan:
        return None
    key = "plan" if change.approval.state in SHOWS_PLAN else "was-plan"
    return rich(
        line(say(_say(change, key), bold=True)), pre(steps.exactly(change.plan), limit=steps.LINE, most=steps.MOST)
    )


def _about(change: Change, around: Around) -> Block | None:
    if not change.plan or change.approval.state not in SHOWS_PLAN:
        return None
    lines = [_say(change, "touches", what=what) for what in change.plan.touches]
    if change.plan.owner:
        lines.append(_say(change, "owner", owner=change.plan.owner))
    if around.risk:
        lines.append(_say(change, "risk", risk=words.say(change.language, f"risk.{around.risk}")))
    lines.append(_say(change, "no-undo", why=around.no_undo) if around.no_undo else _say(change, "undo"))
    return rich(bullets(lines))


def _outcome(change: Change) -> Block | None:
    outcome = change.outcome
    if not outcome or not (outcome.before or outcome.after):
        return None
    head = (_say(change, "fact"), _say(change, "before"), _say(change, "after"))
    after = dict(outcome.after)
    rows = [(label, value, after.pop(label, "-")) for label, value in outcome.before]
    return table(head, [*rows, *((label, "-", value) for label, value in after.items())])


def _find_out(change: Change) -> Block:
    claim = f"kubectl -n {wire.NAMESPACE} get configmap {wire.claim_name(change.id)} -o yaml"
    return rich(line(say(_say(change, "find-out"))), pre((claim,)))


def _small_print(change: Change) -> Block:
    pieces = []
    if change.approval.state in EXPIRES:
        pieces.append(_say(change, "expires", when=date(change.approval.expires)))
    if change.digest:
        pieces += [_say(change, "dry-run"), code(f"sha256:{change.digest}")]
    if change.entry:
        pieces.append(f"{_say(change, 'entry', seq=change.entry.seq)} {code(change.entry.hash)}")
    return context(*pieces, code(change.id))


def _buttons(change: Change, *, may_approve: bool) -> Block | None:
    value = f"{change.id}:{change.digest}"
    withdraw = button("withdraw", _say(change, "withdraw"), value)
    if change.approval.state is State.PLANNING:
        return actions(withdraw)
    if change.approval.state is not State.ASKED:
        return None
    approve = button("approve", _say(change, "approve"), value, style="primary")
    deny = button("deny", _say(change, "deny"), value, style="danger")
    return actions(approve, deny, withdraw) if may_approve else actions(deny, withdraw)
