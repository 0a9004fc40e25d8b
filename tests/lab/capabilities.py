"""What of the lab can this machine run? Each capability is really tried, inside namespaces that go away again."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

from tests.lab import build, cgroups, namespaces

RULE = "*nat\n:KUBE-X - [0:0]\n-A KUBE-X -m comment --comment x -p tcp -j DNAT --to-destination 10.0.0.1:80\nCOMMIT\n"
VERSION = {"kubectl": ("version", "--client"), "coredns": ("-version",)}
TABLE = """
table ip try {
  map services { type ipv4_addr . inet_proto . inet_service : verdict; elements = { 10.96.0.1 . tcp . 80 : goto svc } }
  chain svc { meta l4proto tcp numgen random mod 2 vmap { 0 : goto one, 1 : goto two }; }
  chain one { meta l4proto tcp dnat to 10.0.0.1:80; }
  chain two { meta l4proto tcp dnat to 10.0.0.2:80; }
  chain pre {
    type nat hook prerouting priority dstnat;
    ip daddr . meta l4proto . th dport vmap @services
    fib daddr type local counter
  }
}
"""
TRACING = """
table ip try-trace {
  chain output { type filter hook output priority -350; udp dport 9 meta nftrace set 1; }
}
"""
DATAGRAM = "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))"


@dataclasses.dataclass(frozen=True)
class Capability:
    """One thing the lab needs. `core`: nothing works without it, and in CI it must not be missing."""

    name: str
    attempt: Callable[[], None]
    needs: str
    core: bool = True


class MissingError(Exception):
    """This machine cannot do it."""


def _call(*argv: str, stdin: str | None = None) -> None:
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingError(str(error)) from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise MissingError(said[-1] if said else f"exit code {done.returncode}")


def _networks() -> None:
    _call("ip", "netns", "add", "try-1")
    _call("ip", "link", "add", "try-a", "type", "veth", "peer", "name", "try-b", "netns", "try-1")


def _bridge() -> None:
    _call("ip", "link", "add", "try-br", "type", "bridge")


def _iptables(backend: str) -> Callable[[], None]:
    def attempt() -> None:
        _call("ip", "netns", "exec", "try-1", f"iptables-{backend}-restore", stdin=RULE)

    return attempt


def _conntrack() -> None:
    _call("ip", "netns", "exec", "try-1", "conntrack", "-L")


def _vxlan() -> None:
    _call("ip", "-n", "try-1", "link", "add", "try-vx", "type", "vxlan", "id", "1", "dstport", "8472", "nolearning")


def _nftables() -> None:
    """What kube-proxy's nftables mode stands on: verdict maps, numgen, fib."""
    _inside("nft", "-f", "-", stdin=TABLE)


def _nft_trace() -> None:
    """A table that marks packets, and a monitor that tells of one."""
    _inside("nft", "-f", "-", stdin=TRACING)
    _hears("trace id", "nft", "monitor", "trace")


def _xtables_monitor() -> None:
    """The same for rules of iptables over nft."""
    _inside("nft", "-f", "-", stdin=TRACING)
    _hears("TRACE:", "xtables-monitor", "--trace")


def _hears(wanted: str, *argv: str) -> None:
    """A monitor in try-1 prints `wanted` of a datagram on its loopback. It ends by itself after two seconds."""
    _inside("ip", "link", "set", "lo", "up")
    command = ["ip", "netns", "exec", "try-1", "timeout", "2", "stdbuf", "-oL", *argv]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as monitor:
        time.sleep(0.3)  # it does not say when it listens
        _inside(sys.executable, "-c", DATAGRAM)
        said, _ = monitor.communicate()
    if wanted not in said:
        raise MissingError(f"it told nothing of a packet: {said.strip()[-200:]!r}")


