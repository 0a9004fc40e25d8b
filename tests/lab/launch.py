"""How does a container's process start: in which networks, mounts, groups, with which environment and arguments?"""

import asyncio
import dataclasses
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.lab import images, volumes
from tests.lab.context import NodeContext
from tests.lab.processes import LabError, run

ENTER = Path(__file__).parent / "enter.py"


@dataclasses.dataclass(frozen=True)
class Place:
    """What the containers of a pod share. network: a path; mounts: files of /etc; group: below the lab's folder."""

    network: str
    address: str
    paths: Mapping[str, Path]
    mounts: Mapping[str, Path]
    group: str


async def environment(context: NodeContext, pod: dict[str, Any], spec: dict[str, Any], address: str) -> dict[str, str]:
    """A container's environment. Raises KeyError for what is not known here, and what `Api.call` raises."""
    env = {
        "PATH": f"{context.path}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "HOSTNAME": pod["metadata"]["name"],
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        "KUBERNETES_SERVICE_PORT": "443",
    }
    addresses = {"status.hostIP": context.node.address, "status.podIP": address}
    for item in spec.get("envFrom", ()):
        kind, source = next((kind, item[kind]) for kind in ("configMapRef", "secretRef") if kind in item)
        data = await volumes.data(context.api, volumes.path_of(pod, kind.removesuffix("Ref"), source), source)
        env.update((item.get("prefix", "") + name, value.decode()) for name, value in data.items())
    for item in spec.get("env", ()):
        source = item.get("valueFrom")
        if source is None:
            env[item["name"]] = expand(item.get("value", ""), env)
        elif "fieldRef" in source:
            env[item["name"]] = volumes.field(pod, source["fieldRef"]["fieldPath"], addresses)
        else:
            kind, source = next((kind, source[kind]) for kind in ("configMapKeyRef", "secretKeyRef") if kind in source)
            data = await volumes.data(context.api, volumes.path_of(pod, kind.removesuffix("KeyRef"), source), source)
            if source["key"] in data or not source.get("optional"):
                env[item["name"]] = data[source["key"]].decode()
    return env


def expand(text: str, env: Mapping[str, str]) -> str:
    """`$(NAME)` replaced; a name that is not known stays as it is."""
    return re.sub(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)", lambda found: env.get(found[1], found[0]), text)


async def start(
    context: NodeContext, spec: dict[str, Any], place: Place, *, env: dict[str, str], groups: list[Path], output: int
) -> asyncio.subprocess.Process:
    """Its process, which by now executes its command. Raises NoSuchImageError. output: a file descriptor."""
    words = [expand(word, env) for word in (*spec.get("command", ()), *spec.get("args", ()))]
    executed, entered = os.pipe()
    what = {
        "network": place.network,
        "mounts": [
            *((str(source), target, False) for target, source in place.mounts.items()),
            *(_mount(place, mount) for mount in spec.get("volumeMounts", ())),
        ],
        "cgroups": [str(group) for group in groups],
        "env": env,
        "started": entered,
    }
    try:
        what["argv"] = images.argv(spec, words, context.binaries)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(ENTER), json.dumps(what)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=(entered,),
        )
    except BaseException:
        os.close(executed)
        raise
    finally:
        os.close(entered)
    try:
        await _until_closed(executed)
    except BaseException:
        process.kill()
        raise
    return process


async def _until_closed(reading: int) -> None:
    """Wait until nobody has the other end of a pipe open any more: a process has executed its command, or ended."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb"))
    try:
        await reader.read()
    finally:
        transport.close()


def _mount(place: Place, mount: dict[str, Any]) -> tuple[str, str, bool]:
    source = place.paths[mount["name"]] / mount.get("subPath", "")
    return str(source), mount["mountPath"], mount.get("readOnly", False)


async def run_inside(pid: int, env: dict[str, str], argv: list[str], limit: float) -> tuple[bool, str]:
    """Run a command beside a container's process: did it end well, and what did it say?"""
    enter = ("nsenter", "--target", str(pid), "--mount", "--net", "--")
    try:
        return True, await run(*enter, *argv, env={**os.environ, **env}, limit=limit)
    except LabError as error:
        return False, str(error)
