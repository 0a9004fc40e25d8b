"""What does a cluster's DNS server need that is not there?

Asked only where a server answers from the cluster (kubernetes): a cache on the node or a resolver has other needs.
"""

from collections.abc import Iterator

from workers.analysis.corefile.report import Problem, Severity
from workers.analysis.corefile.served import Served

ANYWHERE = {  # one for the whole process
    "health": "without health the liveness probe on :8080/health fails and the kubelet restarts CoreDNS for ever",
    "ready": "without ready the readiness probe on :8181/ready fails, so that no CoreDNS pod gets queries",
}
IN_EACH = {
    "errors": "without errors CoreDNS does not log why a query failed",
    "cache": "without cache each query goes to the API cache and upstream again, repeats too",
}
RELOAD = "without reload a changed ConfigMap is read only by the next pod"
LOOP = "without loop a forwarding circle is not noticed: CoreDNS answers until its memory ends"
LAMEDUCK = (
    "health has no lameduck: a stopping pod closes at once, and queries that are still sent to it are lost;"
    " write `lameduck 5s`"
)


def problems(servers: list[Served]) -> Iterator[Problem]:
    """Plugins and options that are not there."""
    cluster = [server for server in servers if "kubernetes" in server.uses]
    if not cluster:
        return
    used = {name for server in servers for name in server.uses}
    first = cluster[0].line
    for name, why in ANYWHERE.items():
        if name not in used:
            yield _missing(name, Severity.WARNING, first, why)
    if "reload" not in used:
        yield _missing("reload", Severity.INFO, first, RELOAD)
    for server in cluster:
        for name, why in IN_EACH.items():
            if name not in server.uses:
                yield _missing(name, Severity.WARNING, server.line, why)
        if "forward" in server.uses and "loop" not in server.uses:
            yield _missing("loop", Severity.WARNING, server.line, LOOP)
    yield from _lameduck(servers)


def _lameduck(servers: list[Served]) -> Iterator[Problem]:
    healths = [use for server in servers for use in server.uses.get("health", [])]
    if healths and not any(use.option("lameduck") for use in healths):
        yield Problem("missing-lameduck", Severity.WARNING, healths[0].line, "health", LAMEDUCK)


def _missing(name: str, severity: Severity, line: int, why: str) -> Problem:
    return Problem(f"missing-{name}", severity, line, name, why)
