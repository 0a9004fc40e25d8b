"""Does CoreDNS take the arguments of cache?"""

from workers.analysis.corefile.setup import Setup
from workers.parsers import go_values

LONGEST_FAILURE = 5 * go_values.MINUTE
LARGEST_TTL = 2**32 - 1  # seconds


def cache(setup: Setup) -> None:
    """plugin/cache/setup.go."""
    for _ in setup.uses(once=True):
        args = setup.args()
        if args and go_values.atoi(args[0]) is not None:
            setup.number(args[0], 1)
        stale = policies = 0
        for option in setup.block():
            if option == "serve_stale_policy":
                policies += 1
                if policies > 1:
                    setup.refuse("serve_stale_policy stands there twice")
            stale += option == "serve_stale"
            _option(setup, option)
        if policies and not stale:
            setup.refuse("serve_stale_policy needs serve_stale")


def _option(setup: Setup, option: str) -> None:
    match option:
        case "success" | "denial":
            _capacity(setup)
        case "prefetch":
            _prefetch(setup)
        case "serve_stale":
            _serve_stale(setup, setup.count(setup.args(), 0, 5))
        case "serve_stale_policy":
            (policy,) = setup.exactly(1)
            if policy.lower() != "prefer_positive":
                setup.refuse(f"serve_stale_policy takes prefer_positive, not `{policy}`")
        case "servfail":
            setup.duration(setup.exactly(1)[0], 0, LONGEST_FAILURE)
        case "disable":
            args = setup.count(setup.args(), 1)
            if args[0] not in {"success", "denial"}:
                setup.refuse(f"disable takes success or denial, not `{args[0]}`")
        case "keepttl":
            setup.exactly(0)
        case _:
            setup.unknown()


def _capacity(setup: Setup) -> None:
    """CAPACITY [TTL [MINTTL]]: any whole number is taken for a capacity."""
    args = setup.count(setup.args(), 1)
    setup.number(args[0])
    if len(args) > 1:
        setup.number(args[1], 1)
    for least in args[2:3]:
        setup.number(least, 0)


def _prefetch(setup: Setup) -> None:
    """AMOUNT [DURATION [PERCENTAGE%]]."""
    args = setup.count(setup.args(), 1, 3)
    setup.number(args[0], 0)
    for text in args[1:2]:
        if go_values.duration(text) is None and text.endswith("%"):
            setup.refuse(
                f"prefetch takes AMOUNT, DURATION, PERCENTAGE in this order: `{text}` stands where the duration is"
                f" expected; write `prefetch {args[0]} 1m {text}`"
            )
        setup.duration(text)
    for text in args[2:]:
        if not text.endswith("%"):
            setup.refuse(f"`{text}` is no percentage: it ends without %")
        setup.number(text[:-1], 10, 90)


def _serve_stale(setup: Setup, args: list[str]) -> None:
    """[DURATION [immediate|verify [TIMEOUT]] [TTL [RECHECK]]]; only verify has the timeout."""
    for text in args[:1]:
        setup.duration(text, 0)
    mode = args[1].lower() if len(args) > 1 else "immediate"
    if mode not in {"immediate", "verify"}:
        setup.refuse(f"serve_stale takes immediate or verify, not `{mode}`")
    rest = args[2:]
    if mode == "verify":
        for text in rest[:1]:
            setup.duration(text, 0)
        rest = rest[1:]
    setup.count(rest, 0, 2)
    for text in rest[:1]:
        ttl = setup.duration(text, 0)
        if ttl % go_values.SECOND or ttl // go_values.SECOND > LARGEST_TTL:
            setup.refuse(f"the TTL of stale answers is whole seconds, not `{text}`")
    for text in rest[1:]:
        setup.duration(text, 0, LONGEST_FAILURE)
