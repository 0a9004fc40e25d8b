"""kube-proxy takes its node for another one: with policy Local it finds none of the node's endpoints."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.lab.breaking import SERVICE, kube_proxies_renewed, patched, scaled, start_anew, until_gets
from tests.lab.cluster import Lab
from tests.lab.faults import LabFault

DAEMON_SET = "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy"


async def _named(lab: Lab, name: str) -> dict[str, Any]:
    """The patch that gives all the same name, once they are started anew."""
    (container,) = (await lab.admin.call("GET", DAEMON_SET))["spec"]["template"]["spec"]["containers"]
    args = [*(one for one in container["args"] if "--hostname-override" not in one), f"--hostname-override={name}"]
    template = {"spec": {"containers": [{**container, "args": args}]}}
    return {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}, "template": template}}


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """One pod, whose node served it; start that node's kube-proxy with the name of another one."""
    async with (
        kube_proxies_renewed(lab),
        scaled(lab, 1),
        patched(lab, SERVICE, {"spec": {"externalTrafficPolicy": "Local"}}),
    ):
        (pod,) = await lab.pods()
        await lab.until_answers({**dict.fromkeys(lab.nodes, "timeout"), pod.node: "200"})
        other = next(name for name in lab.nodes if name != pod.node)
        async with patched(lab, DAEMON_SET, await _named(lab, other)):
            await start_anew(lab, pod.node)
            await until_gets(lab, lab.client, lab.nodes[pod.node].address, "timeout")
            yield


FAULT = LabFault(
    id="kube-proxy-hostname-mismatch", command="svc checkout", broken=broken, beside=("etp-local-no-local-endpoint",)
)
