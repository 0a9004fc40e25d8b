"""Scenes on a real kernel, each in network, mount and pid namespaces of its own: `python -m tests.agent.scenes NAME`.

A scene sets something up, takes a probe's look, and prints what was seen as JSON. Nothing of it is left afterwards.
"""

import asyncio
import http.server
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from tests.agent.ruleset import CHECKOUT, TEXT
from workers.agent.host import Host
from workers.agent.identity import Identity
from workers.agent.probes import load
from workers.core.evidence.kube_proxy import ProxyProcess
from workers.core.evidence.reach import ApiReach, Connect
from workers.core.query import NodeQuery

UNSHARE = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc")
ADDRESS, PORT = "10.9.9.9", 6443  # on lo of the namespace
PRIVATE = "mount -t tmpfs tmpfs /run && ip link set lo up && ip address add 10.9.9.9/32 dev lo && exec "


def command(name: str) -> list[str]:
    """What runs a scene."""
    return [*UNSHARE, "sh", "-c", PRIVATE + '"$@"', "sh", sys.executable, "-m", "tests.agent.scenes", name]


def look(query: NodeQuery[Any]) -> Any:
    """The probe's answer, as a worker would read it."""
    probe = load()[str(query.__struct_config__.tag)]
    return msgspec.to_builtins(asyncio.run(probe.take(query, Host())))


def run(*argv: str, stdin: str = "") -> str:
    """A program that must succeed; its output."""
    return subprocess.run(argv, input=stdin, check=True, capture_output=True, text=True).stdout


def legacy_names() -> str:
    """The tables of iptables-legacy in this namespace."""
    path = Path("/proc/self/net/ip_tables_names")
    return path.read_text() if path.exists() else ""


def rules_nft() -> Any:
    """kube-proxy's rules in iptables-nft."""
    run("iptables-nft-restore", stdin=TEXT)
    return look(CHECKOUT) | {"legacy": legacy_names()}


def rules_legacy() -> Any:
    """kube-proxy's rules in iptables-legacy."""
    run("iptables-legacy-restore", stdin=TEXT)
    return look(CHECKOUT)


def rules_both() -> Any:
    """kube-proxy's rules in iptables-legacy, the kubelet's in iptables-nft."""
    run("iptables-legacy-restore", stdin=TEXT)
    run("iptables-nft", "-t", "mangle", "-N", "KUBE-KUBELET-CANARY")
    return look(CHECKOUT)


def rules_clean() -> Any:
    """No rules at all; a look must not make tables."""
    return look(CHECKOUT) | {"legacy": legacy_names(), "nft": run("nft", "list", "ruleset")}


def connections() -> Any:
    """One address for each fate of a connection; each is tried once."""
    run("ip", "link", "add", "out", "type", "veth", "peer", "name", "far")
    run("ip", "link", "set", "out", "up")
    run("ip", "link", "set", "far", "up")
    run("ip", "route", "add", "192.0.2.0/29", "dev", "out")
    run("ip", "neighbour", "add", "192.0.2.1", "lladdr", "02:00:00:00:00:01", "dev", "out")
    run("ip", "route", "add", "blackhole", "192.0.2.8/32")
    run("ip", "route", "add", "prohibit", "192.0.2.9/32")
    run("ip", "route", "add", "unreachable", "192.0.2.10/32")
    run("iptables-nft", "-A", "OUTPUT", "-d", "192.0.2.2", "-j", "REJECT")
    wanted = {"open": (ADDRESS, PORT), "closed": (ADDRESS, 1), "silent": ("192.0.2.1", 80), "reject": ("192.0.2.2", 80)}
    wanted |= {"blackhole": ("192.0.2.8", 80), "prohibit": ("192.0.2.9", 80), "unreachable": ("192.0.2.10", 80)}
    wanted |= {"no route": ("203.0.113.1", 80)}
    serve(ADDRESS, PORT)
    return {name: look(Connect(node="n", host=host, port=port, timeout=0.5)) for name, (host, port) in wanted.items()}


