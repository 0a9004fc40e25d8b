"""What is asked about, and how it is asked."""

from typing import Literal

import msgspec

Kind = Literal["svc", "pod", "node"]


class Target(msgspec.Struct, frozen=True, omit_defaults=True):
    """One object of one cluster.

    `namespace` is empty for nodes, and while it is not yet resolved; `port` is a name or a number.
    """

    cluster: str
    kind: Kind
    name: str
    namespace: str = ""
    port: str = ""

    def __str__(self) -> str:
        """As a person would type it: `svc/shop/checkout:http`."""
        path = "/".join(part for part in (self.kind, self.namespace, self.name) if part)
        return f"{path}:{self.port}" if self.port else path


class Request(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a person typed, understood: a command and its target.

    target: None for commands about netdiag itself, such as `help`.
    `target.cluster` is empty when it was not typed; the bot fills it in when only one can be meant.
    """

    command: str
    target: Target | None = None
    words: tuple[str, ...] = ()
