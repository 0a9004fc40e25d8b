"""What is said of a Corefile? The words of `netdiag corefile --json`."""

from enum import StrEnum

import msgspec

from workers.parsers.corefile.outline import Server


class Severity(StrEnum):
    """How bad: CoreDNS will not load or DNS will fail; it will hurt one day; good to know."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Problem(msgspec.Struct, frozen=True):
    """One thing to know about one line. The plugin is empty where it is about no plugin."""

    id: str
    severity: Severity
    line: int
    plugin: str
    sentence: str


class Report(msgspec.Struct, frozen=True):
    """Does it load (None: only what is not judged could decide), what is written, what is wrong, what is not judged."""

    loads: bool | None
    servers: list[Server]
    problems: list[Problem]
    not_judged: list[str]
