"""The stand-in kubelet's decisions, without a cluster."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.lab import atomic, images, launch, volumes
from tests.lab.sandbox import Addresses

POD: dict[str, Any] = {
    "metadata": {"name": "checkout-1", "namespace": "shop", "uid": "u-1"},
    "spec": {"nodeName": "node-1", "serviceAccountName": "default", "volumes": []},
}


class Answers:
    """Stands in for the API server: path -> answer; remembers what was asked."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.bodies: dict[str, Any] = {}

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """The answer that was laid down."""
        del method
        self.bodies[path] = body
        return self.answers[path]


def test_an_image_names_its_app_and_a_command_its_binary(tmp_path: Path) -> None:
    """Nothing but what is listed is ever run."""
    (tmp_path / "kube-proxy").touch()
    app = images.argv({"image": "netdiag.test/http:1"}, ["8080"], tmp_path)
    assert app == [sys.executable, "-I", "-S", str(images.APPS / "http.py"), "8080"]
    proxy = images.argv({"image": "kube-proxy"}, ["/usr/local/bin/kube-proxy", "--v=2"], tmp_path)
    assert proxy == [str(tmp_path / "kube-proxy"), "--v=2"]
    agent = images.argv({"image": "netdiag"}, ["netdiag", "agent"], tmp_path)
    assert Path(agent[0]).name == "netdiag"
    for image, command in (("busybox", ["sh", "-c", "true"]), ("netdiag.test/none", []), ("busybox", [])):
        with pytest.raises(images.NoSuchImageError, match=image):
            images.argv({"image": image}, command, tmp_path)


def test_names_in_a_command_are_replaced_as_kubernetes_does() -> None:
    """A name that is not known stays as it is."""
    assert launch.expand("--node=$(NODE) $(NONE)", {"NODE": "node-1"}) == "--node=node-1 $(NONE)"


def test_the_downward_api_knows_addresses_before_the_status_does() -> None:
    """They come from the kubelet, the rest from the object."""
    assert volumes.field(POD, "status.podIP", {"status.podIP": "10.244.1.2"}) == "10.244.1.2"
    assert volumes.field(POD, "spec.nodeName", {}) == "node-1"


async def test_a_projected_token_is_bound_to_its_pod(tmp_path: Path) -> None:
    """A token of a pod that is deleted is worth nothing."""
    path = "/api/v1/namespaces/shop/serviceaccounts/default/token"
    api = Answers({path: {"status": {"token": "t-1"}}})
    source = {"serviceAccountToken": {"path": "token", "expirationSeconds": 600}}
    pod = {**POD, "spec": {**POD["spec"], "volumes": [{"name": "api", "projected": {"sources": [source]}}]}}
    paths = await volumes.materialise(api, pod, tmp_path)  # type: ignore[arg-type]  # all that is used of it
    assert (paths["api"] / "token").read_text() == "t-1"
    asked = api.bodies[path]["spec"]
    assert asked["expirationSeconds"] == 600
    assert asked["boundObjectRef"] == {"apiVersion": "v1", "kind": "Pod", "name": "checkout-1", "uid": "u-1"}


def _shown(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if not path.name.startswith("..")}


async def test_config_maps_and_secrets_become_files(tmp_path: Path) -> None:
    """All of their keys, or those that are listed; an optional one that is not there is no file."""
    answers = {
        "/api/v1/namespaces/shop/configmaps/c": {"data": {"a": "1", "b": "2"}, "binaryData": {"c": "Mw=="}},
        "/api/v1/namespaces/shop/secrets/s": {"data": {"key": "c2VjcmV0"}},
    }
    whole = {"name": "whole", "configMap": {"name": "c"}}
    part = {"name": "part", "configMap": {"name": "c", "items": [{"key": "b", "path": "x"}]}}
    secret = {"name": "secret", "secret": {"secretName": "s", "defaultMode": 0o400}}
    pod = {**POD, "spec": {"volumes": [whole, part, secret]}}
    paths = await volumes.materialise(Answers(answers), pod, tmp_path)  # type: ignore[arg-type]  # see above
    assert _shown(paths["whole"]) == {"a": "1", "b": "2", "c": "3"}
    assert _shown(paths["part"]) == {"x": "2"}
    assert _shown(paths["secret"]) == {"key": "secret"}
    assert (paths["secret"] / "key").stat().st_mode & 0o777 == 0o400
    assert volumes.objects(pod) == set(answers)


