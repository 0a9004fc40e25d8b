"""Which programs does a lab find under which names? Folders of links, so that a cell's choice is made in one place."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.lab import build
from tests.lab.cell import Cell
from tests.lab.processes import LabError

IPTABLES = ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore")


def link_binaries(folder: Path, cell: Cell) -> None:
    """Everything that was built; `kube-proxy` is the cell's. Raises CannotBuildError when it is not built."""
    built = build.binaries()
    folder.mkdir()
    for name, path in {**built, "kube-proxy": built[cell.program]}.items():
        (folder / name).symlink_to(path)


def link_iptables(folders: Iterable[Path], cell: Cell) -> None:
    """The iptables that kube-proxy and every command on a node finds first, a folder each. Raises LabError for what is
    missing.
    """
    search = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if cell.proxy_mode == "nftables" and shutil.which("nft", path=search) is None:
        raise LabError("nft is missing (Debian package nftables)")
    binary = shutil.which(f"xtables-{cell.backend}-multi", path=search)
    if binary is None:
        raise LabError(f"xtables-{cell.backend}-multi is missing (Debian package iptables)")
    for folder in folders:
        folder.mkdir(parents=True)
        for name in IPTABLES:
            (folder / name).symlink_to(binary)
