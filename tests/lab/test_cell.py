"""A cell's name says all of it."""

import itertools
from collections.abc import Iterable

import pytest

from tests.lab import build, cell
from tests.lab.cell import Cell


def test_every_combination_is_there_once_and_the_default_is_the_first() -> None:
    """Three modes, two networks, two versions of kube-proxy."""
    every = cell.every()
    assert len(set(every)) == len(every) == 12
    assert every[0] == Cell() == Cell("iptables-nft", "routed", build.kubernetes_version())
    assert {one.proxy for one in every} == {build.kubernetes_version(), build.older_version()}


def test_a_cell_is_found_by_its_name() -> None:
    """What is printed can be typed."""
    assert [cell.parse(str(one)) for one in cell.every()] == list(cell.every())
    assert str(Cell("nftables", "vxlan", "v1.34.4")) == "nftables/vxlan/v1.34.4"


@pytest.mark.parametrize("text", ["", "nftables", "nftables/vxlan/v1.0.0", "ipvs/routed/v1.37.2", "all"])
def test_an_unknown_name_is_answered_with_those_that_there_are(text: str) -> None:
    """A typing error is no other cell."""
    with pytest.raises(ValueError, match=f"there are {Cell()}, "):
        cell.parse(text)


@pytest.mark.parametrize(
    ("mode", "backend", "proxy_mode"),
    [
        ("iptables-nft", "nft", "iptables"),
        ("iptables-legacy", "legacy", "iptables"),
        ("nftables", "nft", "nftables"),
    ],
)
def test_a_mode_is_a_choice_of_kube_proxy_and_one_of_iptables(mode: cell.Mode, backend: str, proxy_mode: str) -> None:
    """kube-proxy knows nothing of the two kinds of iptables: it runs the first one in PATH."""
    assert (Cell(mode).backend, Cell(mode).proxy_mode) == (backend, proxy_mode)


def test_the_older_kube_proxy_is_three_minors_older_at_least() -> None:
    """That is how far kube-proxy may lag behind the API server (kubernetes.io/releases/version-skew-policy)."""
    minors = [int(version.split(".")[1]) for version in (build.kubernetes_version(), build.older_version())]
    assert minors[0] - minors[1] >= 3
    assert Cell().program == "kube-proxy"
    assert Cell(proxy=build.older_version()).program == f"kube-proxy-{build.older_version()}"


def test_every_pair_meets_in_the_pairwise_cells() -> None:
    """A fault that shows only where two choices meet is met once."""

    def pairs(cells: Iterable[Cell]) -> set[tuple[str, str]]:
        three = [(one.mode, one.network, one.proxy) for one in cells]
        return {pair for one in three for pair in itertools.combinations(one, 2)}

    assert pairs(cell.pairwise()) == pairs(cell.every())
    assert cell.pairwise()[0] == Cell()
