"""Which process is kube-proxy, what it was told, and what its metrics say."""

import os
import socket
from pathlib import Path

import pytest

from workers.agent import inroot, metrics, proxy
from workers.agent.host import ProbeFailed

CONFIG = """
kind: KubeProxyConfiguration
healthzBindAddress: 10.0.0.1:10256
metricsBindAddress: 0.0.0.0:20249
clientConnection: {kubeconfig: /var/lib/kube-proxy/kubeconfig.conf}
"""
KUBECONFIG = """
current-context: two
contexts:
- {name: one, context: {cluster: old}}
- {name: two, context: {cluster: new, user: me}}
clusters:
- {name: old, cluster: {server: "https://10.0.0.1:6443"}}
- {name: new, cluster: {server: "https://user:password@api.example:6443/path?token=secret"}}
users:
- {name: me, user: {token: secret}}
"""


class FakeProc:
    """A /proc of a few files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "spaces").mkdir(parents=True)
        for name in ("ours", "theirs"):
            (path / "spaces" / name).write_text(name)
        (path / "self/ns").mkdir(parents=True)
        (path / "self/ns/net").symlink_to(path / "spaces/ours")
        (path / "stat").write_text("cpu 1 2 3\nbtime 1700000000\nprocesses 7\n")

    def process(
        self, pid: int, argv: list[str], *, comm: str = "", space: str = "ours", state: str = "S", ticks: int = 100
    ) -> Path:
        """One process; returns its folder, with an empty root."""
        folder = self.path / str(pid)
        (folder / "ns").mkdir(parents=True)
        (folder / "root").mkdir()
        (folder / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in argv))
        (folder / "comm").write_text((comm or argv[0].rpartition("/")[2])[:15] + "\n")
        (folder / "ns/net").symlink_to(self.path / "spaces" / space)
        numbers = " ".join(["0"] * 18)
        (folder / "stat").write_text(f"{pid} (a) b) {state} {numbers} {ticks} 0 0\n")
        return folder


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    """An empty one."""
    return FakeProc(tmp_path / "proc")


def test_none_is_none(proc: FakeProc) -> None:
    """Inside k3s there is no such process, and other names are not it."""
    proc.process(5, ["/usr/local/bin/k3s", "server"])
    proc.process(6, ["kube-proxy-exporter"])
    assert proxy.find(proc.path) is None


def test_it_is_found_by_its_name_in_this_network_namespace(proc: FakeProc) -> None:
    """Several nodes may share one view of processes: the namespace tells which is ours."""
    proc.process(5, ["/usr/local/bin/kube-proxy", "--v=2"], space="theirs", ticks=900)
    proc.process(6, ["/usr/local/bin/kube-proxy", "--v=2"], state="T", ticks=250)
    found = proxy.find(proc.path)
    assert found == proxy.Process(
        6, "T", 1700000000 + 250 / os.sysconf("SC_CLK_TCK"), ("/usr/local/bin/kube-proxy", "--v=2")
    )


@pytest.mark.parametrize(
    ("argv", "comm"), [(["kube-proxy"], "python3"), (["/hyper"], "kube-proxy"), ([""], "kube-proxy")]
)
def test_either_name_will_do(proc: FakeProc, argv: list[str], comm: str) -> None:
    """Of the program, or of the first argument."""
    proc.process(5, argv, comm=comm)
    assert proxy.find(proc.path)


def test_the_youngest_of_two(proc: FakeProc) -> None:
    """An old one may still be dying."""
    proc.process(9, ["kube-proxy"], ticks=100)
    proc.process(5, ["kube-proxy"], ticks=200)
    found = proxy.find(proc.path)
    assert found
    assert found.pid == 5


def test_processes_that_end_meanwhile_are_no_matter(proc: FakeProc) -> None:
    """Half of its files are gone already; a zombie has no network namespace."""
    (proc.process(5, ["kube-proxy"]) / "ns/net").unlink()
    (proc.process(6, ["kube-proxy"]) / "stat").unlink()
    (proc.process(7, ["kube-proxy"]) / "comm").unlink()
    assert proxy.find(proc.path) is None


def test_one_that_may_not_be_looked_at_is_said(proc: FakeProc, monkeypatch: pytest.MonkeyPatch) -> None:
    """To say that there is none would be wrong then."""
    proc.process(5, ["kube-proxy"])
    real = Path.stat

    def stat(path: Path, **options: bool) -> os.stat_result:
        if "5/ns" in str(path):
            raise PermissionError(13, "Permission denied")
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(ProbeFailed, match="CAP_SYS_PTRACE"):
        proxy.find(proc.path)


def tell(proc: FakeProc, argv: list[str], files: dict[str, str] | None = None) -> proxy.Told:
    """What a kube-proxy with these arguments and files was told."""
    folder = proc.process(5, ["kube-proxy", *argv])
    (folder / "cwd").symlink_to("/work dir")
    for name, text in (files or {}).items():
        path = folder / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    process = proxy.find(proc.path)
    assert process
    return proxy.told(proc.path, process)


FILES = {"etc/config.conf": CONFIG, "var/lib/kube-proxy/kubeconfig.conf": KUBECONFIG}


@pytest.mark.parametrize(
    "argv", [["--config=/etc/config.conf"], ["--config", "/etc/config.conf"], ["-v", "2", "-config=/etc/config.conf"]]
)
def test_a_config_file_leads_to_the_server(proc: FakeProc, argv: list[str]) -> None:
    """The current context's cluster; nothing of the URL but scheme, host and port; and where it answers."""
    assert tell(proc, argv, FILES) == proxy.Told("https://api.example:6443", ("10.0.0.1", 10256), ("127.0.0.1", 20249))


