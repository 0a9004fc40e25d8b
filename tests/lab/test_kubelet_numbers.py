"""What the stand-in kubelet computes: resolv.conf, limits and groups, verdicts of probes, a log's last lines."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from tests.lab import cgroups, clock, dns, limits, logs, probes

NODE = dns.parse("# the node's\nnameserver 172.30.0.1\nsearch lab.example.\noptions timeout:2 edns0\n")
CLUSTER_SEARCH = ("shop.svc.cluster.local", "svc.cluster.local", "cluster.local")


def _pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop"}, "spec": spec}


@pytest.mark.parametrize(
    ("spec", "servers", "searches", "options"),
    [
        ({}, ("10.96.0.10",), (*CLUSTER_SEARCH, "lab.example"), ("ndots:5",)),
        ({"dnsPolicy": "Default"}, NODE.nameservers, NODE.searches, NODE.options),
        ({"dnsPolicy": "ClusterFirst", "hostNetwork": True}, NODE.nameservers, NODE.searches, NODE.options),
        (
            {"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": True},
            ("10.96.0.10",),
            (*CLUSTER_SEARCH, "lab.example"),
            ("ndots:5",),
        ),
        (
            {
                "dnsPolicy": "None",
                "dnsConfig": {"nameservers": ["1.1.1.1"], "searches": ["x"], "options": [{"name": "use-vc"}]},
            },
            ("1.1.1.1",),
            ("x",),
            ("use-vc",),
        ),
        (
            {
                "dnsConfig": {
                    "nameservers": ["10.96.0.10", "1.1.1.1"],
                    "searches": ["cluster.local", "x"],
                    "options": [{"name": "ndots", "value": "2"}, {"name": "timeout", "value": "1"}],
                }
            },
            ("10.96.0.10", "1.1.1.1"),
            (*CLUSTER_SEARCH, "lab.example", "x"),
            ("ndots:2", "timeout:1"),
        ),
    ],
    ids=["ClusterFirst", "Default", "host-network", "with-host-net", "None", "merged"],
)
def test_resolv_conf_by_policy(
    spec: dict[str, Any], servers: tuple[str, ...], searches: tuple[str, ...], options: tuple[str, ...]
) -> None:
    """As kubelet's pkg/kubelet/network/dns decides it."""
    assert dns.of_pod(_pod(**spec), NODE) == dns.ResolvConf(servers, searches, options)


def test_a_resolv_conf_keeps_to_what_a_resolver_reads() -> None:
    """Three servers, 32 search domains of 2048 characters together."""
    config = {"nameservers": [f"10.0.0.{n}" for n in range(5)], "searches": [f"{n:02}" + "x" * 98 for n in range(40)]}
    made = dns.of_pod(_pod(dnsPolicy="None", dnsConfig=config), NODE)
    assert made.nameservers == ("10.0.0.0", "10.0.0.1", "10.0.0.2")
    assert len(made.searches) == 20, "21 of 100 characters and the spaces between them are too many"


def test_a_resolv_conf_reads_as_it_was_written() -> None:
    """Parsing is the inverse of writing."""
    assert dns.parse(str(NODE)) == NODE
    assert str(NODE) == "search lab.example\nnameserver 172.30.0.1\noptions timeout:2 edns0\n"


@pytest.mark.parametrize(
    ("text", "number"), [("64Mi", 64 << 20), ("1", 1), ("0.5", 0.5), ("100m", 0.1), ("1e3", 1000), ("2G", 2 * 10**9)]
)
def test_quantities(text: str, number: float) -> None:
    """The suffixes of Kubernetes."""
    assert float(limits.quantity(text)) == number


