"""What the stand-in kubelet knows of one of its nodes."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab.api import Api
from tests.lab.changes import Changes
from tests.lab.events import Recorder
from tests.lab.nodes import Node
from tests.lab.sandbox import Addresses


@dataclasses.dataclass(frozen=True)
class NodeContext:
    """A node, the door to the API server under its own name, threads in its network, and folders.

    path: a folder of commands that its containers find first: which iptables they use. etc: the node's own files of
    /etc, which its containers get or inherit from.
    """

    node: Node
    api: Api
    prober: ThreadPoolExecutor
    addresses: Addresses
    recorder: Recorder
    changes: Changes
    binaries: Path
    state: Path
    logs: Path
    path: str

    @property
    def etc(self) -> Path:
        """A folder: resolv.conf and nsswitch.conf."""
        return self.state / "etc" / self.node.name
