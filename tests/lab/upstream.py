"""Who answers for names outside the cluster? A DNS server at the lab's gateway, which CoreDNS forwards to."""

from pathlib import Path

from tests.lab.nodes import CLIENT_ADDRESS, GATEWAY
from tests.lab.processes import Processes

OUTSIDE_NAME = "example.com"  # is somebody outside; no other name is known
COREFILE = """
.:53 {{
    bind {address}
    file {zone} .
    errors
}}
"""
ZONE = f"""
.               30 IN SOA ns.example. hostmaster.example. 1 7200 3600 1209600 30
.               30 IN NS  ns.example.
{OUTSIDE_NAME}. 30 IN A   {CLIENT_ADDRESS}
"""


def start(processes: Processes, binaries: Path, state: Path) -> None:
    """Start it; the gateway's address has to be there."""
    path, zone = state / "upstream.corefile", state / "upstream.zone"
    zone.write_text(ZONE)
    path.write_text(COREFILE.format(address=GATEWAY, zone=zone))
    processes.start("upstream", [str(binaries / "coredns"), f"-conf={path}"])
