"""Which lines have no effect: a second use that CoreDNS does not look at, an option that stands there twice, an option
that it takes and ignores?
"""

from collections.abc import Iterator

from workers.analysis.corefile import names, removed
from workers.analysis.corefile.report import Problem, Severity
from workers.analysis.corefile.served import Served
from workers.parsers.corefile.outline import Plugin

FIRST_WINS = ("bufsize", "reload", "whoami", "minimal")
LAST_WINS = ("health", "dns64", "trace", "k8s_external", "autopath")
# Options of which only the last counts; the others may stand there several times.
ONCE = {
    "kubernetes": {
        "pods",
        "labels",
        "namespace_labels",
        "ttl",
        "endpoint",
        "tls",
        "kubeconfig",
        "fallthrough",
        "ignore",
    },
    "forward": {"policy", "expire", "max_fails", "max_concurrent", "health_check", "tls", "tls_servername", "max_age"},
    "cache": {"success", "denial", "prefetch", "serve_stale", "servfail", "keepttl"},
    "health": {"lameduck"},
    "hosts": {"ttl", "reload", "fallthrough"},
}


def problems(servers: list[Served]) -> Iterator[Problem]:
    """Lines without effect."""
    for server in servers:
        for name, uses in server.uses.items():
            yield from _uses(name, uses)
            for use in uses:
                yield from _options(use)
        yield from _forwards(server.uses.get("forward", []))


def _uses(name: str, uses: list[Plugin]) -> Iterator[Problem]:
    silent = uses[1:] if name in FIRST_WINS else uses[:-1] if name in LAST_WINS else []
    for use in silent:
        which = "first" if name in FIRST_WINS else "last"
        yield _ignored(
            "duplicate-plugin", use.line, name, f"{name} stands there twice: CoreDNS goes by the {which} one"
        )


def _options(use: Plugin) -> Iterator[Problem]:
    for option in use.options:
        last = use.option(option.name)[-1]
        if option.name in ONCE.get(use.name, set()) and option is not last:
            why = f"{option.name} stands there again on line {last.line}: CoreDNS goes by that"
            yield _ignored("duplicate-option", option.line, use.name, why)
        if note := removed.IGNORED.get((use.name, option.name)):
            yield Problem("deprecated-option", Severity.INFO, option.line, use.name, f"{option.name}: {note}")
    if use.name == "kubernetes" and any(len(one.args) > 1 for one in use.option("endpoint")):
        why = "CoreDNS asks only the first endpoint; several are deprecated since 1.5.0"
        yield Problem("deprecated-option", Severity.WARNING, use.option("endpoint")[0].line, use.name, why)


def _forwards(uses: list[Plugin]) -> Iterator[Problem]:
    seen: dict[str, Plugin] = {}
    for use in uses:
        for zone in names.zones(use.args[0])[:1] if use.args else []:
            earlier = seen.setdefault(zone, use)
            if earlier is not use and not any(earlier.option(one) for one in ("next", "next_on_nodata", "except")):
                why = (
                    f"forward for {zone} stands on line {earlier.line} already, and never hands on: this one is unused"
                )
                yield _ignored("duplicate-plugin", use.line, "forward", why)


def _ignored(name: str, line: int, plugin: str, why: str) -> Problem:
    return Problem(name, Severity.WARNING, line, plugin, why)
