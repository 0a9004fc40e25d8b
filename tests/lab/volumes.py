"""A pod's volumes as folders on disk: ConfigMaps, projected tokens, paths of the node. As the pod's node sees them:
read with the node's own token, so that the Node authorizer has its say.
"""

from pathlib import Path
from typing import Any

from tests.lab.api import Api
from tests.lab.nodes import xtables_lock

Pod = dict[str, Any]


class UnsupportedError(Exception):
    """The stand-in kubelet does not know this kind of volume."""


async def materialise(api: Api, pod: Pod, folder: Path) -> dict[str, Path]:
    """Volume name -> path on this machine."""
    paths = {}
    for volume in pod["spec"].get("volumes", ()):
        name = volume["name"]
        if "hostPath" in volume:
            paths[name] = _host_path(volume["hostPath"], pod["spec"]["nodeName"])
            continue
        paths[name] = folder / name
        paths[name].mkdir(parents=True, exist_ok=True)
        await _fill(api, pod, volume, paths[name])
    return paths


async def _fill(api: Api, pod: Pod, volume: dict[str, Any], folder: Path) -> None:
    if "configMap" in volume:
        await _config_map(api, pod, volume["configMap"], folder)
    elif "projected" in volume:
        for source in volume["projected"]["sources"]:
            await _projected(api, pod, source, folder)
    elif "emptyDir" not in volume:
        raise UnsupportedError(f"volume {volume['name']}: {', '.join(set(volume) - {'name'})}")


def _host_path(source: dict[str, str], node: str) -> Path:
    path = Path(source["path"])
    if path == Path("/run/xtables.lock"):  # every machine has its own, here on one file system
        path = xtables_lock(node)
    if source.get("type") == "FileOrCreate" and path.is_relative_to("/run"):  # the lab's own; nothing else is made
        path.touch()
    return path


async def _config_map(api: Api, pod: Pod, source: dict[str, Any], folder: Path) -> None:
    data = (await api.call("GET", f"{_namespace(pod)}/configmaps/{source['name']}")).get("data", {})
    items = source.get("items") or [{"key": key, "path": key} for key in data]
    for item in items:
        (folder / item["path"]).write_text(data[item["key"]])


async def _projected(api: Api, pod: Pod, source: dict[str, Any], folder: Path) -> None:
    if "configMap" in source:
        await _config_map(api, pod, source["configMap"], folder)
    elif "downwardAPI" in source:
        for item in source["downwardAPI"]["items"]:
            (folder / item["path"]).write_text(field(pod, item["fieldRef"]["fieldPath"], {}))
    elif "serviceAccountToken" in source:
        wanted = source["serviceAccountToken"]
        target = folder / wanted["path"]
        target.write_text(await _token(api, pod, wanted))
        target.chmod(0o600)
    else:
        raise UnsupportedError(f"projected source {set(source)}")


async def _token(api: Api, pod: Pod, wanted: dict[str, Any]) -> str:
    meta = pod["metadata"]
    spec: dict[str, Any] = {
        # 3607 s is what the API server knows as "a pod's default token", and extends (its clients reread the file).
        "expirationSeconds": wanted.get("expirationSeconds", 3607),
        "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]},
    }
    if "audience" in wanted:
        spec["audiences"] = [wanted["audience"]]
    path = f"{_namespace(pod)}/serviceaccounts/{pod['spec']['serviceAccountName']}/token"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    answer = await api.call("POST", path, body)
    token: str = answer["status"]["token"]
    return token


def _namespace(pod: Pod) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}"


def field(pod: Pod, path: str, addresses: dict[str, str]) -> str:
    """A field of the downward API. addresses: `status.hostIP` and `status.podIP`, known to the kubelet first."""
    if path in addresses:
        return addresses[path]
    value: Any = pod
    for part in path.split("."):
        value = value[part]
    return str(value)
