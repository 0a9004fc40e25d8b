"""Does CoreDNS take the arguments of the plugins that answer from the cluster: kubernetes, k8s_external, autopath?"""

import re
from collections.abc import Callable

from workers.analysis.corefile import names
from workers.analysis.corefile.setup import Setup
from workers.parsers import go_values

LONGEST_TTL = 3600  # seconds
POD_MODES = ("disabled", "verified", "insecure")
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_KEY = rf"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*/)?{_PART}"
_NOT_A_WORD = r"(?!in\b|notin\b)"  # these two are operators
_LABEL = re.compile(
    rf"\s*(?:{_NOT_A_WORD}{_KEY}\s*(?:==?|!=)\s*{_NOT_A_WORD}{_PART}"
    rf"|{_NOT_A_WORD}{_KEY}\s+(?:not)?in\s*\(\s*{_NOT_A_WORD}{_PART}(?:\s*,\s*{_NOT_A_WORD}{_PART})*\s*\)"
    rf"|!?\s*{_NOT_A_WORD}{_KEY})\s*"
)
_SERVER = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?/?|[a-z0-9.-]+:[0-9]{1,5}", re.ASCII)


class _Seen:
    def __init__(self) -> None:
        self.flags: set[str] = set()
        self.multicluster: list[str] = []


def kubernetes(setup: Setup) -> None:
    """plugin/kubernetes/setup.go. In the cluster, its account and address are taken to be there."""
    for _ in setup.uses(once=True):
        zones = names.origins(setup.args(), setup.keys)
        if all(names.is_reverse(zone) for zone in zones):
            setup.refuse("it needs one zone that is not a reverse zone")
        seen = _Seen()
        for option in setup.block():
            seen.flags.add(option)
            _option(setup, option, seen)
        if {"namespaces", "namespace_labels"} <= seen.flags:
            setup.refuse("namespaces and namespace_labels exclude each other")
        foreign = [zone for zone in seen.multicluster if zone not in zones]
        if foreign:
            setup.refuse(f"the multicluster zone {foreign[0]} is none of its own zones")
        if {"zonal", "noendpoints"} <= seen.flags:
            setup.refuse("zonal needs the endpoints that noendpoints leaves out")


def _option(setup: Setup, option: str, seen: _Seen) -> None:
    if option == "multicluster":
        seen.multicluster = names.origins(setup.args(), [])
    elif option in OPTIONS:
        OPTIONS[option](setup)
    else:
        setup.unknown()


def _pods(setup: Setup) -> None:
    (mode,) = setup.exactly(1)
    if mode not in POD_MODES:
        setup.refuse(f"pods takes {', '.join(POD_MODES)}, not `{mode}`")


def _ignore(setup: Setup) -> None:
    args = setup.args()
    if args and args[0] != "empty_service":
        setup.refuse(f"ignore takes empty_service, not `{args[0]}`")


def _startup_timeout(setup: Setup) -> None:
    if setup.duration(setup.count(setup.args(), 1)[0]) <= 0:
        setup.at_start("it waits for the API with a timer that cannot be set to nothing")


def _endpoint(setup: Setup) -> None:
    address = setup.count(setup.args(), 1)[0]
    if not _SERVER.fullmatch(address):
        setup.unsure(f"whether the client takes `{address}` for an API server is not judged")


def _certificates(setup: Setup) -> None:
    setup.exactly(3)
    setup.unsure("the certificates are files of the pod")


def _kubeconfig(setup: Setup) -> None:
    path = setup.count(setup.args(), 1, 2)[0]
    setup.unsure(f"{path} is a file of the pod")


def _qps(setup: Setup) -> None:
    (text,) = setup.exactly(1)
    value = go_values.float32(text)
    if value is None or value < 0:
        setup.refuse(f"apiserver_qps takes a number from 0 up, not `{text}`")


def _labels(setup: Setup, selector: str) -> None:
    """A label selector; the unusual ones are for the API library to judge."""
    pieces = re.split(r",(?![^(]*\))", selector)
    if any("!=" in piece and _LABEL.fullmatch(piece) for piece in pieces):
        setup.refuse(f"`{selector}`: CoreDNS takes no `!=` here; write notin")
    if not all(_LABEL.fullmatch(piece) for piece in pieces):
        setup.unsure(f"whether `{selector}` is a label selector is not judged")


OPTIONS: dict[str, Callable[[Setup], object]] = {
    "endpoint_pod_names": lambda setup: setup.exactly(0),
    "noendpoints": lambda setup: setup.exactly(0),
    "zonal": lambda setup: setup.exactly(0),
    "pods": _pods,
    "namespaces": lambda setup: setup.count(setup.args(), 1),
    "labels": lambda setup: _labels(setup, " ".join(setup.count(setup.args(), 1))),
    "namespace_labels": lambda setup: _labels(setup, " ".join(setup.count(setup.args(), 1))),
    "ttl": lambda setup: setup.number(setup.count(setup.args(), 1)[0], 0, LONGEST_TTL),
    "ignore": _ignore,
    "fallthrough": lambda setup: setup.args(),
    "startup_timeout": _startup_timeout,
    "endpoint": _endpoint,
    "tls": _certificates,
    "kubeconfig": _kubeconfig,
    "apiserver_qps": _qps,
    "apiserver_burst": lambda setup: setup.number(setup.exactly(1)[0], 0),
    "apiserver_max_inflight": lambda setup: setup.number(setup.exactly(1)[0], 0),
}


def k8s_external(setup: Setup) -> None:
    """plugin/k8s_external/setup.go; at start it wants the kubernetes plugin beside it."""
    for _ in setup.uses():
        setup.args()
        for option in setup.block():
            match option:
                case "ttl":
                    setup.number(setup.count(setup.args(), 1)[0], 0, LONGEST_TTL)
                case "apex":
                    setup.count(setup.args(), 1)
                case "headless":
                    pass
                case "fallthrough":
                    setup.args()
                case _:
                    setup.unknown()
    if "kubernetes" not in setup.beside:
        setup.at_start("it needs the kubernetes plugin in the same server block")


def autopath(setup: Setup) -> None:
    """plugin/autopath/setup.go: search domains from a plugin that knows them, or from a resolv.conf."""
    source = ""
    for _ in setup.uses():
        args = setup.count(setup.args(), 1)
        if args[-1].startswith("@"):
            source = args[-1][1:]
        elif args[-1] != "/etc/resolv.conf":
            setup.unsure(f"{args[-1]} is a file of the pod")
    if source in setup.beside and source not in {"kubernetes", "erratic"}:
        # Plugins that only prepare the server are no handlers; autopath does not find them, and says nothing.
        if source in {"bind", "reload", "health", "ready", "pprof", "debug", "root", "tls", "on", "sign", "timeouts"}:
            return
        setup.at_start(f"the plugin {source} knows no search domains")
