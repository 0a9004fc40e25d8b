"""Does CoreDNS take the arguments of the plugins by which it is watched: errors log health ready prometheus trace?"""

from collections.abc import Callable

from workers.analysis.corefile import texts
from workers.analysis.corefile.setup import Setup
from workers.parsers import go_values

LEVELS = ("warning", "error", "info", "debug")
CLASSES = ("all", "success", "denial", "error")
TRACERS = ("zipkin", "datadog")


def errors(setup: Setup) -> None:
    """plugin/errors/setup.go."""
    for _ in setup.uses(once=True):
        args = setup.count(setup.args(), 0, 1)
        if args and args[0] != "stdout":
            setup.refuse(f"it writes to stdout only, not to `{args[0]}`")
        for option in setup.block():
            if option == "consolidate":
                _consolidate(setup)
            elif option != "stacktrace":
                setup.unknown()


def _consolidate(setup: Setup) -> None:
    """DURATION REGEXP [LEVEL] [show_first]."""
    args = setup.count(setup.args(), 2, 4)
    setup.duration(args[0])
    texts.expression(setup, args[1])
    level = shown = False
    for word in args[2:]:
        if word == "show_first":
            shown = True
        elif word not in LEVELS or level or shown:
            setup.refuse(f"consolidate takes one level, then show_first; `{word}` stands wrong")
        else:
            level = True


def log(setup: Setup) -> None:
    """plugin/log/setup.go: names and formats are taken as they are."""
    for _ in setup.uses():
        setup.args()
        for option in setup.block():
            if option != "class":
                setup.unknown()
            for word in setup.count(setup.args(), 1):
                if word not in CLASSES:
                    setup.refuse(f"`{word}` is no class of answers: {', '.join(CLASSES)}")


def health(setup: Setup) -> None:
    """plugin/health/setup.go."""
    addresses = []
    for _ in setup.uses():
        addresses += setup.count(setup.args(), 0, 1)
        _is_address(setup, addresses[-1:])
        for option in setup.block():
            if option != "lameduck":
                setup.unknown()
            setup.duration(setup.exactly(1)[0])
    for last in addresses[-1:]:
        port = last.rpartition(":")[2]
        if port and not (port.isascii() and port.isdigit()):
            setup.at_start(f"`{port}` is no port that it can ask itself on")
        else:
            setup.listen(last)


def ready(setup: Setup) -> None:
    """plugin/ready/setup.go."""
    for _ in setup.uses(once=True):
        # CoreDNS goes on when it cannot listen there, so only the form of the address counts.
        _is_address(setup, setup.count(setup.args(), 0, 1))
        for option in setup.block():
            if option != "monitor":
                setup.unknown()
            (when,) = setup.exactly(1)
            if when not in {"until-ready", "continuously"}:
                setup.refuse(f"monitor takes until-ready or continuously, not `{when}`")


def prometheus(setup: Setup) -> None:
    """plugin/metrics/setup.go."""
    for _ in setup.uses(once=True):
        # CoreDNS goes on when it cannot listen there, so only the form of the address counts.
        _is_address(setup, setup.count(setup.args(), 0, 1))
        tls = 0
        for option in setup.block():
            if option == "tls":
                tls += 1
                setup.exactly(1)
                if tls > 1:
                    setup.refuse("tls stands there twice")
                setup.unsure("the TLS settings are a file of the pod")
            elif option == "runtime_metrics":
                setup.exactly(0)
            else:
                setup.unknown()


def _is_address(setup: Setup, addresses: list[str]) -> None:
    for address in addresses:
        if go_values.split_host_port(address) is None:
            setup.refuse(f"`{address}` is no address to listen on: `host:port` or `:port` is expected")


def trace(setup: Setup) -> None:
    """plugin/trace/setup.go."""
    for _ in setup.uses():
        args = setup.count(setup.args(), 0, 2)
        if len(args) > 1 and args[0].lower() not in TRACERS:
            setup.refuse(f"it traces to {' or '.join(TRACERS)}, not to `{args[0]}`")
        for option in setup.block():
            if option not in TRACE_OPTIONS:
                setup.unknown()
            TRACE_OPTIONS[option](setup)


def _truth(setup: Setup) -> None:
    for text in setup.count(setup.args(), 0, 1):
        if not go_values.is_bool(text):
            setup.refuse(f"`{text}` is neither true nor false")


def _rate(setup: Setup) -> None:
    for text in setup.count(setup.args(), 0, 1):
        rate = go_values.parse_float(text)
        if rate is None or rate > 1 or rate < 0:
            setup.refuse(f"the rate is a number from 0 to 1, not `{text}`")


TRACE_OPTIONS: dict[str, Callable[[Setup], object]] = {
    "every": lambda setup: setup.unsigned(setup.exactly(1)[0], 64),
    "service": lambda setup: setup.exactly(1),
    "client_server": _truth,
    "datadog_analytics_rate": _rate,
    "zipkin_max_backlog_size": lambda setup: setup.number(setup.exactly(1)[0]),
    "zipkin_max_batch_size": lambda setup: setup.number(setup.exactly(1)[0]),
    "zipkin_max_batch_interval": lambda setup: setup.duration(setup.exactly(1)[0]),
}
