"""The digest is of the steps, and of nothing else."""

import msgspec

from workers.core.plan import Plan
from workers.core.steps import DeletePod
from workers.core.target import Target

STEP = DeletePod(namespace="kube-system", name="kube-proxy-x", old="uid-1", owner="DaemonSet/kube-proxy", node="node-2")
TARGET = Target(cluster="lab", kind="svc", namespace="shop", name="checkout")
PLAN = Plan(remedy="restart-kube-proxy", target=TARGET, args={"node": "node-2"}, steps=(STEP,))


def test_every_field_of_a_step_is_in_the_digest() -> None:
    """What is approved is exactly what is shown."""
    for field in STEP.__struct_fields__:
        other = msgspec.structs.replace(PLAN, steps=(msgspec.structs.replace(STEP, **{field: "another"}),))
        assert other.digest != PLAN.digest, field


def test_remarks_are_not_in_the_digest() -> None:
    """A count of what is touched may change between the press and the change."""
    assert msgspec.structs.replace(PLAN, touches=("41 pods",)).digest == PLAN.digest


def test_a_plan_survives_the_wire() -> None:
    """Encoded and decoded, it is the same change."""
    assert msgspec.json.decode(msgspec.json.encode(PLAN), type=Plan).digest == PLAN.digest
