"""The guide's case 1 in a real cluster, by hand: it can be broken both ways, and healed."""

import asyncio
import json
import os
import signal

import pytest

from tests.lab import workloads
from tests.lab.cluster import Lab
from tests.lab.processes import LabError

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]

STALE, CUT = "kube-proxy-stale-rules", "kube-proxy-apiserver-unreachable"
WELL = {"node-1": "200", "node-2": "200", "node-3": "200"}
BROKEN = {**WELL, "node-2": "refused"}


async def test_a_healthy_lab_serves_somebody_outside_at_every_node(lab: Lab) -> None:
    """Every node answers at the Service's NodePort, by its own kube-proxy's rules."""
    assert await lab.answers() == WELL
    for node in lab.nodes.values():
        assert '--comment "shop/checkout:http' in await node.exec("iptables-save", "-t", "nat")


async def test_a_frozen_kube_proxy_leaves_stale_rules_and_a_new_pod_heals_them(lab: Lab) -> None:
    """The process ignores SIGTERM, so that the pod's end is a SIGKILL; its successor resyncs."""
    fault = lab.fault(STALE)
    await fault.inject()
    try:
        assert await lab.answers() == BROKEN
        assert "shop/checkout:http has no endpoints" in await lab.nodes["node-2"].exec("iptables-save", "-t", "filter")
        (frozen,) = lab.nodes["node-2"].pids("kube-proxy")
        await workloads.restart_kube_proxy(lab, "node-2")
        await lab.until_answers(WELL)
        assert frozen not in lab.nodes["node-2"].pids("kube-proxy")
    finally:
        await fault.recover()


async def test_a_frozen_kube_proxy_that_goes_on_catches_up_by_itself(lab: Lab) -> None:
    """Recovery without a restart, too, ends with a healthy cluster."""
    fault = lab.fault(STALE)
    await fault.inject()
    await fault.recover()
    assert await lab.answers() == WELL


async def test_a_cut_node_keeps_its_old_rules_although_kube_proxy_runs(lab: Lab) -> None:
    """The open watch is dead: what changes afterwards does not arrive, and a new kube-proxy does not help."""
    fault = lab.fault(CUT)
    await fault.inject()
    try:
        await asyncio.sleep(3)  # longer than kube-proxy's own delay between two syncs
        assert await lab.answers() == BROKEN
        await workloads.restart_kube_proxy(lab, "node-2")
        with pytest.raises(LabError, match="node-2"):
            await lab.until_answers(WELL, limit=3)
    finally:
        await fault.recover()
    assert await lab.answers() == WELL
    assert "6443" not in await lab.nodes["node-2"].exec("iptables-save", "-t", "filter")


async def test_a_container_that_ends_is_started_again_and_counted(lab: Lab) -> None:
    """The stand-in kubelet keeps pods running, and says so in their status."""
    query = "/api/v1/namespaces/shop/pods?labelSelector=app%3Dcheckout"
    before = (await lab.admin.call("GET", query))["items"][0]["metadata"]["name"]
    pid = int(await _container_pid(lab, before))
    os.kill(pid, signal.SIGKILL)
    status: dict[str, object] = {}
    for _ in range(50):
        pod = await lab.admin.call("GET", f"/api/v1/namespaces/shop/pods/{before}")
        status = pod["status"]["containerStatuses"][0]
        if status["restartCount"] == 1 and status["ready"]:
            break
        await asyncio.sleep(0.2)
    assert status["restartCount"] == 1
    assert status["ready"] is True
    assert status["lastState"]["terminated"]["exitCode"] == 137  # type: ignore[index]  # an untyped answer
    await lab.healthy()


async def _container_pid(lab: Lab, pod: str) -> str:
    status = (await lab.admin.call("GET", f"/api/v1/namespaces/shop/pods/{pod}"))["status"]
    return str(status["containerStatuses"][0]["containerID"]).removeprefix("lab://")


async def test_netdiags_roles_may_look_and_no_more(lab: Lab) -> None:
    """The look role reads nodes and may not delete pods; the agents' tokens are bound to their pods."""
    kubectl = str(lab.binaries / "kubectl")
    for who, words, wanted in (
        ("look", ("list", "nodes"), "yes"),
        ("look", ("delete", "pods", "-n", "kube-system"), "no"),
        ("look", ("list", "secrets", "-n", "kube-system"), "no"),
        ("change", ("delete", "pods", "-n", "kube-system"), "yes"),
        ("change", ("delete", "pods", "-n", "shop"), "no"),
    ):
        argv = [kubectl, f"--kubeconfig={lab.kubeconfig(who)}", "auth", "can-i", *words]
        process = await asyncio.create_subprocess_exec(
            *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        out, _ = await process.communicate()
        assert out.decode().strip() == wanted, (who, words)


async def test_an_agents_kubeconfig_is_that_of_its_pod(lab: Lab) -> None:
    """Its token names the pod and the node, so that an admission policy can tell one node's agent from another's."""
    said = await workloads.who_am_i(lab, "agent-node-2")
    assert said["username"] == "system:serviceaccount:netdiag:netdiag-agent"
    assert said["extra"]["authentication.kubernetes.io/node-name"] == ["node-2"]
    assert json.dumps(said["extra"]).count("netdiag-agent-") == 1
