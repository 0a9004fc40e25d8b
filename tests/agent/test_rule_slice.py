"""Which iptables is asked, and what is said when one of the two cannot be read."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from tests.agent.ruleset import CHECKOUT, TEXT, TOTAL
from workers.agent.host import Host, ProbeFailed, stream
from workers.agent.probes import rule_slice

CANARY = "*mangle\n:PREROUTING ACCEPT [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A node without any program, whose kernel has no iptables-legacy."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "proc/self/net").mkdir(parents=True)
    return Host(proc=tmp_path / "proc", path=str(tmp_path / "bin"))


def install(host: Host, name: str, prints: str, *, code: int = 0, says: str = "") -> None:
    """A program that prints a text, and leaves a mark that it was run."""
    folder = Path(host.path)
    (folder / f"{name}.txt").write_text(prints)
    program = folder / f"{name}-save"
    lines = ["#!/bin/sh", f": > {folder}/{name}.ran", f"/bin/cat {folder}/{name}.txt", f"echo '{says}' >&2"]
    program.write_text("\n".join([*lines, f"exit {code}", ""]))
    program.chmod(0o755)


def legacy_tables(host: Host, names: str) -> None:
    """What /proc/self/net/ip_tables_names says."""
    (host.proc / "self/net/ip_tables_names").write_text(names)


async def test_iptables_nft_alone(host: Host) -> None:
    """The usual node; iptables-legacy is not even run, since running it makes tables."""
    install(host, "iptables-nft", TEXT)
    install(host, "iptables-legacy", TEXT)
    legacy_tables(host, "")
    seen = await rule_slice.take(CHECKOUT, host)
    assert (seen.backend, seen.other_backend, seen.total) == ("iptables-nft", False, TOTAL)
    assert not (Path(host.path) / "iptables-legacy.ran").exists()


async def test_iptables_legacy(host: Host) -> None:
    """When it has tables, it is asked as well."""
    install(host, "iptables-nft", "")
    install(host, "iptables-legacy", TEXT)
    legacy_tables(host, "nat\nfilter\n")
    seen = await rule_slice.take(CHECKOUT, host)
    assert (seen.backend, seen.other_backend) == ("iptables-legacy", False)


@pytest.mark.parametrize("backend", ["iptables-nft", "iptables-legacy"])
async def test_both_hold_rules(host: Host, backend: str) -> None:
    """The one with kube-proxy's own chains is shown; a kubelet's canary in the other is told."""
    for name in ("iptables-nft", "iptables-legacy"):
        install(host, name, TEXT if name == backend else CANARY)
    legacy_tables(host, "nat\n")
    seen = await rule_slice.take(CHECKOUT, host)
    assert (seen.backend, seen.other_backend) == (backend, True)


async def test_neither_holds_rules(host: Host) -> None:
    """kube-proxy in another mode, or none: said as it is."""
    install(host, "iptables-nft", "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -j ACCEPT\nCOMMIT\n")
    seen = await rule_slice.take(CHECKOUT, host)
    assert (seen.backend, seen.tables, seen.total, seen.kube_chains) == ("none", {}, 1, 0)


async def test_nothing_is_installed(host: Host) -> None:
    """The reason names both programs."""
    with pytest.raises(ProbeFailed, match="neither iptables-nft-save nor iptables-legacy-save is installed"):
        await rule_slice.take(CHECKOUT, host)


async def test_legacy_rules_that_cannot_be_shown(host: Host) -> None:
    """iptables-nft shows none of kube-proxy's, so they may be the others: nothing is claimed."""
    install(host, "iptables-nft", CANARY)
    legacy_tables(host, "nat\n")
    with pytest.raises(ProbeFailed, match="iptables-legacy-save is not installed"):
        await rule_slice.take(CHECKOUT, host)


async def test_one_that_fails_beside_one_that_has_the_rules(host: Host) -> None:
    """A kernel without nf_tables: iptables-legacy alone is the answer."""
    install(host, "iptables-nft", "", code=1, says="Operation not supported")
    install(host, "iptables-legacy", TEXT)
    legacy_tables(host, "nat\n")
    assert (await rule_slice.take(CHECKOUT, host)).backend == "iptables-legacy"


async def test_a_dump_that_breaks_off(host: Host) -> None:
    """Half a dump is no evidence; the program's own words are the reason."""
    install(host, "iptables-nft", TEXT[:3000], code=1, says="out of memory")
    with pytest.raises(ProbeFailed, match="iptables-nft-save ended with code 1: out of memory"):
        await rule_slice.take(CHECKOUT, host)


async def test_a_table_that_iptables_cannot_show(host: Host) -> None:
    """A slice without its filter table would look complete."""
    install(host, "iptables-nft", f"{TEXT}# Table `filter' is incompatible, use 'nft' tool.\n")
    with pytest.raises(ProbeFailed, match="filter"):
        await rule_slice.take(CHECKOUT, host)
    install(host, "iptables-nft", f"{TEXT}# Table `security' is incompatible, use 'nft' tool.\n")
    assert (await rule_slice.take(CHECKOUT, host)).backend == "iptables-nft"


async def test_a_proc_that_cannot_be_read(host: Host) -> None:
    """Whether iptables-legacy has tables is then unknown, and running it would make some."""
    install(host, "iptables-nft", TEXT)
    (host.proc / "self/net/ip_tables_names").mkdir()
    with pytest.raises(ProbeFailed, match="ip_tables_names"):
        await rule_slice.take(CHECKOUT, host)


def endless(host: Host) -> Path:
    """A program that prints for ever."""
    program = Path(host.path) / "endless"
    program.write_text(f"#!/bin/sh\necho $$ > {host.path}/pid\nexec /usr/bin/yes\n")
    program.chmod(0o755)
    return program


def still_runs(host: Host) -> bool:
    """Is the endless program there?"""
    return Path(f"/proc/{(Path(host.path) / 'pid').read_text().strip()}").exists()


async def test_a_program_without_end_is_killed(host: Host) -> None:
    """More than `most` bytes, or a caller that gave up: the program is gone afterwards."""
    program = endless(host)
    with pytest.raises(ProbeFailed, match="more than 1 MiB"):
        await stream([str(program)], lambda _: None, path=host.path, most=1 << 20)
    assert not still_runs(host)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await stream([str(program)], lambda _: None, path=host.path, most=1 << 40)
    assert not still_runs(host)


async def test_a_talkative_program_does_not_hang(host: Host) -> None:
    """Its error output is read to the end, and only its beginning kept."""
    program = Path(host.path) / "loud"
    program.write_text("#!/bin/sh\n/usr/bin/head -c 1000000 /dev/zero >&2\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(ProbeFailed, match="ended with code 3") as caught:
        await stream([str(program)], lambda _: None, path=host.path, most=1 << 20)
    assert len(str(caught.value)) < 3000


def test_the_answer_is_the_same_after_its_way_as_json() -> None:
    """What an agent sends is what a worker reads."""
    dump = rule_slice.Dump(CHECKOUT)
    dump.feed(TEXT.encode())
    dump.finish()
    seen = rule_slice.chosen({"iptables-nft": dump}, [])
    assert msgspec.json.decode(msgspec.json.encode(seen), type=type(seen)) == seen
