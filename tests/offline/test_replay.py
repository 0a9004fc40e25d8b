"""`netdiag replay BUNDLE`: tables for people, JSON for programs, an exit code for shells."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.world import NOW, World, a_slice, endpoint, service, stopped, target
from workers.cli import main
from workers.collect.bundle import pack
from workers.core.target import Request
from workers.diagnose import diagnose

RECORDED = Path(__file__).parents[2] / "bot" / "demo" / "recorded" / "case1"
OLD = service(a_slice(endpoint("10.244.1.5", ready=False, serving=False)))
STALE = World(known={"node-2": OLD}, processes={"node-2": stopped()}, connects={("node-1", "172.30.0.12"): "refused"})
REQUEST = Request("svc", target())


async def replayed(folder: Path, world: World, *options: str, resolved: bool = True) -> Result:
    """A run is recorded into a file; then the command reads it."""
    look = world.look()
    await diagnose(REQUEST, look)
    file = folder / "run-7.bundle"
    told = target() if resolved else None
    file.write_bytes(pack(look.recorded(), request=REQUEST, target=told, at=NOW, release="0.1.0"))
    # The command has a loop of its own.
    return await asyncio.to_thread(CliRunner().invoke, main, ["replay", str(file), *options])


async def test_json_is_as_agreed(tmp_path: Path) -> None:
    """The fields of netdiag.run/1; a folded finding follows its cause."""
    result = await replayed(tmp_path, STALE.but(cut=("node-2",)), "--json")
    said = json.loads(result.output)
    assert result.exit_code == 1
    assert list(said) == ["schema", "run", "cluster", "target", "verdict", "findings", "unknown", "healthy"]
    assert (said["schema"], said["run"], said["cluster"]) == ("netdiag.run/1", "run-7", "lab")
    assert said["target"] == {"kind": "svc", "namespace": "shop", "name": "checkout", "port": ""}
    assert said["verdict"] == "broken"
    assert [one["id"] for one in said["findings"]] == ["kube-proxy-apiserver-unreachable", "kube-proxy-stale-rules"]
    assert said["findings"][0]["explains"] == ["kube-proxy-stale-rules"]
    assert list(said["findings"][1]) == [
        "id", "severity", "confidence", "sentence", "params", "scope", "evidence", "command", "explains", "remedies"
    ]  # fmt: skip
    assert said["findings"][1]["remedies"] == []
    assert said["findings"][1]["params"]["ready"] == 2


async def test_remedies_are_offered_in_json(tmp_path: Path) -> None:
    """With their arguments."""
    said = json.loads((await replayed(tmp_path, STALE, "--json")).output)
    assert said["findings"][0]["remedies"] == [{"remedy": "restart-kube-proxy", "args": {"node": "node-2"}}]


@pytest.mark.parametrize(
    ("world", "code", "verdict"),
    [
        (World(), 0, "healthy"),
        (STALE, 1, "broken"),
        (World(silent=("node-2",)), 3, "unknown"),
        (World(service=service(a_slice())), 3, "unknown"),
    ],
)
async def test_exit_codes(tmp_path: Path, world: World, code: int, verdict: str) -> None:
    """0 nothing above info, 1 a finding, 3 something was not seen."""
    result = await replayed(tmp_path, world, "--json")
    assert (result.exit_code, json.loads(result.output)["verdict"]) == (code, verdict)


async def test_tables_for_people(tmp_path: Path) -> None:
    """What, where, how sure, good beside bad, the command, the remedy, what is well."""
    result = await replayed(tmp_path, STALE)
    assert result.exit_code == 1
    for part in (
        "svc/shop/checkout: broken (recorded 14:00:00 UTC, netdiag 0.1.0)",
        "critical    confirmed     node-2",
        "rule for NodePort 30080  DNAT to 2 endpoints    REJECT (no endpoints)",
        "to see it: kubectl -n kube-system exec",
        "remedy: restart-kube-proxy (node-2)",
        "2 of 2 nodes reach the API server",
    ):
        assert part in result.output


async def test_symptoms_and_why_nothing_is_offered(tmp_path: Path) -> None:
    """A folded finding is called a symptom."""
    output = (await replayed(tmp_path, STALE.but(cut=("node-2",)))).output
    assert "symptom     confirmed     node-2" in output
    assert "remedy: A restart cannot help while node-2 does not reach the API server at" in output


async def test_unknown_things_have_their_table(tmp_path: Path) -> None:
    """With the reason beside each."""
    output = (await replayed(tmp_path, World(silent=("node-2",)))).output
    assert "the rules on node-2" in output
    assert "no answer from the agent (timeout)" in output


async def test_in_chinese(tmp_path: Path) -> None:
    """Sentences and heads; ids and commands keep their names."""
    output = (await replayed(tmp_path, STALE, "--lang", "zh")).output
    assert "svc/shop/checkout: 故障" in output
    assert "最晚自 13:00:00 UTC 起" in output


async def test_a_target_that_was_not_resolved_is_resolved(tmp_path: Path) -> None:
    """A bundle of a run that was recorded by its request alone."""
    assert (await replayed(tmp_path, World(), "--json", resolved=False)).exit_code == 0


async def test_nothing_moves_the_cursor(tmp_path: Path) -> None:
    """A cluster's text is only ever text."""
    evil = World(service=service(selector={"app": "\x1b[2J"}, slices=()))
    assert "\x1b" not in (await replayed(tmp_path, evil)).output


@pytest.mark.parametrize(("content", "says"), [(b"hello", "not compressed with gzip"), (b"", "cut off")])
def test_a_wrong_file_is_said(tmp_path: Path, content: bytes, says: str) -> None:
    """One sentence that names the file, exit code 2."""
    file = tmp_path / "x.bundle"
    file.write_bytes(content)
    result = CliRunner().invoke(main, ["replay", str(file)])
    assert result.exit_code == 2
    assert str(file) in result.output.replace("\n", "")
    assert says in result.output


def test_no_file_is_said(tmp_path: Path) -> None:
    """Click's own sentence."""
    assert CliRunner().invoke(main, ["replay", str(tmp_path / "none")]).exit_code == 2


@pytest.mark.parametrize(("name", "code", "found"), [("before", 1, ["kube-proxy-stale-rules"]), ("after", 0, [])])
def test_the_recorded_story_is_found(name: str, code: int, found: list[str]) -> None:
    """What the lab recorded of a real cluster, with kube-proxy stopped on one node and after its restart."""
    bundle = RECORDED / f"{name}.bundle"
    result = CliRunner().invoke(main, ["replay", str(bundle), "--json"])
    said = json.loads(result.output)
    assert (result.exit_code, [one["id"] for one in said["findings"]]) == (code, found)
    assert all(one["confidence"] == "confirmed" for one in said["findings"])