class Handler(http.server.BaseHTTPRequestHandler):
    """/healthz, /metrics and /proxyMode as kube-proxy has them; 401 for the rest, as an API server."""

    TEXTS = {  # noqa: RUF012 - constant
        "/healthz": "{}",
        "/proxyMode": "iptables",
        "/metrics": 'kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="IPv4"} 1.7e+09\n',
    }

    def do_GET(self) -> None:
        """Answer."""
        text = self.TEXTS.get(self.path)
        body = (text or "").encode()
        self.send_response(401 if text is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def serve(address: str, port: int, *, tls: bool = False) -> None:
    """A server in a thread, for as long as this process lives."""
    server = http.server.ThreadingHTTPServer((address, port), Handler)
    if tls:
        server.socket = Identity("n", now=0).ssl_context().wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def kube_proxy() -> None:
    """A stand-in: kube-proxy's two ports. The real one is the lab's."""
    serve("0.0.0.0", 10256)
    serve("127.0.0.1", 10249)
    print("ready", flush=True)
    time.sleep(60)


def start_proxy(*argv: str, namespace: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """A process whose first argument is kube-proxy, when it is ready."""
    code = "import sys; sys.argv[1:] = []; from tests.agent import scenes; scenes.kube_proxy()"
    inner = f'exec -a kube-proxy "{sys.executable}" -c "{code}" "$@"'
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}  # under another name, Python finds no venv
    process = subprocess.Popen(
        [*namespace, "bash", "-c", inner, "bash", *argv], stdout=subprocess.PIPE, text=True, env=env
    )
    if process.stdout is None or process.stdout.readline() != "ready\n":
        raise RuntimeError("the stand-in for kube-proxy did not start")
    return process


def proxy_states() -> Any:
    """None; one in another namespace only; ours; ours stopped; ours killed."""
    query = ProxyProcess(node="n")
    seen = {"none": look(query)}
    others = start_proxy(namespace=("unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"))
    seen["elsewhere"] = look(query)
    folder = Path("/run/kube-proxy")
    folder.mkdir()
    (folder / "config").write_text("clientConnection: {kubeconfig: /run/kube-proxy/kubeconfig}")
    cluster = {"name": "k", "cluster": {"server": f"https://user:secret@{ADDRESS}:{PORT}"}}
    context = {"name": "c", "context": {"cluster": "k"}}
    kubeconfig = {"current-context": "c", "contexts": [context], "clusters": [cluster]}
    (folder / "kubeconfig").write_bytes(msgspec.json.encode(kubeconfig))
    ours = start_proxy("--config=/run/kube-proxy/config")
    seen["ours"] = look(query) | {"right": ours.pid}
    os.kill(ours.pid, signal.SIGSTOP)
    os.waitpid(ours.pid, os.WUNTRACED)  # a busy machine stops it a little later
    seen["stopped"] = look(query)
    serve(ADDRESS, PORT, tls=True)
    seen["api"] = look(ApiReach(node="n", addresses=("192.0.2.1:6443",)))
    run("iptables-nft", "-A", "OUTPUT", "-d", ADDRESS, "-p", "tcp", "--dport", str(PORT), "-j", "DROP")
    seen["api cut"] = look(ApiReach(node="n"))
    os.kill(ours.pid, signal.SIGKILL)
    os.waitid(os.P_PID, ours.pid, os.WEXITED | os.WNOWAIT)
    seen["killed"] = look(query)  # a zombie, as nobody has waited for it
    ours.wait()
    others.kill()
    others.wait()
    return seen


SCENES: dict[str, Callable[[], Any]] = {
    scene.__name__: scene for scene in (rules_nft, rules_legacy, rules_both, rules_clean, connections, proxy_states)
}

if __name__ == "__main__":
    print(msgspec.json.encode(SCENES[sys.argv[1]]()).decode())
