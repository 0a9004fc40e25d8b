"""What is asked about is found, and the checks report each for itself."""

from typing import Any

import msgspec
import pytest

from tests.world import World, a_slice, endpoint, service, stopped, target
from workers.catalogue import load
from workers.core.declare import Look, Said
from workers.core.errors import NetdiagError, TryAgain, TypedWrongly
from workers.core.query import Missing
from workers.core.target import Request, Target
from workers.core.wire import CheckState
from workers.diagnose import Ambiguous, CannotLook, NoSuchTarget, diagnose, recheck, resolve

OLD = service(a_slice(endpoint("10.244.1.5", ready=False, serving=False)))
STALE = World(known={"node-2": OLD}, processes={"node-2": stopped()}, connects={("node-1", "172.30.0.12"): "refused"})
REQUEST = Request("svc", target())


async def resolved(world: World, **changes: Any) -> Target:
    """What is meant in this world."""
    return await resolve(Request("svc", target(**changes)), world.look())


async def test_a_namespace_is_found() -> None:
    """A name that is there once needs none."""
    assert await resolved(World(), namespace="") == target()
    assert await resolved(World()) == target()
    assert (await resolved(World(), port="http")).port == "http"
    assert (await resolved(World(), port="80")).port == "80"


async def test_two_hits_ask() -> None:
    """As they can be typed."""
    with pytest.raises(Ambiguous, match="There are 2 Services") as error:
        await resolved(World(names=("a/checkout", "b/checkout")), namespace="")
    assert error.value.choices == ("svc a/checkout", "svc b/checkout")


@pytest.mark.parametrize(
    ("asked", "choices"),
    [
        ({"name": "chekout", "namespace": ""}, ("svc shop/checkout",)),
        ({"namespace": "other"}, ("svc shop/checkout",)),
        ({"name": "zzz"}, ()),
        ({"port": "grpc"}, ("svc shop/checkout:http",)),
    ],
)
async def test_what_is_not_there_is_guessed(asked: dict[str, str], choices: tuple[str, ...]) -> None:
    """A typo, another namespace, nothing like it, another port."""
    with pytest.raises(NoSuchTarget) as error:
        await resolved(World(), **asked)
    assert error.value.choices == choices


async def test_a_port_without_a_name_is_offered_by_number() -> None:
    """A Service with one port needs no name for it."""
    port = msgspec.structs.replace(service().ports[0], name="")
    with pytest.raises(NoSuchTarget) as error:
        await resolved(World(service=service(ports=(port,))), port="http")
    assert error.value.choices == ("svc shop/checkout:80",)


async def test_guesses_put_the_same_name_first() -> None:
    """Then names that look alike, those of the same namespace before others."""
    world = World(names=("a/checkouts", "shop/checkouts", "z/checkout"))
    with pytest.raises(NoSuchTarget) as error:
        await resolved(world)
    assert error.value.choices == ("svc z/checkout", "svc shop/checkouts", "svc a/checkouts")


async def test_no_right_to_list_is_no_guess() -> None:
    """Then only what is known is said."""
    look = Refusing(World(names=()).look())
    with pytest.raises(NoSuchTarget) as error:
        await resolve(REQUEST, look)
    assert error.value.choices == ()


class Refusing:
    """A door that refuses lists."""

    def __init__(self, look: Look) -> None:
        self.look = look

    async def __call__(self, query: Any) -> Any:
        """A list is forbidden."""
        seen = await self.look(query)
        if type(query).__name__ == "FindServices":
            return msgspec.structs.replace(seen, value=None, missing=Missing("forbidden", "services is forbidden"))
        return seen


@pytest.mark.parametrize(
    ("missing", "error", "says"),
    [
        (Missing("forbidden", "services is forbidden"), CannotLook, "services is forbidden"),
        (Missing("timeout"), TryAgain, "no answer in time"),
        (Missing("unreachable"), TryAgain, "cannot be reached"),
    ],
)
async def test_a_cluster_may_be_away(missing: Missing, error: type[NetdiagError], says: str) -> None:
    """Which right is missing, or that it may be tried again."""
    with pytest.raises(error, match=says):
        await resolved(World(service=missing))


