"""Which packet filter rules of this node concern a Service, and which of the two iptables holds them?

iptables-legacy makes its tables merely by being run, and that alone changes what other tools say of the node; so
/proc/self/net/ip_tables_names is read first. Only the -save programs are used: they do not wait for
/run/xtables.lock, which iptables-legacy does. IPv4 only, as ip6tables has rules of its own.
"""

from workers.agent.host import Host, ProbeFailed, stream
from workers.agent.slicing import Dump
from workers.core.declare import Probe
from workers.core.evidence.rules import Rules, RuleSlice

MOST = 256 << 20  # bytes of text; 5,000 Services with 10 endpoints each have 24 MB
LEGACY, NFT = "iptables-legacy", "iptables-nft"
NEEDED = ("nat", "filter")


async def take(query: RuleSlice, host: Host) -> Rules:
    """The slice, of the backend that holds kube-proxy's chains. Raises ProbeFailed when that cannot be told."""
    backends = [NFT]
    if has_legacy_tables(host):
        backends.append(LEGACY)
    elif not host.tool(f"{NFT}-save") and not host.tool(f"{LEGACY}-save"):
        raise ProbeFailed("neither iptables-nft-save nor iptables-legacy-save is installed")
    dumps: dict[str, Dump] = {}
    failed: list[ProbeFailed] = []
    for backend in backends:  # one after the other: each takes some 180 MB while it prints a large node's rules
        try:
            dumps[backend] = await _dump(backend, query, host)
        except ProbeFailed as error:
            failed.append(error)
    return chosen(dumps, failed)


def has_legacy_tables(host: Host) -> bool:
    """Does iptables-legacy have tables in this network namespace? Looking does not make any."""
    try:
        return bool((host.proc / "self/net/ip_tables_names").read_text().split())
    except FileNotFoundError:  # the kernel has no iptables-legacy
        return False
    except OSError as error:
        raise ProbeFailed(f"cannot read /proc/self/net/ip_tables_names: {error.strerror}") from error


def chosen(dumps: dict[str, Dump], failed: list[ProbeFailed]) -> Rules:
    """The backend with kube-proxy's chains. One that could not be read may be it, so then nothing is said."""
    kube = {name: dump for name, dump in dumps.items() if dump.kube_chains}
    if failed and not any(dump.has_services for dump in kube.values()):
        raise failed[0]
    if not kube:
        return Rules(backend="none", tables={}, total=sum(dump.total for dump in dumps.values()), kube_chains=0)
    name, dump = max(kube.items(), key=lambda item: (item[1].has_services, item[1].kube_chains))
    for note in dump.unreadable:
        if any(f"`{table}'" in note for table in NEEDED):
            raise ProbeFailed(f"{name}-save cannot show all of it: {note}")
    return Rules(
        backend=name,
        tables=dump.slice(),
        total=dump.total,
        kube_chains=dump.kube_chains,
        other_backend=len(kube) > 1,
    )


async def _dump(backend: str, query: RuleSlice, host: Host) -> Dump:
    program = host.tool(f"{backend}-save")
    if program is None:
        raise ProbeFailed(f"{backend}-save is not installed")
    dump = Dump(query)
    await stream([program], dump.feed, path=host.path, most=MOST)
    dump.finish()
    return dump


PROBE = Probe(RuleSlice, take, timeout=8.0)
