"""A message that the bot did not send exactly so is never run, whatever else is right about it."""

import base64
import json
import time
import uuid
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.tasks.house import House, diagnose_task, order
from workers.core import sending, wire
from workers.core.tokens import Signer

pytestmark = [pytest.mark.service, pytest.mark.timeout(90)]


def signed(house: House, task: wire.Task, **changes: Any) -> dict[str, str]:
    """The bot's token over what a task was, unless said otherwise."""
    said: dict[str, Any] = {"name": sending.DIAGNOSE, "task_id": "id-1", "cluster": "lab", "ttl": 600.0, **changes}
    signer, now = said.pop("signer", house.signer), said.pop("now", time.time())
    return sending.headers(signer, text=wire.encode(task), now=now, **said)


def settle(house: House) -> None:
    """Wait until everything that was sent is dealt with: a good task, sent after it, is done in each queue."""
    mark = uuid.uuid4().hex
    target = diagnose_task().request.target
    assert target
    house.send(sending.DIAGNOSE, diagnose_task(mark))
    house.send(sending.PLAN, wire.PlanTask(mark, mark, "lab", target, "no-such-remedy", {}))
    house.until(lambda: any(event.run == mark for event in house.of(wire.RunDone)), "the next run")
    house.until(lambda: any(event.approval == mark for event in house.of(wire.PlanRefused)), "the next plan")
    house.until(house.idle, "an empty queue")


def forged_runs(house: House) -> list[wire.Event]:
    """What was told of the runs that nobody asked for."""
    return [event for event in house.events() if getattr(event, "run", "") in {"r-1", "r-other"}]


FORGED: dict[str, dict[str, Any]] = {
    "no token": {"headers": {}},
    "a token that is none": {"headers": {"netdiag_token": "x.y.z"}},
    "a number for a token": {"headers": {"netdiag_token": 7}},
    "other arguments": {"args": [wire.encode(diagnose_task("r-other"))]},
    "two arguments": {"args": [wire.encode(diagnose_task()), "x"]},
    "no arguments": {"args": []},
    "an object for an argument": {"args": [{"run": "r-1"}]},
    "keyword arguments": {"kwargs": {"text": "x"}},
    "another id": {"task_id": "id-2"},
    "callbacks": {"link": {"task": "netdiag.diagnose", "args": [], "kwargs": {}, "options": {}}},
    "errbacks": {"link_error": {"task": "netdiag.diagnose", "args": [], "kwargs": {}, "options": {}}},
    "a chain": {"chain": [{"task": "netdiag.diagnose", "args": [], "kwargs": {}, "options": {}}]},
    "a chord": {"chord": {"task": "netdiag.diagnose", "args": [], "kwargs": {}, "options": {}}},
    "a countdown": {"countdown": 1},
    "an expiry": {"expires": 3600},
    "a time limit": {"time_limit": 1},
    "another name in the log": {"shadow": "netdiag.harmless"},
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_a_forged_message_is_never_run(busy: House, forged: dict[str, Any]) -> None:
    """The token is genuine; the message is not what it was made for."""
    task = diagnose_task()
    options = {"headers": signed(busy, task), "task_id": "id-1", **forged}
    busy.send(sending.DIAGNOSE, task, **options)
    settle(busy)
    assert forged_runs(busy) == []
    assert "refused: " in busy.logs()


TOKENS: dict[str, dict[str, Any]] = {
    "for another task": {"name": sending.CHANGE},
    "for another cluster": {"cluster": "other"},
    "expired": {"now": time.time() - 1000, "ttl": 60.0},
    "of a stranger": {"signer": Signer(Ed25519PrivateKey.generate())},
    "from the future": {"now": time.time() + 3600},
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_a_token_that_proves_something_else_is_refused(busy: House, token: dict[str, Any]) -> None:
    """Everything is right but the token."""
    task = diagnose_task()
    busy.send(sending.DIAGNOSE, task, task_id="id-1", headers=signed(busy, task, **token))
    settle(busy)
    assert forged_runs(busy) == []


def test_a_tasks_name_cannot_be_changed(busy: House) -> None:
    """A captured plan's message, sent as an order, does not run as one."""
    task = order(busy, "a-forged")
    plan = wire.PlanTask("a-forged", "r-1", "lab", task.plan.target, task.plan.remedy, task.plan.args)
    headers = signed(busy, plan, name=sending.PLAN)
    busy.send(sending.PLAN, plan, called=sending.CHANGE, task_id="id-1", headers=headers, args=[wire.encode(task)])
    busy.send(sending.PLAN, plan, called=sending.CHANGE, task_id="id-1", headers=headers)
    settle(busy)
    assert busy.of(wire.ChangeEnded) == []


@pytest.mark.parametrize("name", ["celery.map", "celery.starmap", "celery.chord_unlock", "celery.chain", "os.system"])
def test_celerys_own_tasks_are_not_there(busy: House, name: str) -> None:
    """They run other tasks by name, without their messages."""
    inner = {"task": sending.DIAGNOSE, "args": [], "kwargs": {}, "options": {}}
    busy.send(
        sending.DIAGNOSE, diagnose_task(), called=name, headers={}, args=[inner, [[wire.encode(diagnose_task())]]]
    )
    settle(busy)
    assert forged_runs(busy) == []


def raw(house: House, **changes: Any) -> None:
    """Push a message into the look queue's list, past every client library."""
    body = changes.pop("body", [[wire.encode(diagnose_task())], {}, {}])
    text = body if isinstance(body, str) else json.dumps(body)
    message = {
        "body": base64.b64encode(text.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": sending.DIAGNOSE, "id": "id-1", **signed(house, diagnose_task())},
        "properties": {
            "delivery_tag": str(uuid.uuid4()),
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "look.lab"},
            "priority": 0,
            "body_encoding": "base64",
        },
        **changes,
    }
    house.redis.lpush("netdiag:lab:look.lab", json.dumps(message))


ODD: dict[str, dict[str, Any]] = {
    "a pickle": {"content-type": "application/x-python-serialize", "body": "cos\nsystem\n(S'true'\ntR."},
    "yaml": {"content-type": "application/x-yaml", "body": "!!python/object/apply:os.system ['true']"},
    "no JSON": {"body": "{"},
    "a number": {"body": 7},
    "a list of one": {"body": [1]},
    "an object": {"body": {"task": sending.DIAGNOSE, "id": "id-1", "args": [], "kwargs": {}}},
    "protocol 1": {"headers": {}, "body": {"task": sending.DIAGNOSE, "id": "id-1", "args": ["x"], "kwargs": {}}},
    "more in the embed": {"body": [[wire.encode(diagnose_task())], {}, {"id": "id-9"}]},
    "embed is a list": {"body": [[wire.encode(diagnose_task())], {}, [1]]},
    "no headers": {"headers": None},
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_message_neither_runs_nor_stops_the_worker(busy: House, odd: dict[str, Any]) -> None:
    """What no client library would send is dropped, and the next good task runs."""
    raw(busy, **odd)
    settle(busy)
    assert forged_runs(busy) == []


def test_the_log_does_not_hold_tokens(busy: House) -> None:
    """A refused message's log line may be read by many."""
    settle(busy)
    assert "eyJ" not in busy.logs()
