"""Two faults of different kinds can be in the lab at once, and be taken out one after the other."""

import contextlib

import pytest

from tests.lab.cluster import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("kube-proxy-wrong-mode", "nodeport-host-firewall"),  # kube-proxy's configuration, and a rule
        ("lb-pending-or-wrong-source-range", "endpointslice-controller-down"),  # an object, and a stopped process
    ],
)
async def test_two_faults_at_once_are_both_undone(lab: Lab, first: str, second: str) -> None:
    """Each proves by a client of its own that it is in; the first one still is when the second has gone."""
    await lab.healthy()
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(lab.faults[first].broken(lab))
        async with lab.faults[second].broken(lab):
            assert set((await lab.answers()).values()) != {"200"}
    await lab.healthy()
