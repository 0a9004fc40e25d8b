"""What does a pod's /etc/resolv.conf say? Decided as kubelet's pkg/kubelet/network/dns does it."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

CLUSTER_DNS = "10.96.0.10"
DOMAIN = "cluster.local"
NODE_RESOLV_CONF = "nameserver 172.30.0.1\n"  # the lab's upstream; nothing has to listen there
MOST_SERVERS = 3  # what a resolver of glibc looks at, and so kubelet's limit
MOST_SEARCHES, MOST_SEARCH_CHARACTERS = 32, 2048


@dataclasses.dataclass(frozen=True)
class ResolvConf:
    """The lines of a resolv.conf that a kubelet knows."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The file, in the order in which containerd writes it."""
        lines = [
            *([f"search {' '.join(self.searches)}"] if self.searches else ()),
            *(f"nameserver {server}" for server in self.nameservers),
            *([f"options {' '.join(self.options)}"] if self.options else ()),
        ]
        return "".join(f"{line}\n" for line in lines)


def parse(text: str) -> ResolvConf:
    """A resolv.conf read as a kubelet reads the node's: the last `search` and the last `options` count."""
    found = ResolvConf()
    for line in text.splitlines():
        match line.split():
            case ["nameserver", server, *_]:
                found = dataclasses.replace(found, nameservers=(*found.nameservers, server))
            case ["search", *names]:
                found = dataclasses.replace(found, searches=tuple(name.removesuffix(".") or "." for name in names))
            case ["options", *options]:
                found = dataclasses.replace(found, options=tuple(options))
    return found


def of_pod(pod: dict[str, Any], node: ResolvConf) -> ResolvConf:
    """What this pod gets on a node with that resolv.conf."""
    base = _by_policy(pod, node)
    extra = pod["spec"].get("dnsConfig", {})
    return ResolvConf(
        _once([*base.nameservers, *extra.get("nameservers", ())])[:MOST_SERVERS],
        _fitting(_once([*base.searches, *extra.get("searches", ())])),
        _options(base.options, extra.get("options", ())),
    )


def _by_policy(pod: dict[str, Any], node: ResolvConf) -> ResolvConf:
    spec = pod["spec"]
    policy = spec.get("dnsPolicy", "ClusterFirst")
    if policy == "None":
        return ResolvConf()
    if policy == "Default" or (policy == "ClusterFirst" and spec.get("hostNetwork")):
        return node
    namespace = pod["metadata"]["namespace"]
    own = (f"{namespace}.svc.{DOMAIN}", f"svc.{DOMAIN}", DOMAIN)
    return ResolvConf((CLUSTER_DNS,), (*own, *node.searches), ("ndots:5",))


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _fitting(searches: Sequence[str]) -> tuple[str, ...]:
    kept = list(searches[:MOST_SEARCHES])
    while len(" ".join(kept)) > MOST_SEARCH_CHARACTERS:
        kept.pop()
    return tuple(kept)


def _options(base: Sequence[str], extra: Sequence[dict[str, str]]) -> tuple[str, ...]:
    """An option of the pod replaces one of the same name; kubelet's order is that of a Go map, ours the first seen."""
    merged = dict(option.partition(":")[::2] for option in base)
    merged.update((option["name"], option.get("value") or "") for option in extra)
    return tuple(f"{name}:{value}" if value else name for name, value in merged.items())
