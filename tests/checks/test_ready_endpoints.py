"""Has the Service an endpoint that is ready?"""

from tests.world import World, a_slice, endpoint, service, target
from workers.catalogue import load
from workers.checks.service.ready_endpoints import CHECK
from workers.core.declare import Said
from workers.core.query import Missing


async def said_of(world: World) -> Said:
    """What the check says; every finding has the params that its sentence needs."""
    said = await CHECK.analyse(target(), world.look())
    for finding in said.findings:
        assert load().faults[finding.id].wrong(finding) == []
    return said


async def test_ready_endpoints_are_counted() -> None:
    """One of two is enough for this check; one that serves until it ends counts."""
    assert (await said_of(World())).healthy == ("2 of 2 endpoints of checkout are ready",)
    leaving = endpoint("10.0.0.2", ready=False, terminating=True)
    sick = endpoint("10.0.0.3", ready=False, serving=False)
    said = await said_of(World(service=service(a_slice(leaving, sick))))
    assert said.healthy == ("1 of 2 endpoints of checkout are ready",)


async def test_endpoints_that_are_not_ready() -> None:
    """The selector matches, so it is the pods: critical, and nothing for the network to heal."""
    sick = [endpoint(f"10.0.0.{number}", ready=False, serving=False) for number in (1, 2, 3)]
    (finding,) = (await said_of(World(service=service(a_slice(*sick))))).findings
    assert load().say(finding) == (
        "no endpoint of checkout is ready (0 of 3); every node rejects its traffic, as it should"
    )
    assert (finding.severity, finding.confidence, finding.remedies) == ("critical", "confirmed", ())


async def test_no_endpoints_at_all() -> None:
    """Scaled to zero or a wrong selector: only the pods could say, so it stays open."""
    said = await said_of(World(service=service(a_slice())))
    assert (said.findings[0].severity, said.findings[0].confidence) == ("info", "inferred")
    assert "get pods -l app=checkout" in said.unknown[0].reason
    said = await said_of(World(service=service(selector={}, slices=())))
    assert "it has no selector" in said.unknown[0].reason
    assert said.findings[0].evidence == ("there is no EndpointSlice",)


async def test_what_needs_no_endpoints_and_what_cannot_be_seen() -> None:
    """An ExternalName has none; a missing right is unknown."""
    assert await said_of(World(service=service(type="ExternalName"))) == Said()
    assert (await said_of(World(service=Missing("forbidden", "no right")))).unknown[0].what == "Service shop/checkout"
