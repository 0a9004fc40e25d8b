"""The stand-in kubelet with real pods: what they see, how they end, and what is told about them."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.lab import cgroups
from tests.lab.api import MERGE, ApiError
from tests.lab.cluster import Lab
from tests.lab.processes import LabError, until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]

SPACE = "trial"
PODS = f"/api/v1/namespaces/{SPACE}/pods"


class Trial:
    """A namespace for one test's pods."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    async def start(self, name: str, container: dict[str, Any], **spec: Any) -> None:
        """A pod with one container; not waited for."""
        containers = [{"name": "app", "image": "netdiag.test/http", **container}]
        body = {
            "metadata": {"name": name},
            "spec": {"containers": containers, "terminationGracePeriodSeconds": 1, **spec},
        }
        await self.lab.admin.call("POST", PODS, body)

    async def status(self, name: str) -> dict[str, Any]:
        """The status of a pod."""
        status: dict[str, Any] = (await self.lab.admin.call("GET", f"{PODS}/{name}"))["status"]
        return status

    async def until(self, name: str, what: str, *, limit: float = 20) -> dict[str, Any]:
        """Wait until the container's status has `what` in it, as JSON text; that status."""
        found: dict[str, Any] = {}

        async def holds() -> bool:
            found.update(next(iter((await self.status(name)).get("containerStatuses", [])), {}))
            return what in json.dumps(found)

        try:
            await until(f"{name} has {what}", holds, limit=limit)
        except LabError as error:
            raise LabError(f"{error}: {found}") from error
        return found

    async def ready(self, name: str) -> int:
        """Wait until it is ready; its process."""
        found = await self.until(name, '"ready": true')
        return int(found["containerID"].removeprefix("lab://"))

    async def inside(self, name: str, *argv: str) -> str:
        """What a command prints that runs beside a ready pod's process."""
        pid = await self.ready(name)
        return await self.lab.nodes["node-1"].exec("nsenter", f"--target={pid}", "--mount", "--net", *argv)

    async def events(self, space: str = SPACE) -> list[dict[str, Any]]:
        """The events of a namespace."""
        found: list[dict[str, Any]] = (await self.lab.admin.call("GET", f"/api/v1/namespaces/{space}/events"))["items"]
        return found


@pytest_asyncio.fixture(loop_scope="session")
async def trial(lab: Lab) -> AsyncIterator[Trial]:
    """A namespace, gone afterwards with all that is in it."""
    await lab.kubectl("create", "namespace", SPACE)

    async def account() -> bool:
        try:
            return bool(await lab.admin.call("GET", f"/api/v1/namespaces/{SPACE}/serviceaccounts/default"))
        except ApiError:
            return False

    await until("the namespace has its ServiceAccount", account, limit=20)
    yield Trial(lab)
    await lab.kubectl("delete", "namespace", SPACE, limit=60)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            {},
            "search trial.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n",
        ),
        ({"dnsPolicy": "Default"}, "nameserver 172.30.0.1\n"),
        ({"hostNetwork": True}, "nameserver 172.30.0.1\n"),
        (
            {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"},
            "search trial.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n",
        ),
        (
            {
                "dnsPolicy": "None",
                "dnsConfig": {"nameservers": ["10.244.1.9"], "options": [{"name": "ndots", "value": "1"}]},
            },
            "nameserver 10.244.1.9\noptions ndots:1\n",
        ),
    ],
    ids=["ClusterFirst", "Default", "host-network", "with-host-net", "None"],
)
async def test_a_pod_has_the_resolv_conf_of_its_policy(trial: Trial, spec: dict[str, Any], text: str) -> None:
    """In its own mount namespace, at /etc/resolv.conf."""
    await trial.start("one", {"args": ["18080"]}, **spec)
    assert await trial.inside("one", "cat", "/etc/resolv.conf") == text


