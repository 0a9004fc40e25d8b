"""The approval machine, walked whole: it is small enough."""

import itertools

import pytest

from workers.core.approval import ENDED, TRANSITIONS, Approval, Event, State
from workers.core.errors import NotAllowed

BEFORE, AFTER = 100.0, 1000.0
EXPIRES = 500.0
PRESSES = [
    Event.APPROVE,
    Event.DENY,
    Event.WITHDRAW,
    Event.EXPIRE,
    Event.START,
    Event.APPLIED,
    Event.HEALED,
    Event.VOID,
]


def asked(quorum: int = 1) -> Approval:
    """A request of alice with its plan on the card."""
    return Approval(id="A-1", requester="alice", expires=EXPIRES, quorum=quorum, state=State.ASKED)


def test_every_sequence_of_three_presses_keeps_the_promises() -> None:
    """Whatever alice and bob press, in whatever order and time: no own approval, no late one, no way back."""
    moves = list(itertools.product(PRESSES, ["alice", "bob"], [BEFORE, AFTER]))
    walked = 0
    for sequence in itertools.product(moves, repeat=3):
        approval = asked()
        for event, by, now in sequence:
            was = approval
            try:
                approval = approval.step(event, by=by, now=now)
            except NotAllowed:
                continue
            assert not was.ended
            assert "alice" not in approval.granted_by
            if event is Event.APPROVE:
                assert now < EXPIRES
                assert was.state is State.ASKED
                assert approval.state is State.GRANTED
            if event in {Event.START, Event.APPLIED, Event.HEALED}:
                assert approval.granted_by == ("bob",)
        walked += 1
    assert walked == len(moves) ** 3


@pytest.mark.parametrize(
    ("event", "by", "now", "reason"),
    [
        (Event.APPROVE, "alice", BEFORE, "own-request"),
        (Event.APPROVE, "bob", AFTER, "expired"),
        (Event.APPROVE, "", BEFORE, "nobody"),
        (Event.WITHDRAW, "bob", BEFORE, "not-requester"),
        (Event.EXPIRE, "", BEFORE, "not-expired"),
        (Event.START, "", BEFORE, "already-asked"),
    ],
)
def test_a_refusal_names_its_reason(event: Event, by: str, now: float, reason: str) -> None:
    """Each guard has an id of its own, under which the refusal is audited."""
    with pytest.raises(NotAllowed) as refused:
        asked().step(event, by=by, now=now)
    assert refused.value.reason == reason


def test_two_people_are_two_grants() -> None:
    """With a quorum of two, one person's second yes counts for nothing and another person's completes it."""
    one = asked(quorum=2).step(Event.APPROVE, by="bob", now=BEFORE)
    assert one.state is State.ASKED
    with pytest.raises(NotAllowed, match="already"):
        one.step(Event.APPROVE, by="bob", now=BEFORE)
    assert one.step(Event.APPROVE, by="carol", now=BEFORE).state is State.GRANTED


def test_who_ended_it_is_kept() -> None:
    """A denied approval says by whom, and nothing follows."""
    denied = asked().step(Event.DENY, by="bob", now=BEFORE)
    assert (denied.state, denied.ended_by, denied.ended) == (State.DENIED, "bob", True)


def test_every_state_is_in_the_table() -> None:
    """No state is forgotten, and no move leads out of the table."""
    assert set(TRANSITIONS) == set(State)
    assert {after for moves in TRANSITIONS.values() for after in moves.values()} <= set(State)
    assert ENDED
