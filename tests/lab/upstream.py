"""Who answers for names outside the cluster? A DNS server at the lab's gateway, which CoreDNS forwards to."""

from pathlib import Path

from tests.lab.nodes import CLIENT_ADDRESS, GATEWAY
from tests.lab.processes import Processes

OUTSIDE_NAME = "example.com"  # is somebody outside; no other name is known
COREFILE = f"""
.:53 {{
    bind {GATEWAY}
    hosts {{
        {CLIENT_ADDRESS} {OUTSIDE_NAME}
        ttl 30
    }}
    errors
}}
"""


def start(processes: Processes, binaries: Path, state: Path) -> None:
    """Start it; the gateway's address has to be there."""
    path = state / "upstream.corefile"
    path.write_text(COREFILE)
    processes.start("upstream", [str(binaries / "coredns"), f"-conf={path}"])