@pytest.mark.parametrize("text", ["", "Mi", "1X", "-1", "1 Gi"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    """Rather than taken for no limit."""
    with pytest.raises(ValueError, match="no quantity"):
        limits.quantity(text)


def _limited(**said: str) -> dict[str, Any]:
    return {"resources": {"limits": said}}


def test_a_pod_is_limited_when_each_of_its_containers_is() -> None:
    """By their sum, or by an init container that may use more alone."""
    both = {"spec": {"containers": [_limited(cpu="100m", memory="1Mi"), _limited(cpu="50m")]}}
    assert limits.of_pod(both) == limits.Limits(cpu=15_000, memory=None)
    assert limits.of_pod({"spec": {"containers": [{}]}}) == limits.Limits()
    first = {"spec": {"containers": [_limited(memory="1Mi")], "initContainers": [_limited(memory="2Mi")]}}
    assert limits.of_pod(first).memory == 2 << 20
    assert limits.of_container(_limited(cpu="1m")).cpu == limits.LEAST_QUOTA


def test_groups_are_named_as_a_kubelet_names_them() -> None:
    """So that an agent finds them on a real node by the same names."""
    assert (
        cgroups.pod_path("a-b", "Burstable")
        == "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-poda_b.slice"
    )
    assert cgroups.pod_path("a-b", "Guaranteed") == "kubepods.slice/kubepods-poda_b.slice"


def test_v1_serves_what_v2_has_no_controller_for(tmp_path: Path) -> None:
    """A hybrid machine; and in v1 a group is made below our own."""
    (tmp_path / "v2").mkdir()
    (tmp_path / "v2" / "cgroup.controllers").write_text("cpu hugetlb\n")
    (tmp_path / "mem" / "own").mkdir(parents=True)
    mounts = (
        f"cgroup {tmp_path}/cpu cgroup rw,relatime,cpu 0 0\n"
        f"cgroup {tmp_path}/mem cgroup rw,relatime,memory 0 0\n"
        f"cgroup2 {tmp_path}/v2 cgroup2 rw,relatime 0 0\n"
    )
    assert cgroups.hierarchies(mounts, "4:memory:/own\n1:cpu:/\n0::/\n") == [
        cgroups.Hierarchy(2, tmp_path / "v2", frozenset({"cpu"})),
        cgroups.Hierarchy(1, tmp_path / "mem" / "own", frozenset({"memory"})),
    ]


def test_a_probe_has_to_answer_alike_several_times() -> None:
    """FailureThreshold failures in a row, successThreshold successes in a row."""
    tally = probes.Tally({"failureThreshold": 2, "successThreshold": 1})
    answers = (False, True, False, False, True)
    assert [tally.add(answer) for answer in answers] == [None, True, None, False, True]


LINES = [f"2026-01-01T00:00:0{n}.000000000Z stdout F line {n}".encode() for n in range(5)]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({}, b"line 0\nline 1\nline 2\nline 3\nline 4\n"),
        ({"tailLines": "2"}, b"line 3\nline 4\n"),
        ({"tailLines": "0"}, b""),
        ({"sinceSeconds": "3"}, b"line 2\nline 3\nline 4\n"),
        ({"sinceTime": "2026-01-01T00:00:04Z"}, b"line 4\n"),
        ({"limitBytes": "8"}, b"line 0\nl"),
        ({"tailLines": "1", "timestamps": "true"}, b"2026-01-01T00:00:04.000000000Z line 4\n"),
    ],
    ids=lambda item: " ".join(item) or "all" if isinstance(item, dict) else "",
)
def test_a_log_is_read_as_it_was_asked_for(query: dict[str, str], text: bytes) -> None:
    """The query of a kubelet's containerLogs."""
    now = dt.datetime(2026, 1, 1, 0, 0, 5, tzinfo=dt.UTC)
    assert logs.select(LINES, logs.parse(query, now)) == text


async def test_a_pipe_writes_lines_with_times(tmp_path: Path) -> None:
    """Also the last one, which has no end of line."""
    pipe = logs.LogPipe(tmp_path / "log")
    with open(pipe.writer, "wb", closefd=False) as writer:  # noqa: ASYNC230 - a pipe that has room
        writer.write(b"one\ntwo")
    pipe.started()
    pipe.close()
    lines = (tmp_path / "log").read_bytes().splitlines()
    assert logs.select(lines, logs.Query()) == b"one\ntwo\n"
    assert abs(clock.parse(lines[0].split()[0].decode()) - clock.now()) < dt.timedelta(seconds=10)


async def test_a_log_is_followed_until_its_container_has_ended(tmp_path: Path) -> None:
    """Its last words are read, too."""
    path = tmp_path / "log"
    path.write_bytes(LINES[0] + b"\n")
    ended: list[bool] = []

    def has_ended() -> bool:
        if not ended:
            with path.open("ab") as file:
                file.write(LINES[1] + b"\n")
        ended.append(True)
        return len(ended) > 1

    read = [part async for part in logs.read(path, logs.Query(follow=True), has_ended)]
    assert b"".join(read) == b"line 0\nline 1\n"