async def test_a_container_over_its_memory_limit_is_killed_and_says_so(trial: Trial) -> None:
    """OOMKilled with 137, an event at the node, and CrashLoopBackOff afterwards."""
    if "memory" not in cgroups.create_roots():
        pytest.skip("this machine cannot limit memory")
    container = {"image": "netdiag.test/memory", "args": ["200"], "resources": {"limits": {"memory": "48Mi"}}}
    await trial.start("hungry", container)
    found = await trial.until("hungry", "OOMKilled")
    ended = found["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
    await trial.until("hungry", "CrashLoopBackOff")

    async def told() -> bool:
        here, node = await asyncio.gather(trial.events(), trial.events("default"))
        return {"BackOff"} <= {item["reason"] for item in here} and "OOMKilling" in {item["reason"] for item in node}

    await until("events tell of it", told, limit=20)


async def test_a_cpu_limit_holds(trial: Trial) -> None:
    """The kernel has it, for a group that is named after the pod."""
    if "cpu" not in cgroups.create_roots():
        pytest.skip("this machine cannot limit CPU")
    await trial.start("slow", {"resources": {"limits": {"cpu": "100m"}}})
    groups = (await trial.inside("slow", "cat", f"/proc/{await trial.ready('slow')}/cgroup")).splitlines()
    paths = {names: path for _, names, path in (line.split(":", 2) for line in groups)}
    path = paths.get("cpu") or paths[""]
    assert "kubepods-burstable-pod" in path
    files = f"/sys/fs/cgroup/cpu{path}/cpu.cfs_quota_us /sys/fs/cgroup{path}/cpu.max"
    quota = await trial.inside("slow", "sh", "-c", f"cat {files} 2>/dev/null || true")
    assert quota.split()[0] == "10000"


async def test_kubectl_reads_logs_also_of_the_run_before(trial: Trial) -> None:
    """Through the API server and the node's port 10250."""
    await trial.start("speaker", {"image": "netdiag.test/memory", "args": ["1"]})
    pid = await trial.ready("speaker")

    async def said() -> bool:
        return await trial.lab.kubectl("logs", "-n", SPACE, "speaker", "--tail=1") == "holding 1 MiB\n"

    await until("its log says so", said, limit=10)
    await trial.lab.nodes["node-1"].exec("kill", "-9", str(pid))
    await trial.until("speaker", '"restartCount": 1')
    before = await trial.lab.kubectl("logs", "-n", SPACE, "speaker", "-c", "app", "--previous", "--timestamps")
    assert before.endswith("Z holding 1 MiB\n")
    with pytest.raises(LabError, match="nobody"):
        await trial.lab.kubectl("logs", "-n", SPACE, "speaker", "-c", "nobody")


async def test_a_config_map_that_changes_is_seen_within_a_second_or_so(trial: Trial) -> None:
    """By a rename of `..data`, in the running container."""
    path = f"/api/v1/namespaces/{SPACE}/configmaps"
    await trial.lab.admin.call("POST", path, {"metadata": {"name": "c"}, "data": {"Corefile": "one"}})
    mounts = {"volumeMounts": [{"name": "c", "mountPath": "/etc/trial"}]}
    await trial.start("reader", mounts, volumes=[{"name": "c", "configMap": {"name": "c"}}])
    assert await trial.inside("reader", "cat", "/etc/trial/Corefile") == "one"
    await trial.lab.admin.call("PATCH", f"{path}/c", {"data": {"Corefile": "two"}}, kind=MERGE)

    async def seen() -> bool:
        return await trial.inside("reader", "cat", "/etc/trial/Corefile") == "two"

    await until("the change is seen", seen, limit=3)


async def test_an_init_container_comes_first_and_a_secret_is_a_file(trial: Trial) -> None:
    """It has ended well before the container starts."""
    await trial.lab.kubectl("create", "secret", "generic", "-n", SPACE, "s", "--from-literal=key=value")
    first = {"name": "first", "image": "netdiag.test/memory", "args": ["many"]}
    mounts = {"volumeMounts": [{"name": "s", "mountPath": "/etc/trial"}]}
    await trial.start("blocked", mounts, volumes=[{"name": "s", "secret": {"secretName": "s"}}], initContainers=[first])

    async def fails() -> bool:
        return "Error" in json.dumps((await trial.status("blocked")).get("initContainerStatuses"))

    await until("the init container fails", fails, limit=10)
    status = await trial.status("blocked")
    assert status["phase"] == "Pending"
    assert "running" not in status["containerStatuses"][0]["state"]

    await trial.start("open", mounts, volumes=[{"name": "s", "secret": {"secretName": "s"}}])
    assert await trial.inside("open", "cat", "/etc/trial/key") == "value"


async def test_a_container_that_is_not_alive_is_restarted_and_told_of(trial: Trial) -> None:
    """Unhealthy, Killing, a restart; readiness of its own follows an exec probe."""
    bad = {"tcpSocket": {"port": 1}, "periodSeconds": 1, "failureThreshold": 1, "initialDelaySeconds": 1}
    good = {"exec": {"command": ["cat", "/etc/resolv.conf"]}, "periodSeconds": 1}
    await trial.start("sick", {"livenessProbe": bad, "readinessProbe": good})
    await trial.ready("sick")
    await trial.until("sick", '"restartCount": 1')

    async def told() -> bool:
        return {"Unhealthy", "Killing"} <= {item["reason"] for item in await trial.events()}

    await until("events tell of it", told, limit=10)
    unhealthy = next(item for item in await trial.events() if item["reason"] == "Unhealthy")
    assert "connection refused" in unhealthy["message"]
    assert unhealthy["source"]["host"] in trial.lab.nodes


async def test_a_daemon_set_rolls_its_pods_over(trial: Trial) -> None:
    """Every node has a new pod that is ready, and each old one went as it should."""
    container = {"name": "app", "image": "netdiag.test/tcp-echo", "args": ["18081"]}
    container["readinessProbe"] = {"tcpSocket": {"port": 18081}, "periodSeconds": 1}
    template = {
        "metadata": {"labels": {"app": "d"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }
    body = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"app": "d"}}, "template": template}}
    await trial.lab.admin.call("POST", f"/apis/apps/v1/namespaces/{SPACE}/daemonsets", body)
    await trial.lab.kubectl("rollout", "status", "-n", SPACE, "ds/d", "--timeout=30s", limit=35)
    before = await _uids(trial)
    await trial.lab.kubectl("rollout", "restart", "-n", SPACE, "ds/d")
    await trial.lab.kubectl("rollout", "status", "-n", SPACE, "ds/d", "--timeout=40s", limit=45)
    after = await _uids(trial)
    assert len(after) == len(trial.lab.nodes)
    assert not before & after


async def _uids(trial: Trial) -> set[str]:
    found = (await trial.lab.admin.call("GET", f"{PODS}?labelSelector=app%3Dd"))["items"]
    return {item["metadata"]["uid"] for item in found if "deletionTimestamp" not in item["metadata"]}
