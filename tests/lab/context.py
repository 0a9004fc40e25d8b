"""What the stand-in kubelet knows of one of its nodes."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab.api import Api
from tests.lab.nodes import Node
from tests.lab.sandbox import Addresses


@dataclasses.dataclass(frozen=True)
class NodeContext:
    """A node, the door to the API server under its own name, threads in its network, and folders.

    path: a folder of commands that its containers find first: which iptables they use.
    """

    node: Node
    api: Api
    prober: ThreadPoolExecutor
    addresses: Addresses
    binaries: Path
    state: Path
    logs: Path
    path: str
