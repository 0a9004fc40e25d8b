"""A pod's volumes as folders on disk: ConfigMaps, Secrets, projected tokens, paths of the node. As the pod's node sees
them: read with the node's own token, so that the Node authorizer has its say.
"""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.lab import atomic
from tests.lab.api import Api, ApiError
from tests.lab.nodes import xtables_lock

Pod = dict[str, Any]
FILE_MODE = 0o644
FROM_API = ("configMap", "secret", "projected", "downwardAPI")


class UnsupportedError(Exception):
    """The stand-in kubelet does not know this kind of volume."""


class MissingKeyError(Exception):
    """A ConfigMap or Secret has not (yet) the key that a pod wants."""


async def materialise(api: Api, pod: Pod, folder: Path, tokens: dict[str, bytes] | None = None) -> dict[str, Path]:
    """Volume name -> path on this machine; called again, it brings the files up to date. tokens: those that the pod
    has been given, which it keeps.
    """
    paths = {}
    for volume in pod["spec"].get("volumes", ()):
        name = volume["name"]
        if "hostPath" in volume:
            paths[name] = _host_path(volume["hostPath"], pod["spec"]["nodeName"])
            continue
        paths[name] = folder / name
        paths[name].mkdir(parents=True, exist_ok=True)
        if any(kind in volume for kind in FROM_API):
            atomic.write(paths[name], await _files(api, pod, volume, {} if tokens is None else tokens))
        elif "emptyDir" not in volume:
            raise UnsupportedError(f"volume {name}: {', '.join(set(volume) - {'name'})}")
    return paths


def objects(pod: Pod) -> set[str]:
    """The API paths of the ConfigMaps and Secrets that its volumes show."""
    return {
        path_of(pod, kind, source[kind])
        for volume in pod["spec"].get("volumes", ())
        for source in _sources(volume)
        for kind in ("configMap", "secret")
        if kind in source
    }


def _sources(volume: dict[str, Any]) -> list[dict[str, Any]]:
    return volume["projected"]["sources"] if "projected" in volume else [volume]


def _host_path(source: dict[str, str], node: str) -> Path:
    path = Path(source["path"])
    if path == Path("/run/xtables.lock"):  # every machine has its own, here on one file system
        path = xtables_lock(node)
    if source.get("type") == "FileOrCreate" and path.is_relative_to("/run"):  # the lab's own; nothing else is made
        path.touch()
    return path


async def _files(api: Api, pod: Pod, volume: dict[str, Any], tokens: dict[str, bytes]) -> atomic.Files:
    how = next(volume[kind] for kind in FROM_API if kind in volume)
    usual = how.get("defaultMode", FILE_MODE)
    files: dict[str, tuple[bytes, int]] = {}
    for source in _sources(volume):
        if "serviceAccountToken" in source:
            wanted = source["serviceAccountToken"]
            key = f"{wanted.get('audience', '')} {wanted.get('expirationSeconds', 0)}"
            if key not in tokens:
                tokens[key] = await _token(api, pod, wanted)
            files[wanted["path"]] = tokens[key], 0o600
        elif "downwardAPI" in source:
            for item in source["downwardAPI"]["items"]:
                files[item["path"]] = field(pod, item["fieldRef"]["fieldPath"], {}).encode(), usual
        elif kind := next((kind for kind in ("configMap", "secret") if kind in source), None):
            found = await data(api, path_of(pod, kind, source[kind]), source[kind])
            files.update((name, (content, mode or usual)) for name, content, mode in _chosen(found, source[kind]))
        else:
            raise UnsupportedError(f"projected source {set(source)}")
    return files


def _chosen(found: Mapping[str, bytes], source: dict[str, Any]) -> Iterator[tuple[str, bytes, int | None]]:
    for item in source.get("items") or [{"key": key, "path": key} for key in found]:
        if item["key"] in found:
            yield item["path"], found[item["key"]], item.get("mode")
        elif not source.get("optional"):
            raise MissingKeyError(f"{source} wants key {item['key']}, which is not there")


def path_of(pod: Pod, kind: str, source: dict[str, Any]) -> str:
    """The API path of what a `configMap` or `secret` source names."""
    return f"{_namespace(pod)}/{kind.lower()}s/{source.get('name') or source['secretName']}"


async def data(api: Api, path: str, source: dict[str, Any]) -> dict[str, bytes]:
    """Key -> content of a ConfigMap or Secret; nothing where an optional one is not there."""
    try:
        thing = await api.call("GET", path)
    except ApiError as error:
        if error.status == 404 and source.get("optional"):
            return {}
        raise
    if "/secrets/" in path:
        return {key: base64.b64decode(text) for key, text in (thing.get("data") or {}).items()}
    binary = {key: base64.b64decode(text) for key, text in (thing.get("binaryData") or {}).items()}
    return {**{key: text.encode() for key, text in (thing.get("data") or {}).items()}, **binary}


async def _token(api: Api, pod: Pod, wanted: dict[str, Any]) -> bytes:
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
    return str(answer["status"]["token"]).encode()


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