def test_a_kubeconfig_flag_counts_without_a_config_file_only(proc: FakeProc) -> None:
    """As kube-proxy has it."""
    flags = ["--kubeconfig=/k", "--config=/etc/config.conf"]
    assert tell(proc, flags, {"etc/config.conf": "{}", "k": KUBECONFIG}).server == ""


def test_flags_alone(proc: FakeProc) -> None:
    """Without a config file; a path may be relative to the process's own folder."""
    flags = ["--kubeconfig=k", "--metrics-bind-address=[::]:1", "--healthz-bind-address=[fd00::1]:2"]
    told = tell(proc, flags, {"work dir/k": KUBECONFIG})
    assert told == proxy.Told("https://api.example:6443", ("fd00::1", 2), ("127.0.0.1", 1))


def test_master_wins(proc: FakeProc) -> None:
    """Over the kubeconfig's server, with a config file or without."""
    assert (
        tell(proc, ["--master=http://10.0.0.9:8080", "--config=/etc/config.conf"], FILES).server
        == "http://10.0.0.9:8080"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "- a",
        "clusters: 7",
        "current-context: [a]",
        "&a [*a, *a]",
        "clusters: [{name: x, cluster: 3}]",
        "[" * 20_000,
    ],
)
def test_a_broken_kubeconfig_is_no_server(proc: FakeProc, text: str) -> None:
    """And no reason to know nothing else."""
    assert tell(proc, ["--kubeconfig=/k"], {"k": text}) == proxy.Told()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://10.0.0.1", "https://10.0.0.1:443"),
        ("http://[fd00::1]:80/", "http://[fd00::1]:80"),
        ("10.0.0.1:8080", "http://10.0.0.1:8080"),
        ("ftp://a", ""),
        ("https://", ""),
        ("https://a:b:c", ""),
        ("https://a:99999", ""),
        ("https://a_<b>", ""),
        ("", ""),
    ],
)
def test_only_a_plain_url_leaves_the_node(url: str, expected: str) -> None:
    """Scheme, host and port, or nothing."""
    assert proxy.plain_url(url) == expected


def test_links_stay_inside_the_process_root(tmp_path: Path) -> None:
    """A ConfigMap's links work, absolute ones too; none leads to our own files."""
    (tmp_path / "outside").write_text("host")
    root = tmp_path / "root"
    (root / "etc/..data").mkdir(parents=True)
    (root / "etc/..data/config").write_text("inside")
    (root / "etc/config").symlink_to("..data/config")
    (root / "etc/absolute").symlink_to("/etc/config")
    (root / "etc/away").symlink_to(tmp_path / "outside")
    (root / "etc/up").symlink_to("../../../../../../../../etc/..data/config")
    assert inroot.read(root, "/etc/config") == b"inside"
    assert inroot.read(root, "/etc/absolute") == b"inside"
    assert inroot.read(root, "etc/up") == b"inside"
    assert inroot.read(root, "../../etc/config") == b"inside"
    with pytest.raises(FileNotFoundError):
        inroot.read(root, "/etc/away")


def test_only_regular_files_of_a_sane_size_are_read(tmp_path: Path) -> None:
    """A pipe would hang, a device may never end, a large file is not what was meant."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"x" * (inroot.LARGEST + 1))
    (tmp_path / "zero").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for name in ("pipe", "large", "zero", "socket", ".", "absent"):
            with pytest.raises(OSError):  # noqa: PT011 - each has its own number
                inroot.read(tmp_path, name)


METRICS = """\
# TYPE kubeproxy_sync_proxy_rules_last_timestamp_seconds gauge
kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="IPv4"} 1.7955349294484203e+09
kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="IPv6"} 1.795e+09
kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds{ip_family="IPv4"} 1.7955350000000000e+09
kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds{ip_family="IPv6"} 1.795e+09
kubeproxy_sync_proxy_rules_iptables_restore_failures_total{ip_family="IPv4"} 3
kubeproxy_sync_proxy_rules_iptables_restore_failures_total{ip_family="IPv6"} 4
kubeproxy_sync_proxy_rules_endpoint_changes_pending 5
kubeproxy_sync_proxy_rules_duration_seconds_sum{ip_family="IPv4"} 0.04
process_resident_memory_bytes 6.2e+07
"""


def test_timestamps_are_one_familys_and_counters_a_sum() -> None:
    """IPv6 is quiet since long, and must not be taken for a sync that is late; nothing else is sent."""
    assert metrics.values(METRICS) == {
        metrics.LAST: 1795534929.4484203,
        metrics.QUEUED: 1795535000.0,
        "kubeproxy_sync_proxy_rules_iptables_restore_failures_total": 7.0,
        "kubeproxy_sync_proxy_rules_endpoint_changes_pending": 5.0,
    }


def test_metrics_without_families() -> None:
    """As kube-proxy wrote them before 1.33."""
    text = f"{metrics.LAST} 7\n{metrics.QUEUED} 9\n{metrics.LAST}x 1\n{metrics.LAST} NaN\n{metrics.LAST} e\n"
    assert metrics.values(text) == {metrics.LAST: 7.0, metrics.QUEUED: 9.0}


def test_a_family_that_never_synced() -> None:
    """It asked, and nothing happened: that is the one that waits longest."""
    text = f'{metrics.LAST}{{ip_family="IPv6"}} 8\n{metrics.QUEUED}{{ip_family="IPv6"}} 9\n'
    text += f'{metrics.QUEUED}{{ip_family="IPv4"}} 9\n'
    assert metrics.values(text) == {metrics.QUEUED: 9.0}
