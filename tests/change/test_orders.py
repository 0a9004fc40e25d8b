"""What an order must prove, and what it is told when it does not."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.change.scene import BOT, EXPIRES, KEYS, PLAN, STEP, Scene, granted, order
from tests.change.virtual import BEGUN, run
from workers.apply.orders import lacking
from workers.core import sending, wire
from workers.core.tokens import Keyring, Signer

REMEDIES = ["restart-kube-proxy"]
STRANGER = Signer(Ed25519PrivateKey.generate())


def why(task: wire.ChangeTask) -> str:
    """What is missing."""
    return lacking(task, REMEDIES, KEYS)


def test_a_genuine_order_lacks_nothing() -> None:
    """One grant of another person, for exactly this."""
    assert why(order()) == ""


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"digest": "0" * 64}, "digest is not that of its plan"),
        ({"plan": msgspec.structs.replace(PLAN, steps=())}, "no steps"),
        ({"plan": msgspec.structs.replace(PLAN, remedy="reboot")}, "no remedy called reboot"),
        ({"cluster": "other"}, "the plan is for the cluster lab"),
    ],
)
def test_an_order_that_contradicts_itself_is_refused(changes: dict[str, Any], says: str) -> None:
    """Whatever its grants say."""
    assert says in why(order(**changes))


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"approval": "a-2"}, "another approval"),
        ({"requester": "carol"}, "another requester"),
        ({"expires": EXPIRES + 60}, "another expires"),
        ({"digest": "0" * 64}, "another digest"),
        ({"cluster": "other"}, "another cluster"),
        ({"plan": msgspec.structs.replace(PLAN, remedy="reboot")}, "another action"),
        (
            {"plan": msgspec.structs.replace(PLAN, target=msgspec.structs.replace(PLAN.target, name="x"))},
            "another target",
        ),
    ],
)
def test_a_grant_for_anything_else_does_not_count(other: dict[str, Any], says: str) -> None:
    """Each of its claims is compared."""
    said = why(order((granted(order(**other)),)))
    assert says in said
    assert "0 of 1 grants count" in said


def test_a_changed_step_needs_another_grant() -> None:
    """The grant is over the digest of exactly these steps."""
    for field in STEP.__struct_fields__:
        plan = msgspec.structs.replace(PLAN, steps=(msgspec.structs.replace(STEP, **{field: "another"}),))
        assert "another digest" in why(order((granted(order()),), plan=plan, digest=plan.digest))


def test_the_requester_cannot_grant() -> None:
    """Not alone, and not as one of two."""
    task = order(())
    own = granted(task, "alice")
    assert "alice asked for this change" in why(order((own,)))
    two = order((), quorum=2)
    grants = (granted(two, "alice"), granted(two, "bob"))
    assert "1 of 2 grants count" in why(order(grants, quorum=2))


def test_one_person_counts_once() -> None:
    """Two grants by bob are one; bob and carol are two."""
    task = order((), quorum=2)
    bob, carol = granted(task, "bob"), granted(task, "carol")
    assert "bob is counted already" in why(order((bob, bob), quorum=2))
    assert "1 of 2" in why(order((bob, sending.grant(BOT, task, "bob", now=BEGUN + 5)), quorum=2))
    assert why(order((bob, carol), quorum=2)) == ""


@pytest.mark.parametrize("quorum", [0, -1])
def test_no_grants_are_never_enough(quorum: int) -> None:
    """A quorum below one is one."""
    assert "0 of 1 grants count" in why(order((), quorum=quorum))


def test_a_strangers_grant_does_not_count() -> None:
    """Signed by a key that is not the bot's."""
    assert "unknown key" in why(order((granted(order(()), signer=STRANGER),)))


@pytest.mark.parametrize("purpose", ["task", "probe"])
def test_a_token_for_something_else_is_no_grant(purpose: str) -> None:
    """Each purpose has its own type."""
    token = BOT.token(purpose, {**sending.granted(order(())), "person": "bob"}, now=BEGUN, ttl=900)
    assert f"for netdiag-{purpose}" in why(order((token,)))


@pytest.mark.parametrize("person", ["", None, 7, ["bob"]])
def test_a_grant_of_nobody_does_not_count(person: object) -> None:
    """It must name a person."""
    token = BOT.token("grant", {**sending.granted(order(())), "person": person}, now=BEGUN, ttl=900)
    assert "names no person" in why(order((token,)))


def test_a_grant_that_ended_before_the_order_does_not_count() -> None:
    """Its own expiry is kept, too."""
    token = BOT.token("grant", {**sending.granted(order(())), "person": "bob"}, now=BEGUN, ttl=60)
    assert "expired" in why(order((token,)))


def test_good_grants_count_beside_bad_ones() -> None:
    """Nonsense in the list takes nothing away."""
    assert why(order(("x", granted(order(())), ""))) == ""


def test_a_rotated_key_is_still_believed() -> None:
    """The ring holds the old key as well."""
    ring = Keyring([STRANGER.public, BOT.public])
    assert lacking(order(), REMEDIES, ring) == ""


def test_a_refused_order_is_told_and_touches_nothing(tmp_path: Path) -> None:
    """No claim, no look, no call."""
    scene = Scene(tmp_path)
    ended = run(scene.deliver(order(())))
    assert ended
    assert (ended.result, scene.points) == ("refused", ["tell-ChangeEnded"])
    assert "0 of 1 grants count" in ended.detail
