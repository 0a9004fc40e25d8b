"""deploy/ as an administrator uses it: rendered by kubectl, judged by a real API server, with the rights it says."""

import asyncio
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab import build
from tests.lab.cluster import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
OVERLAYS = ("in-cluster", "workers-only")
READS = {"get", "list", "watch"}
ANYBODYS = {"clustertrustbundles"}  # every ServiceAccount reads them: system:cluster-trust-bundle-discovery
ABOUT_ONESELF = {"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"}


def rendered(overlay: str) -> dict[tuple[str, str], Any]:
    """What the lab's own kubectl makes of an overlay: (kind, name) -> object."""
    argv = [str(build.binaries()["kubectl"]), "kustomize", str(ROOT / "deploy" / "overlays" / overlay)]
    text = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30).stdout
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(text)}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_what_it_promises(overlay: str) -> None:
    """Nothing stands on the cluster's DNS; two look workers apart; no change worker; the agent's rights are named."""
    objects = rendered(overlay)
    works = {name: one for (kind, name), one in objects.items() if kind in {"Deployment", "DaemonSet", "StatefulSet"}}
    assert ("netdiag-bot" in works) == (overlay == "in-cluster")
    for name, work in works.items():
        pod = work["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["dnsPolicy"] == "Default", name
        assert container["securityContext"]["readOnlyRootFilesystem"], name
        assert container["securityContext"]["capabilities"]["drop"] == ["ALL"], name
        assert container["livenessProbe"], name
        assert container["resources"]["limits"]["memory"], name
    assert works["netdiag-change"]["spec"]["replicas"] == 0
    assert works["netdiag-look"]["spec"]["replicas"] == 2
    agent = works["netdiag-agent"]["spec"]["template"]["spec"]
    security = agent["containers"][0]["securityContext"]
    assert security["capabilities"]["add"] == ["SYS_ADMIN", "SYS_PTRACE", "NET_ADMIN", "NET_RAW", "SYSLOG"]
    assert "privileged" not in security
    assert agent["hostNetwork"]
    assert agent["hostPID"]


def test_every_secret_is_told_to_be_made() -> None:
    """A Secret that a pod waits for is printed by `netdiag keys`, or its command stands in a kustomization."""
    text = json.dumps(list(rendered("in-cluster").values()))
    wanted = set(re.findall(r'"secretName": "([a-z-]+)"', text)) | set(
        re.findall(r'"secretKeyRef": {"key": "[a-z-]+", "name": "([a-z-]+)"}', text)
    )
    told = "".join((ROOT / "deploy" / "overlays" / name / "kustomization.yaml").read_text() for name in OVERLAYS)
    made = set(re.findall(r"create secret generic ([a-z-]+)", told))
    assert wanted == made | {"netdiag-bot-keys", "netdiag-look-keys", "netdiag-change-keys"}


@pytest.mark.parametrize("overlay", OVERLAYS)
async def test_the_api_server_takes_an_overlay_strictly(lab: Lab, overlay: str) -> None:
    """Server-side, with unknown and doubled fields refused, through every admission; nothing is kept of it."""
    folder = str(ROOT / "deploy" / "overlays" / overlay)
    how = ("--server-side", "--force-conflicts", "--validate=strict", "--dry-run=server")
    said = await lab.kubectl("apply", *how, "-k", folder, limit=60)
    assert "deployment.apps/netdiag-look serverside-applied" in said
    assert "daemonset.apps/netdiag-agent serverside-applied" in said


async def rights(lab: Lab, account: str, namespace: str, folder: Path) -> set[tuple[str, str]]:
    """All that an account may do in a namespace, as the API server says it: (verb, resource)."""
    review = folder / f"{account}-{namespace}.json"
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    review.write_text(json.dumps(body))
    groups = ("system:serviceaccounts", "system:serviceaccounts:netdiag", "system:authenticated")
    said = await lab.kubectl(
        f"--as=system:serviceaccount:netdiag:{account}",
        *(f"--as-group={group}" for group in groups),
        "create",
        "--raw=/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
        f"-f{review}",
    )
    status = json.loads(said)["status"]
    assert not status["incomplete"]
    return {
        (verb, resource) for rule in status["resourceRules"] for verb in rule["verbs"] for resource in rule["resources"]
    }


@pytest.mark.parametrize(
    ("account", "changes"),
    [
        ("netdiag-bot", {}),
        ("netdiag-look", {}),
        (
            "netdiag-change",
            {"netdiag": {("create", "configmaps"), ("update", "configmaps")}, "kube-system": {("delete", "pods")}},
        ),
        ("netdiag-agent", {"netdiag": {("create", "configmaps"), ("update", "configmaps")}}),
    ],
)
async def test_a_role_may_change_this_and_nothing_else(
    lab: Lab, tmp_path: Path, account: str, changes: dict[str, set[tuple[str, str]]]
) -> None:
    """Asked of the authorizer itself, in each namespace: no secret is read, nothing executed, nothing else changed."""
    spaces = ("netdiag", "kube-system", "default", "shop")
    asked = await asyncio.gather(*(rights(lab, account, space, tmp_path) for space in spaces))
    for space, may in zip(spaces, asked, strict=True):
        changing = {(verb, what) for verb, what in may if verb not in READS and what not in ABOUT_ONESELF}
        assert changing == changes.get(space, set()), space
        assert not {what for _, what in may} & {"secrets", "*", "pods/exec", "pods/attach", "pods/portforward"}, space
        assert account != "netdiag-bot" or {what for _, what in may} <= ABOUT_ONESELF | ANYBODYS
