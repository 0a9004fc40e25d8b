"""Which process is this node's kube-proxy, and what was it told?

Several nodes may share one view of all processes (in a lab they do), so the process must also be in this agent's own
network namespace. Its files are read as it sees them; of a kubeconfig nothing but the server's address is kept.
"""

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import msgspec
import yaml

from workers.agent import inroot
from workers.agent.host import ProbeFailed

NAME = "kube-proxy"
HEALTHZ, METRICS = ("127.0.0.1", 10256), ("127.0.0.1", 10249)  # kube-proxy's defaults, as seen from the node
HOST = re.compile(r"[A-Za-z0-9.:-]{1,253}")


class Process(msgspec.Struct, frozen=True):
    """A process: `state` is the letter of /proc/PID/stat, `started` a Unix time."""

    pid: int
    state: str
    started: float
    argv: tuple[str, ...]


class Told(msgspec.Struct, frozen=True):
    """What kube-proxy was told: the API server's URL ("" when that cannot be read), and where it answers."""

    server: str = ""
    healthz: tuple[str, int] = HEALTHZ
    metrics: tuple[str, int] = METRICS


def find(proc: Path) -> Process | None:
    """The kube-proxy of this network namespace; the youngest, if an old one is still dying.

    Raises ProbeFailed when a process of that name may not be looked at: it may be the one.
    """
    ours = (proc / "self/ns/net").stat()
    found: list[Process] = []
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            argv = (folder / "cmdline").read_bytes().split(b"\0")
            if NAME not in ((folder / "comm").read_text().strip(), PurePosixPath(os.fsdecode(argv[0])).name):
                continue
            space = (folder / "ns/net").stat()
            if (space.st_dev, space.st_ino) == (ours.st_dev, ours.st_ino):
                found.append(_process(proc, int(folder.name), tuple(os.fsdecode(part) for part in argv if part)))
        except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile, or is a zombie
            continue
        except PermissionError as error:
            raise ProbeFailed(
                f"process {folder.name} may be kube-proxy, and its network namespace may not be read: "
                "the agent needs CAP_SYS_PTRACE"
            ) from error
    return max(found, key=lambda process: (process.started, process.pid), default=None)


def _process(proc: Path, pid: int, argv: tuple[str, ...]) -> Process:
    fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()  # the name before may hold anything
    booted = next(line for line in (proc / "stat").read_text().splitlines() if line.startswith("btime "))
    ticks = os.sysconf("SC_CLK_TCK")
    return Process(pid=pid, state=fields[0], started=int(booted.split()[1]) + int(fields[19]) / ticks, argv=argv)


def told(proc: Path, process: Process) -> Told:
    """From its arguments and files. What cannot be read keeps its default: that is no reason to know nothing."""
    flags = _flags(process.argv)
    config = _yaml(proc, process.pid, flags["config"]) if "config" in flags else {}
    if "config" in flags:  # then kube-proxy heeds only --master of these flags
        connection = _mapping(config.get("clientConnection"))
        kubeconfig = str(connection.get("kubeconfig") or "")
        healthz, metrics = config.get("healthzBindAddress"), config.get("metricsBindAddress")
    else:
        kubeconfig = flags.get("kubeconfig", "")
        healthz, metrics = flags.get("healthz-bind-address"), flags.get("metrics-bind-address")
    server = flags.get("master", "") or (server_of(_yaml(proc, process.pid, kubeconfig)) if kubeconfig else "")
    return Told(server=plain_url(server), healthz=_local(healthz, HEALTHZ), metrics=_local(metrics, METRICS))


def _flags(argv: tuple[str, ...]) -> dict[str, str]:
    flags: dict[str, str] = {}
    for place, word in enumerate(argv[1:], start=1):
        name, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and (equals or place + 1 < len(argv)):
            flags[name] = value if equals else argv[place + 1]
    return flags


def _yaml(proc: Path, pid: int, path: str) -> dict[str, Any]:
    root = proc / str(pid) / "root"
    try:
        full = path if path.startswith("/") else f"{(proc / str(pid) / 'cwd').readlink()}/{path}"
        return _mapping(yaml.safe_load(inroot.read(root, full)))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _named(items: object, name: object) -> dict[str, Any]:
    entries = [_mapping(item) for item in items] if isinstance(items, list) else []
    return next((entry for entry in entries if entry.get("name") == name), {})


def server_of(kubeconfig: dict[str, Any]) -> str:
    """The server of the current context's cluster, or ""."""
    context = _mapping(_named(kubeconfig.get("contexts"), kubeconfig.get("current-context")).get("context"))
    cluster = _mapping(_named(kubeconfig.get("clusters"), context.get("cluster")).get("cluster"))
    return str(cluster.get("server") or "")


def plain_url(text: str) -> str:
    """`scheme://host:port` and nothing else: a URL can hold a password. "" when it is no such URL."""
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not HOST.fullmatch(host):
        return ""
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}:{port or (443 if parts.scheme == 'https' else 80)}"


def _local(bound: object, default: tuple[str, int]) -> tuple[str, int]:
    """Where to ask what listens on `bound`; a wildcard answers on loopback as well."""
    host, _, port = str(bound or "").rpartition(":")
    host = host.strip("[]")
    if not HOST.fullmatch(host) or not port.isdigit():
        return default
    return {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}.get(host, host), int(port)
