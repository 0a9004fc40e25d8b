"""The machine's first and only file system: this machine's own network tools, the kernel's modules, the scenarios."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from tests.lab_vm import cpio
from tests.lab_vm.debian import Kernel

GUEST = Path(__file__).parent / "guest"
SCENARIOS = tuple(sorted(path.stem for path in (GUEST / "scenarios").glob("*.sh")))
TOOLS = ("ip", "tc", "iptables", "ipset", "ipvsadm", "conntrack", "nft", "ping")
SBIN = "/usr/sbin:/sbin:/usr/bin:/bin"  # a user's PATH may lack the sbin folders
MODULES = (
    *("ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh", "nf_conntrack*", "nf_nat", "nf_tables", "nft_*", "xt_*", "ip_set*"),
    *("sch_netem", "veth", "bridge", "br_netfilter", "dummy", "vxlan"),
)


class MissingToolError(Exception):
    """A program that belongs in the image is not on this machine."""


def build(kernel: Kernel) -> bytes:
    """The whole image, as the kernel wants it: an uncompressed archive, since software emulation unpacks slowly."""
    return cpio.archive([*_scripts(), *_programs(), *_modules(kernel)])


def wanted_modules(dependencies: str, patterns: tuple[str, ...] = MODULES) -> set[str]:
    """Paths of modules whose name fits a pattern, and of what they need; a line of modules.dep names all of that."""
    wanted = set()
    for line in dependencies.splitlines():
        module, _, needs = line.partition(":")
        name = module.rpartition("/")[2].split(".")[0]
        if any(fnmatch(name, pattern) for pattern in patterns):
            wanted |= {module, *needs.split()}
    return wanted


def libraries(text: str) -> list[str]:
    """The files that `ldd` names: libraries, and the loader itself."""
    return re.findall(r"(/\S+) \(0x", text)


def _scripts() -> Iterator[cpio.Entry]:
    yield cpio.file("init", (GUEST / "init.sh").read_bytes())
    yield cpio.file("lib.sh", (GUEST / "lib.sh").read_bytes())
    for name in SCENARIOS:
        yield cpio.file(f"scenarios/{name}.sh", (GUEST / "scenarios" / f"{name}.sh").read_bytes())


def _programs() -> Iterator[cpio.Entry]:
    yield cpio.file("bin/busybox", _path("busybox").read_bytes())
    yield cpio.link("sbin/modprobe", "/bin/busybox")  # what the kernel calls for a module it misses
    tools = [_path(tool).resolve() for tool in TOOLS]
    for tool, path in zip(TOOLS, tools, strict=True):
        yield cpio.file(f"tools/{path.name}", path.read_bytes())
        if path.name != tool:
            yield cpio.link(f"tools/{tool}", path.name)
    plugins = list(Path("/usr/lib/x86_64-linux-gnu/xtables").glob("*.so"))
    linked = subprocess.run(["ldd", *map(str, tools)], capture_output=True, text=True, check=True)
    for library in [*libraries(linked.stdout), *map(str, plugins)]:
        yield cpio.file(library, Path(library).read_bytes())


def _path(program: str) -> Path:
    found = shutil.which(program) or shutil.which(program, path=SBIN)
    if not found:
        raise MissingToolError(f"{program} is not on this machine; run: tests/packages vm")
    return Path(found)


def _modules(kernel: Kernel) -> Iterator[cpio.Entry]:
    root = f"lib/modules/{kernel.modules.name}"
    for index in kernel.modules.glob("modules.*"):
        yield cpio.file(f"{root}/{index.name}", index.read_bytes())
    for path in sorted(wanted_modules((kernel.modules / "modules.dep").read_text())):
        yield cpio.file(f"{root}/{path}", (kernel.modules / path).read_bytes())
