"""Does CoreDNS take the arguments of the plugins that decide who is served: acl, view, tls?"""

from workers.analysis.corefile.setup import Setup
from workers.analysis.corefile.words import TYPES
from workers.parsers import go_values

CLIENT_AUTH = ("nocert", "request", "require", "verify_if_given", "require_and_verify")


def acl(setup: Setup) -> None:
    """plugin/acl/setup.go: ACTION [type TYPE...] [net NETWORK...]."""
    for _ in setup.uses():
        setup.args()
        for action in setup.block():
            if action.lower() not in {"allow", "block", "filter", "drop"}:
                setup.refuse(f"a rule allows, blocks, filters or drops, and does not `{action}`")
            _sections(setup, setup.args())


def _sections(setup: Setup, args: list[str]) -> None:
    while args:
        section, rest = args[0].lower(), args[1:]
        if section not in {"type", "net"}:
            setup.refuse(f"`{args[0]}` stands where type or net is expected")
        ends = [place for place, word in enumerate(rest) if word.lower() in {"type", "net"}]
        words, args = (rest[: ends[0]], rest[ends[0] :]) if ends else (rest, [])
        if not words:
            setup.refuse(f"{section} names nothing")
        _members(setup, section, words)


def _members(setup: Setup, section: str, words: list[str]) -> None:
    for word in words:
        if word == "*":
            return
        if section == "type" and word not in TYPES:
            setup.refuse(f"`{word}` is no record type")
        if section == "net" and go_values.cidr(_network(word)) is None:
            setup.refuse(f"`{word}` is no network")


def _network(word: str) -> str:
    return word if "/" in word else f"{word}/128" if ":" in word else f"{word}/32"


def view(setup: Setup) -> None:
    """plugin/view/setup.go: a name, and expressions, which are compiled at setup."""
    for _ in setup.uses(once=True):
        setup.exactly(1)
        for option in setup.block():
            if option != "expr":
                setup.unknown()
            text = " ".join(setup.args())
            if not text:
                setup.refuse("expr is empty")
            setup.unsure(f"the expression `{text[:60]}` is not judged")


def tls(setup: Setup) -> None:
    """plugin/tls/tls.go: CERT KEY [CA]; without arguments certificates are fetched, which is not judged."""
    for _ in setup.uses():
        args = setup.args()
        if not args:
            setup.unsure("certificates by ACME are not judged")
            return
        setup.count(args, 2, 3)
        for option in setup.block():
            (word,) = setup.exactly(1)
            if option not in {"client_auth", "keylog"}:
                setup.unknown()
            if option == "client_auth" and word not in CLIENT_AUTH:
                setup.refuse(f"client_auth takes {', '.join(CLIENT_AUTH)}, not `{word}`")
        setup.unsure("the certificates are files of the pod")