async def test_a_key_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    """Rather than a pod that starts without its file."""
    answers = {"/api/v1/namespaces/shop/configmaps/c": {"data": {}}}
    source = {"name": "c", "items": [{"key": "b", "path": "x"}]}
    pod = {**POD, "spec": {"volumes": [{"name": "v", "configMap": source}]}}
    with pytest.raises(volumes.MissingKeyError, match="wants key b"):
        await volumes.materialise(Answers(answers), pod, tmp_path)  # type: ignore[arg-type]  # see above


def test_files_change_all_at_once(tmp_path: Path) -> None:
    """One link is replaced; what is gone is not shown any more, and what has not changed is not written again."""
    assert atomic.write(tmp_path, {"Corefile": (b"one", 0o644), "old": (b"", 0o644)})
    first = (tmp_path / atomic.DATA).readlink()
    assert not atomic.write(tmp_path, {"Corefile": (b"one", 0o644), "old": (b"", 0o644)})
    assert (tmp_path / "Corefile").readlink() == Path("..data/Corefile")
    assert atomic.write(tmp_path, {"Corefile": (b"two", 0o644), "sub/new": (b"3", 0o644)})
    assert (tmp_path / "Corefile").read_text() == "two"
    assert (tmp_path / "sub" / "new").read_text() == "3"
    assert (tmp_path / atomic.DATA).readlink() != first
    assert {path.name for path in tmp_path.iterdir()} == {
        "..data",
        (tmp_path / atomic.DATA).readlink().name,
        "Corefile",
        "sub",
    }


async def test_an_environment_comes_from_values_fields_and_objects(tmp_path: Path) -> None:
    """In the order of Kubernetes: envFrom first, then env, which may refer to what stands before it."""
    answers = {"/api/v1/namespaces/shop/configmaps/c": {"data": {"A": "1", "B": "2"}}}
    spec = {
        "envFrom": [{"prefix": "C_", "configMapRef": {"name": "c"}}],
        "env": [
            {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "B"}}},
            {"name": "NONE", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "N", "optional": True}}},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
            {"name": "BOTH", "value": "$(C_A)$(B)"},
        ],
    }
    node = SimpleNamespace(address="172.30.0.11")
    context = SimpleNamespace(api=Answers(answers), path=str(tmp_path), node=node)
    env = await launch.environment(context, POD, spec, "10.244.1.2")  # type: ignore[arg-type]  # all that is used of it
    assert {name: env[name] for name in ("C_A", "B", "NODE", "BOTH")} == {
        "C_A": "1",
        "B": "2",
        "NODE": "172.30.0.11",
        "BOTH": "12",
    }
    assert "NONE" not in env


async def test_a_volume_that_is_not_known_is_said_so(tmp_path: Path) -> None:
    """Rather than a pod that starts with an empty folder."""
    pod = {**POD, "spec": {"volumes": [{"name": "data", "nfs": {}}]}}
    with pytest.raises(volumes.UnsupportedError, match="data: nfs"):
        await volumes.materialise(Answers({}), pod, tmp_path)  # type: ignore[arg-type]  # see above


def test_a_pod_address_is_given_out_again_as_late_as_possible() -> None:
    """A stale rule must lead to nobody, not to a new pod."""
    addresses = Addresses("10.244.1")
    first = addresses.take()
    addresses.give_back(first)
    assert first == "10.244.1.2"
    assert addresses.take() == "10.244.1.3"
