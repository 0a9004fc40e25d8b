"""Does every port of the Service lead to a port of its endpoints?"""

import msgspec
import pytest

from tests.world import World, a_slice, endpoint, service, target
from workers.catalogue import load
from workers.checks.service.target_ports import CHECK
from workers.core.declare import Said
from workers.core.evidence.service import ServicePort, ServiceView
from workers.core.query import Missing

WEB = ServicePort("http", "TCP", 80, target_port="web")
NO_PORTS = msgspec.structs.replace(a_slice(endpoint("10.0.0.2"), endpoint("10.0.0.3")), ports=())


async def said_of(seen: ServiceView | Missing, port: str = "") -> Said:
    """What the check says; every finding has the params that its sentence needs."""
    said = await CHECK.analyse(target(port=port), World(service=seen).look())
    for finding in said.findings:
        assert load().faults[finding.id].wrong(finding) == []
    return said


async def test_a_name_that_no_pod_has() -> None:
    """The endpoints are ready, the slices have no port: the name is the cause."""
    (finding,) = (await said_of(service(NO_PORTS, ports=(WEB,)))).findings
    assert load().say(finding) == (
        "port 80 of checkout leads nowhere: none of its 2 endpoints has a port named web; every node rejects it, "
        "as it should"
    )
    assert finding.evidence[1].endswith("2 endpoints, no port")
    assert finding.remedies == ()


@pytest.mark.parametrize("port", ["", "80", "http"])
async def test_a_port_that_is_carried_is_no_finding(port: str) -> None:
    """Nor is one of a Service without any endpoint: that is another question."""
    assert await said_of(service(), port) == Said()
    assert await said_of(service(a_slice(), ports=(WEB,)), port) == Said()


async def test_a_number_that_is_missing_is_somebody_elses_slice() -> None:
    """The EndpointSlice controller never leaves out a number; who does is unknown."""
    numbered = msgspec.structs.replace(WEB, target_port="8080")
    said = await said_of(service(NO_PORTS, ports=(numbered,)))
    assert said.findings == ()
    assert 'no port called "http"' in said.unknown[0].reason


async def test_only_the_port_that_is_asked_about() -> None:
    """Another one may lead nowhere."""
    metrics = ServicePort("metrics", "TCP", 9100, target_port="metrics")
    assert (await said_of(service(NO_PORTS, ports=(WEB, metrics)), "metrics")).findings[0].scope["port"] == "metrics"


async def test_what_cannot_be_seen() -> None:
    """A missing right is unknown."""
    assert (await said_of(Missing("forbidden", "no right"))).unknown[0].what == "Service shop/checkout"
