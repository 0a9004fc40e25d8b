"""Restart kube-proxy on one node: the plan, every refusal, and what the check says afterwards."""

import re

import msgspec
import pytest

from tests.world import API, SILENT, World, a_slice, endpoint, node, pod, running, service, stopped, target
from workers.catalogue import load
from workers.checks.kube_proxy.stale_rules import CHECK
from workers.collect.bundle import BundleSource, pack, unpack
from workers.collect.look import Looker
from workers.core.evidence.reach import ApiAnswer, ApiAnswers
from workers.core.plan import Plan, Refusal
from workers.core.query import Missing
from workers.core.steps.pods import DeletePod
from workers.core.target import Request
from workers.remedies.restart_kube_proxy import REMEDY

NODE = {"node": "node-2"}
OLD = service(a_slice(endpoint("10.244.1.5", ready=False, serving=False)))
STALE = World(known={"node-2": OLD}, processes={"node-2": stopped()}, connects={("node-1", "172.30.0.12"): "refused"})
MIRROR = pod("node-2", name="kube-proxy-node-2", owner="Node/node-2", mirror=True)
K3S = node(2, kubelet_version="v1.37.2+k3s1")


async def recorded(world: World, args: dict[str, str]) -> Plan | Refusal:
    """The plan from a bundle of that world: recorded while it was planned first, and read from its file."""
    look = world.look()
    live = await REMEDY.plan(target(), args, look)
    data = pack(look.recorded(), request=Request("svc", target()), target=target(), at=0.0, release="0")
    again = await REMEDY.plan(
        target(), args, Looker(BundleSource(unpack(data, load().queries)), now=lambda: 0.0, wait=False)
    )
    assert again == live
    return again


async def refused(world: World, args: dict[str, str] | None = None) -> tuple[str, str]:
    """The refusal's id and its sentence; both languages have every param that they name."""
    refusal = await recorded(world, NODE if args is None else args)
    assert isinstance(refusal, Refusal)
    both = [load().refusal_text(REMEDY.name, refusal, lang) for lang in ("en", "zh")]
    assert not any("?" in text or "\uff1f" in text for text in both)
    return refusal.reason, both[0]


async def test_the_plan_deletes_that_nodes_pod_by_uid() -> None:
    """What is approved is this pod and no successor of it."""
    plan = await recorded(STALE, NODE)
    assert isinstance(plan, Plan)
    assert plan.steps == (
        DeletePod("kube-system", "kube-proxy-2abcd", "pod-uid-node-2", "DaemonSet/kube-proxy", "node-2"),
    )
    # Its controller puts a pod back: nobody else reverts this.
    assert (plan.remedy, plan.args, plan.owner) == ("restart-kube-proxy", NODE, "")
    assert any("existing connections through node-2 survive" in line for line in plan.touches)
    assert plan.digest == (await _plan_of(STALE)).digest


async def _plan_of(world: World) -> Plan:
    plan = await REMEDY.plan(target(), NODE, world.look())
    assert isinstance(plan, Plan)
    return plan


async def test_another_pod_is_another_digest() -> None:
    """A pod that was replaced meanwhile makes the approval void."""
    moved = STALE.but(pods=(pod("node-2", uid="another"),))
    assert (await _plan_of(moved)).digest != (await _plan_of(STALE)).digest


async def test_of_two_pods_the_living_one_is_meant() -> None:
    """The old one may be on its way out still."""
    pods = (pod("node-2", name="a-leaving", uid="old", deleting=True), pod("node-2"))
    assert (await _plan_of(STALE.but(pods=pods))).steps[0].old == "pod-uid-node-2"


async def test_a_cut_node_is_refused() -> None:
    """A restart cannot help there: the new one would hang at its first list."""
    assert await refused(STALE.but(cut=("node-2",))) == (
        "api-unreachable",
        f"A restart cannot help while node-2 cannot reach the API server at https://{API}: no answer in time.",
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (ApiAnswer(API, "refused"), "the connection is refused"),
        (ApiAnswer(API, "unreachable"), "there is no way to it"),
        (ApiAnswer(API, "error"), "the connection cannot be made"),
        (ApiAnswer(API, "open"), "the TLS handshake fails"),
    ],
)
async def test_how_it_is_cut_is_said(answer: ApiAnswer, words: str) -> None:
    """In words."""
    assert words in (await refused(STALE.but(api={"node-2": ApiAnswers((answer,))})))[1]


async def test_a_static_pod_is_refused() -> None:
    """Deleting a mirror pod restarts nothing; the manifest does."""
    reason, words = await refused(STALE.but(pods=(MIRROR,)))
    assert reason == "static-pod"
    assert "manifest" in words


