"""Can this node open a TCP connection to an address of the cluster?"""

from workers.agent.dial import destination, dial
from workers.agent.host import Host
from workers.core.declare import Probe
from workers.core.evidence.reach import Connect, Reached

LONGEST = 4.0  # seconds; below the probe's own timeout


async def take(query: Connect, host: Host) -> Reached:
    """One connection, closed at once. Raises ProbeFailed for a destination that probes do not go to."""
    del host  # this process's network is the node's
    address = destination(query.host, query.port)
    reached, sock = await dial(address, query.port, min(max(query.timeout, 0.1), LONGEST))
    if sock:
        sock.close()
    return reached


PROBE = Probe(Connect, take, klass="load")
