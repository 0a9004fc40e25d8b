"""The life of a run: what may follow what, from the command to the verdict.

A worker may be killed and its task run again, and events may come twice or in another order than they were sent. So a
report is taken from every state in which none was given yet, also from `failed`: late truth beats no truth.
"""

import enum

from workers.core.errors import NotAllowed


class State(enum.StrEnum):
    """Where a run stands."""

    QUEUED = "queued"  # written down; a worker will take it
    WAITING = "waiting"  # no worker of this cluster has been heard for a while; it runs when one is back
    RUNNING = "running"
    DONE = "done"  # there is a report
    ANSWERED = "answered"  # there is an answer instead: no such target, or two of them
    FAILED = "failed"  # nobody answered in time, or netdiag itself failed


class Event(enum.StrEnum):
    """What can happen to a run."""

    AWAY = "away"  # no fresh heartbeat of a worker that could take it
    BACK = "back"  # there is one again
    START = "start"
    REPORT = "report"
    ANSWER = "answer"
    FAIL = "fail"


_OPEN = {Event.START: State.RUNNING, Event.REPORT: State.DONE, Event.ANSWER: State.ANSWERED, Event.FAIL: State.FAILED}
TRANSITIONS: dict[State, dict[Event, State]] = {
    State.QUEUED: {Event.AWAY: State.WAITING, **_OPEN},
    State.WAITING: {Event.BACK: State.QUEUED, **_OPEN},
    # START again: another worker took over after the first was killed.
    State.RUNNING: _OPEN,
    State.DONE: {},
    State.ANSWERED: {},
    State.FAILED: {Event.REPORT: State.DONE, Event.ANSWER: State.ANSWERED},
}
OVER = frozenset({State.DONE, State.ANSWERED, State.FAILED})  # nobody waits for a worker any more


def step(state: State, event: Event) -> State:
    """The state after `event`. Raises NotAllowed when it may not happen: it came twice, or too late."""
    after = TRANSITIONS[state].get(event)
    if after is None:
        raise NotAllowed(f"already-{state}", f"This run is {state} already.")
    return after