def _tbf() -> None:
    _inside("tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "20mbit", "burst", "32kbit", "latency", "50ms")
    _inside("tc", "qdisc", "del", "dev", "lo", "root")


def _udp_conntrack() -> None:
    """A datagram that a rule tracks has an entry."""
    _inside("ip", "link", "set", "lo", "up")
    _inside("iptables-nft", "-A", "OUTPUT", "-m", "conntrack", "--ctstate", "NEW", "-p", "udp")
    _inside(sys.executable, "-c", DATAGRAM)
    _inside("conntrack", "-D", "-p", "udp", "--orig-port-dst", "9")


def _inside(*argv: str, stdin: str | None = None) -> None:
    _call("ip", "netns", "exec", "try-1", *argv, stdin=stdin)


def _binaries() -> None:
    try:
        built = build.binaries()
    except build.CannotBuildError as error:
        raise MissingError(str(error)) from error
    for name, path in built.items():
        _call(str(path), *VERSION.get(name, ("--version",)))


def _group(what: str) -> Callable[[], None]:
    def attempt() -> None:
        can = cgroups.create_roots()
        cgroups.remove_roots()
        if what not in can:
            raise MissingError("no hierarchy of control groups that can be written to has it")

    return attempt


CAPABILITIES = (
    Capability("network namespaces, veth", _networks, "root, iproute2"),
    Capability("bridge", _bridge, "the kernel's bridge"),
    Capability("iptables-nft", _iptables("nft"), "Debian package iptables"),
    Capability("iptables-legacy", _iptables("legacy"), "Debian package iptables; the kernel's ip_tables"),
    Capability("nftables", _nftables, "Debian package nftables; the kernel's nf_tables"),
    Capability("VXLAN", _vxlan, "the kernel's vxlan"),
    Capability("conntrack", _conntrack, "Debian package conntrack"),
    Capability("nft trace", _nft_trace, "Debian package nftables; nf_tables", core=False),
    Capability("xtables-monitor", _xtables_monitor, "Debian package iptables; nf_tables", core=False),
    Capability("tbf qdisc", _tbf, "the kernel's sch_tbf", core=False),
    Capability("UDP conntrack", _udp_conntrack, "Debian packages conntrack, iptables; nf_conntrack"),
    Capability("Kubernetes and CoreDNS", _binaries, "python -m tests.lab build"),
    Capability("cgroup v2", _group("v2"), "a hierarchy that root may write to", core=False),
    Capability("CPU limits", _group("cpu"), "the cpu controller, of cgroup v2 or v1", core=False),
    Capability("memory limits", _group("memory"), "the memory controller, of cgroup v2 or v1", core=False),
)


def try_all() -> dict[str, str]:
    """Capability -> why it is missing; those that are there are left out. Needs the lab's namespaces around it."""
    missing = {}
    for capability in CAPABILITIES:
        try:
            capability.attempt()
        except MissingError as error:
            missing[capability.name] = f"{error} (needs {capability.needs})"
    return missing


def missing() -> dict[str, str]:
    """The same from anywhere: tried in namespaces made for it."""
    if os.geteuid() != 0:
        return {"namespaces": "the lab needs root"}
    command = [sys.executable, "-m", "tests.lab", "in", "--", sys.executable, "-m", "tests.lab.capabilities"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        return {"namespaces": f"unshare does not work here: {done.stderr.strip()[-300:]}"}
    found: dict[str, str] = json.loads(done.stdout)
    return found


def report() -> int:
    """Print what is there and what is not; exit code 1 when something that the lab cannot do without is missing."""
    absent = missing()
    core = {"namespaces", *(capability.name for capability in CAPABILITIES if capability.core)}
    for capability in CAPABILITIES:
        if "namespaces" not in absent and capability.name not in absent:
            print(f"yes      {capability.name}")
    for name, why in absent.items():
        print(f"{'MISSING' if name in core else 'no     '}  {name}: {why}")
    return 1 if core & set(absent) else 0


if __name__ == "__main__":
    if not namespaces.inside():
        sys.exit("run it by: python -m tests.lab capabilities")
    print(json.dumps(try_all()))
