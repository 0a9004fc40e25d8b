"""netdiag's model of a node's rules against the kernel, flow by flow, for both backends of iptables."""

import dataclasses
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.lab import flows, foreign, truth
from tests.lab.cell import Cell
from tests.lab.cluster import Lab
from workers.analysis.datapath.path import Fate

pytestmark = [pytest.mark.alone, pytest.mark.timeout(400)]


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["iptables-nft", "iptables-legacy"])
async def served(request: pytest.FixtureRequest, lab_namespaces: None) -> AsyncIterator[Lab]:  # noqa: ARG001 - order
    """A cluster with one Service of every kind."""
    async with Lab(cell=Cell(request.param)) as lab:
        await flows.install(lab)
        yield lab


async def test_the_model_says_what_the_kernel_does(served: Lab) -> None:
    """Of every flow: passed, dropped or rejected; to which endpoints; and from which source."""
    results = await flows.compared(served, await flows.every_flow(served))
    print(f"\n{served.cell}\n{flows.table(results)}")
    assert [result.disagreement for result in results if result.disagreement] == []
    assert [(result.flow.shown, result.unknown) for result in results if result.unknown] == []


# What each case of foreign rules is tried with, at one node.
KINDS = frozenset(
    f"{who} to {what}"
    for who, what in (
        ("pod", "web ClusterIP"),
        ("pod", "echo ClusterIP"),
        ("pod", "empty ClusterIP"),
        ("pod", "web NodePort"),
        ("pod", "endpoint"),
        ("pod", "endpoint UDP"),
        ("node", "web ClusterIP"),
        ("node", "web NodePort"),
        ("node", "endpoint"),
        ("client", "web NodePort"),
        ("client", "echo NodePort"),
        ("client", "empty NodePort"),
        ("client", "web ClusterIP"),
    )
)


async def test_the_model_reads_foreign_rules_or_says_that_it_cannot(served: Lab) -> None:
    """Each case is put into a node by itself: model and kernel agree, or the model names the rule."""
    node = served.nodes["node-1"]
    some = [flow for flow in await flows.every_flow(served) if flow.at == node and flow.kind in KINDS]
    wrong: list[str] = []
    compared = unknown = 0
    async with flows.reaching(served, node):
        before = await flows.compared_at(served, node, some)
        for case in foreign.CASES:
            tried = [dataclasses.replace(flow, sticky=flow.sticky or case.chance) for flow in some]
            async with foreign.put(node, case):
                results = await flows.compared_at(served, node, tried)
            if case.mute:
                results = [_heard(result) for result in results]
            unread = [result for result in results if result.unknown]
            bitten = sum(not old.kernel >= new.kernel for old, new in zip(before, results, strict=True))
            compared += len(results) - len(unread)
            unknown += len(unread)
            print(f"{len(results) - len(unread):3} compared {len(unread):3} unread {bitten:3} changed  {case.rules}")
            wrong += [f"{case.rules}\n{result.disagreement}" for result in results if result.disagreement]
            if bool(unread) != case.unread or bool(bitten) != case.bites:
                wrong.append(f"{case}: {len(unread)} unread, {bitten} changed")
    print(f"{served.cell}: {len(foreign.CASES)} cases, {compared} flows compared, {unknown} unknown")
    assert wrong == [], "\n".join(wrong)


def _heard(result: flows.Result) -> flows.Result:
    """As if the sender had been told of every REJECT."""
    kinds = {fate.kind for fate in result.model}
    said = frozenset(Fate("reject") if kinds == {"reject"} and one == Fate("drop") else one for one in result.kernel)
    return dataclasses.replace(result, kernel=said)


@pytest.mark.parametrize("served", ["nft"], indirect=True)
async def test_a_trace_names_the_rule_that_the_model_names(served: Lab) -> None:
    """For what is rejected, dropped and translated; iptables over nft only: legacy's traces are not heard here."""
    node = served.nodes["node-1"]
    wanted = {
        "pod to web ClusterIP",
        "pod to empty ClusterIP",
        "client to empty NodePort",
        "client to walled load balancer",
    }
    some = [flow for flow in await flows.every_flow(served) if flow.at == node and flow.kind in wanted]
    async with flows.reaching(served, node):
        results = await flows.compared_at(served, node, some)
        for result in results:
            flow = result.flow
            port = next(flows.PORTS)
            async with truth.noted(node) as kept, truth.trace(node, flow.protocol, port) as hits:
                answer = await served.truth(flow.sender).ask(flow.protocol, flow.address, flow.port, port)
            told = flows.kernels(flow, answer, kept.get((flow.protocol, flow.address, port)))
            rules = [hit.rule for hit in hits if hit.rule]
            print(flow.shown, told, *rules, sep="\n  ")
            if told.kind == "passed":
                assert [rule for rule in rules if f"--to-destination {told.to}" in rule]
            else:
                assert rules[-1] in {fate.rule for fate in result.model}
    assert not [table for table in (await node.exec("nft", "list", "tables")).splitlines() if "netdiag" in table]
