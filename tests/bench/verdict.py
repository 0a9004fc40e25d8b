"""How long until the cause is named on a real cluster: netdiag, beside the guide's own commands one after another?

The commands are those of the guide's case 1, typed by somebody who knows beforehand which node to look at, and who
needs no time to read. They run inside the lab's namespaces: `python -m tests.bench` goes there.
"""

import asyncio
import contextlib
import statistics
import sys
import time
from collections.abc import Awaitable, Callable

from tabulate import tabulate

from tests.lab.by_hand import ByHand
from tests.lab.cluster import Lab
from tests.lab.processes import LabError

ROUNDS = 5
SETTLED = 12.0  # seconds after which a difference in the rules is no longer young


async def main() -> None:
    """Print the table."""
    async with Lab() as lab:
        fault = lab.fault("kube-proxy-stale-rules")
        await fault.inject()
        await asyncio.sleep(SETTLED)
        by_hand = ByHand(lab)
        pod = await _proxy(lab, "node-2")

        async def ours() -> None:
            run = await by_hand.ask("svc checkout")
            assert run.report.findings[0].id == fault.fault.id

        async def guide() -> None:
            await lab.kubectl("get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-proxy", "-o", "wide")
            await lab.kubectl("get", "svc", "-n", "shop", "checkout", "-o", "yaml")
            await lab.kubectl("get", "endpoints", "-n", "shop", "checkout")
            for node in lab.nodes.values():
                await node.exec("iptables", "-L", "-n")
                await node.exec("iptables-save")
            # A stopped kube-proxy answers nothing: its log is read, and its metrics wait for their time-out.
            await lab.kubectl("get", "pod", "-n", "kube-system", pod, "-o", "yaml")
            await _metrics(lab)

        mine, theirs = await _median(ours), await _median(guide)
        await fault.recover()
    rows = [("the guide's commands, one after another", round(theirs, 2)), ("netdiag", round(mine, 2))]
    sys.stdout.write(f"{tabulate(rows, ('until the cause is named', f'seconds (median of {ROUNDS})'))}\n")
    sys.stdout.write(f"{theirs / mine:.1f} times as fast (aim: 5), verdict in {mine:.2f} s (aim: 2)\n")


async def _median(act: Callable[[], Awaitable[None]]) -> float:
    taken = []
    for _ in range(ROUNDS):
        begun = time.monotonic()
        await act()
        taken.append(time.monotonic() - begun)
    return statistics.median(taken)


async def _proxy(lab: Lab, node: str) -> str:
    query = ("get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-proxy", f"--field-selector=spec.nodeName={node}")
    return (await lab.kubectl(*query, "-o", "jsonpath={.items[0].metadata.name}")).strip()


async def _metrics(lab: Lab) -> None:
    code = "import urllib.request as u; u.urlopen('http://127.0.0.1:10249/metrics', timeout=2).read()"
    for node in lab.nodes.values():
        with contextlib.suppress(LabError):  # a time-out is what an engineer sees of a stopped process
            await node.exec(sys.executable, "-c", code)


if __name__ == "__main__":
    asyncio.run(main())