async def test_a_list_may_be_forbidden() -> None:
    """Then a namespace cannot be found."""
    with pytest.raises(CannotLook, match="services is forbidden"):
        await resolve(Request("svc", target(namespace="")), Refusing(World().look()))


async def test_a_command_without_a_target_is_typed_wrongly() -> None:
    """The grammar sees to it; a task from elsewhere may not."""
    with pytest.raises(TypedWrongly):
        await resolve(Request("svc"), World().look())
    with pytest.raises(TypedWrongly):
        await diagnose(Request("svc"), World().look())


async def test_a_healthy_cluster_is_healthy() -> None:
    """No finding, nothing unknown, and what was proven."""
    ended = await diagnose(REQUEST, World().look())
    assert (ended.report.verdict, ended.report.findings, ended.report.unknown) == ("healthy", (), ())
    assert len(ended.report.healthy) == 3
    assert {one.state for one in ended.checks} == {"done"}


async def test_a_cut_node_is_named_first() -> None:
    """The stale rules are folded under it."""
    report = (await diagnose(REQUEST, STALE.but(cut=("node-2",)).look())).report
    assert [one.id for one in report.findings] == ["kube-proxy-apiserver-unreachable"]
    assert report.findings[0].explains == ("kube-proxy-stale-rules",)
    assert [(one.id, one.remedies) for one in report.folded] == [("kube-proxy-stale-rules", ())]
    assert report.verdict == "broken"


async def test_progress_is_told() -> None:
    """Pending, running, ended; with what was found so far."""
    told: list[tuple[tuple[CheckState, ...], tuple[str, ...]]] = []

    async def progress(checks: tuple[CheckState, ...], found: tuple[str, ...]) -> None:
        told.append((checks, found))

    await diagnose(REQUEST, STALE.look(), progress=progress)
    assert {one.state for one in told[0][0]} == {"pending"}
    states = {one.id: (one.state, one.note) for one in told[-1][0]}
    assert states["kube-proxy.stale-rules"] == ("problem", "node-2")
    assert states["service.ready-endpoints"] == ("done", "2 of 2 endpoints of checkout are ready")
    assert told[-1][1] == ("kube-proxy-stale-rules",)


async def test_a_silent_node_is_noted() -> None:
    """Not as healthy."""
    ended = await diagnose(REQUEST, World(silent=("node-2",)).look())
    notes = {one.id: one.note for one in ended.checks}
    assert notes["kube-proxy.stale-rules"] == "the rules on node-2: not seen"
    assert ended.report.verdict == "unknown"


async def test_a_check_that_says_nothing_has_no_note() -> None:
    """An ExternalName has no endpoints to count."""
    ended = await diagnose(REQUEST, World(service=service(type="ExternalName")).look())
    assert ended.checks[2].note == ""


async def test_a_crashed_check_takes_nothing_from_the_others() -> None:
    """It becomes an unknown that names it, in a run and when it is run again."""

    async def crash(_target: Target, _look: Look) -> Said:
        raise RuntimeError("boom")

    known = load()
    broken = msgspec.structs.replace(known.checks["kube-proxy.api-reach"], analyse=crash)
    spoiled = msgspec.structs.replace(known, checks={**known.checks, broken.id: broken})
    ended = await diagnose(REQUEST, STALE.look(), catalogue=spoiled)
    assert [one.id for one in ended.report.findings] == ["kube-proxy-stale-rules"]
    (unknown,) = ended.report.unknown
    assert (unknown.what, unknown.reason) == ("the kube-proxy.api-reach check itself failed", "RuntimeError: boom")
    assert (ended.checks[0].state, ended.checks[0].note) == ("failed", "RuntimeError: boom")


async def test_a_check_is_run_again() -> None:
    """By its id, as after a change."""
    said = await recheck("kube-proxy.stale-rules", target(), World().look())
    assert said.healthy == ("node rules agree with the EndpointSlices on 2 of 2 nodes",)
