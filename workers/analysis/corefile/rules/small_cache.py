"""Does a cache keep less than CoreDNS would keep by itself?

CoreDNS cuts a cache into 256 shards: the capacity is rounded down to a multiple of 256, and is 1,024 at least
(plugin/pkg/cache). Unless said otherwise it is 10,000 for good answers and for denials, which makes 9,984.
"""

from collections.abc import Iterator

from workers.analysis.corefile.report import Problem, Severity
from workers.analysis.corefile.served import Served
from workers.parsers import go_values

SHARDS = 256
LEAST = 4 * SHARDS
DEFAULT = 10_000


def problems(servers: list[Served]) -> Iterator[Problem]:
    """Capacities below the default."""
    for server in servers:
        for use in server.uses.get("cache", []):
            for option in use.options:
                size = go_values.atoi(option.args[0]) if option.args else None
                if option.name in {"success", "denial"} and size is not None and kept(size) < kept(DEFAULT):
                    yield Problem(
                        "cache-shrunk",
                        Severity.WARNING,
                        option.line,
                        "cache",
                        f"`{option.name} {size}` keeps {kept(size):,} answers; left out, the line"
                        f" leaves the default of {kept(DEFAULT):,}",
                    )


def kept(size: int) -> int:
    """How many answers a cache of this capacity keeps."""
    return max(LEAST, size // SHARDS * SHARDS)
