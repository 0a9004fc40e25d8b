"""The recorded texts say what they were recorded for."""

import re
from pathlib import Path

import pytest

from tests.lab_vm import image, record

FOLDER = Path(__file__).parent / "recorded"


def recorded(scenario: str) -> record.Recording:
    """One of them."""
    return record.parse((FOLDER / f"{scenario}.txt").read_text())


@pytest.mark.parametrize("scenario", image.SCENARIOS)
def test_each_scenario_is_recorded_with_what_it_was_made_with(scenario: str) -> None:
    """Each text says that it comes from a machine, of what and when, and each of its claims held."""
    text = recorded(scenario)
    assert list(text.facts) == ["recorded in a VM", "date", "kernel", "tools"]
    assert text.claims
    assert all(text.claims.values())


def test_ipvs_tables_show_a_drained_and_a_stale_server() -> None:
    """Addresses are hexadecimal in /proc/net/ip_vs: weight 0 on 10.3.0.2; SYN_RECV to 10.3.0.77, which is not there."""
    text = recorded("ipvs")
    servers = [re.findall(r"-> (\w{8}):0050 +Masq +(\d+)", table) for table in text.every("cat /proc/net/ip_vs")]
    assert {("0A030002", "0"), ("0A020002", "1")} in [set(table) for table in servers]
    assert any(
        re.search(r"0A60000A 0050 0A03004D 0050 SYN_RECV", table) for table in text.every("cat /proc/net/ip_vs_conn")
    )
    assert "state DOWN" in text.every("ip addr show dev kube-ipvs0")[0]


def test_a_full_table_is_counted_and_said() -> None:
    """As many entries as there may be, drops by processor, the kernel's line."""
    text = recorded("conntrack_full")
    said = [set(re.findall(r"= (\d+)", output)) for output in text.every("sysctl net.netfilter.nf_conntrack_count")]
    assert {"20"} in said
    assert sum(map(int, re.findall(r" drop=(\d+)", text.every("conntrack -S")[-1]))) > 0
    assert "nf_conntrack: table full, dropping packet" in text.every("kernel_says")[0]


def test_a_full_neighbour_table_is_counted_and_said() -> None:
    """The threshold and the entries meet; the kernel's line; the client's error."""
    text = recorded("neighbours")
    table = text.every("ip -s ntable")[0]
    assert "thresh3 16 " in table
    assert re.search(r"entries 1[67] ", table)
    assert int(re.findall(r"table_fulls (\d+)", table)[0]) > 0
    assert "neighbour: arp_cache: neighbor table overflow!" in text.every("kernel_says")[0]
    assert "sendmsg: No buffer space available" in text.every("sh -c cat /run/ping-")[0]


def test_netem_is_seen_in_its_queue() -> None:
    """What was asked of it, and what it dropped."""
    text = recorded("netem")
    assert "delay 100ms" in text.every("tc -s qdisc")[0]
    assert int(re.findall(r"loss 20%\n Sent .*\(dropped (\d+)", text.every("inside server tc")[0])[0]) > 0


def test_a_lost_race_is_counted() -> None:
    """insert_failed and drop rise together, as for any entry that could not be inserted."""
    said = recorded("snat_race").every("conntrack -S")[-1]
    assert sum(map(int, re.findall(r" insert_failed=(\d+)", said))) > 0
    assert sum(map(int, re.findall(r" drop=(\d+)", said))) > 0