async def test_kube_proxy_inside_k3s_is_refused() -> None:
    """There is no pod that could be deleted."""
    reason, words = await refused(STALE.but(pods=(), nodes=(node(1), K3S)))
    assert reason == "embedded"
    assert "v1.37.2+k3s1" in words


@pytest.mark.parametrize(
    ("world", "reason"),
    [
        (STALE.but(pods=(pod("node-1"),)), "no-pod"),
        (STALE.but(pods=(pod("node-2", owner=""),)), "not-daemonset"),
        (STALE.but(pods=(pod("node-2", owner="ReplicaSet/x"),)), "not-daemonset"),
        (STALE.but(pods=(pod("node-2", deleting=True),)), "already-deleting"),
        (STALE.but(pods=Missing("forbidden", "no right")), "cannot-look"),
        (STALE.but(nodes=Missing("unreachable")), "cannot-look"),
        (STALE.but(silent=("node-2",)), "cannot-look"),
        (STALE.but(api={"node-2": ApiAnswers(())}), "cannot-look"),
    ],
)
async def test_every_other_refusal(world: World, reason: str) -> None:
    """Nothing is planned blindly."""
    assert (await refused(world))[0] == reason


async def test_unknown_nodes_are_refused() -> None:
    """Also when none is named."""
    assert await refused(STALE, {"node": "node-9"}) == ("no-node", "There is no node node-9.")
    assert (await refused(STALE, {}))[0] == "no-node"


async def test_unknown_endpoints_and_an_unknown_process_do_no_harm() -> None:
    """The way that the agent found open is enough."""
    assert isinstance(await recorded(STALE.but(addresses=SILENT, processes={"node-2": running(server="")}), NODE), Plan)


async def test_it_helped() -> None:
    """The same facts before and after, from the same check."""
    before = (await CHECK.analyse(target(), STALE.look())).findings
    outcome = REMEDY.verify(before, await CHECK.analyse(target(), World().look()))
    assert outcome.result == "healed"
    assert outcome.before == (
        ("rule for NodePort 30080 on node-2", "REJECT (no endpoints)"),
        ("endpoints in rules on node-2", "0 of 2"),
    )
    assert outcome.after == (
        ("rule for NodePort 30080 on node-2", "as the EndpointSlices want"),
        ("endpoints in rules on node-2", "as the EndpointSlices want"),
    )
    assert outcome.note == "node rules agree with the EndpointSlices on 2 of 2 nodes"


async def test_it_did_not_help() -> None:
    """What is wrong now stands beside what was wrong before."""
    before = (await CHECK.analyse(target(), STALE.look())).findings
    outcome = REMEDY.verify(before, await CHECK.analyse(target(), STALE.look()))
    assert outcome.result == "not-healed"
    assert outcome.before == outcome.after


async def test_another_nodes_lag_is_not_this_ones() -> None:
    """node-1 lags now; node-2 was restarted, and is well."""
    before = (await CHECK.analyse(target(), STALE.look())).findings
    three = (node(1), node(2), node(3))
    after = await CHECK.analyse(target(), World(known={"node-1": OLD}, nodes=three).look())
    assert REMEDY.verify(before, after).result == "healed"


async def test_nobody_can_say() -> None:
    """A silent agent after the restart is no success; nor is a check that could not look at all."""
    before = (await CHECK.analyse(target(), STALE.look())).findings
    outcome = REMEDY.verify(before, await CHECK.analyse(target(), World(silent=("node-2",)).look()))
    assert outcome.result == "unknown"
    assert "the rules on node-2" in outcome.note
    blind = await CHECK.analyse(target(), World(service=Missing("forbidden")).look())
    assert REMEDY.verify(before, blind).result == "unknown"
    elsewhere = await CHECK.analyse(target(), World(silent=("node-1",)).look())
    assert REMEDY.verify(before, elsewhere).result == "healed"


async def test_a_finding_without_a_table_has_facts_too() -> None:
    """An older release's finding, from a queue."""
    bare = tuple(
        msgspec.structs.replace(one, compare=None) for one in (await CHECK.analyse(target(), STALE.look())).findings
    )
    assert REMEDY.verify(bare, await CHECK.analyse(target(), World().look())).before == (("rules on node-2", "stale"),)


def test_it_says_that_it_cannot_be_undone() -> None:
    """On the card, in both languages."""
    assert REMEDY.cannot_undo is not None
    assert re.match("cannot be undone; kube-proxy resyncs by itself", REMEDY.cannot_undo["en"])
