"""netdiag is right about what is really broken, says nothing of a healthy cluster, and heals what it offers to."""

import asyncio
import json
import sys
from typing import Any

import pytest

from tests.lab import build, cell
from tests.lab.cell import Cell

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240), pytest.mark.usefixtures("lab_namespaces")]

STALE, CUT = "kube-proxy-stale-rules", "kube-proxy-apiserver-unreachable"


async def _score(*argv: str) -> tuple[int | None, dict[str, Any]]:
    """In namespaces of its own: a scoreboard needs a lab for itself."""
    python = (sys.executable, "-m", "tests.lab")
    process = await asyncio.create_subprocess_exec(
        *(*python, "in", "--", *python, "score", "--json", *argv), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    said: dict[str, Any] = json.loads(out.decode().splitlines()[-1])
    return process.returncode, said


async def test_both_injections_are_named_first_and_the_stale_one_is_healed() -> None:
    """Case 1 both ways, kube-proxy over iptables-nft."""
    code, said = await _score("--only", STALE, "--only", CUT)
    stale, cut = said["faults"]
    assert (stale["result"], stale["healed"]) == ("named first", "yes")
    assert (cut["result"], cut["healed"]) == ("named first", "none offered")
    assert cut["folded"] == [STALE]
    assert cut["refused"]
    assert said["totals"] == {"recall": 1.0, "precision": 1.0, "false_alarms": 0}
    assert code == 0


async def test_a_healthy_cluster_is_no_cause_for_alarm_in_any_cell_with_the_newest_kube_proxy() -> None:
    """And is not called healthy where its rules cannot be read yet."""
    newest = [one for one in cell.every() if one.proxy == build.kubernetes_version()]
    code, said = await _score("--healthy-only", "--cells", ",".join(map(str, newest)))
    assert {one["cell"]: one["healthy"] for one in said["cells"]} == {
        str(one): "unknown" if one.mode == "nftables" else "healthy" for one in newest
    }
    assert (code, said["faults"], said["totals"]["false_alarms"]) == (0, [], 0)


async def test_the_same_holds_over_iptables_legacy() -> None:
    """The rules lie elsewhere, and the agent finds them."""
    code, said = await _score("--cells", str(Cell("iptables-legacy")), "--only", STALE)
    assert said["faults"][0]["cell"].startswith("iptables-legacy/")
    assert (said["faults"][0]["result"], said["faults"][0]["healed"], code) == ("named first", "yes", 0)
