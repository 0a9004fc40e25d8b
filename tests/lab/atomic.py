"""Files that change all at once, by kubelet's AtomicWriter (pkg/volume/util/atomic_writer.go).

A volume holds a folder of the files with a name of its own, `..data`, a link to it, and for every file a link through
`..data`; a rename replaces that link. Whoever watches (CoreDNS's reload, kube-proxy's fsnotify) sees one change.
"""

import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

DATA = "..data"
Files = Mapping[str, tuple[bytes, int]]  # path in the volume -> content and mode


def write(folder: Path, files: Files) -> bool:
    """Let `folder` show these files and no others. False when it does so already."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / DATA
    old = data.resolve() if data.is_symlink() else None
    if old is not None and _read(old) == {name: content for name, (content, _) in files.items()}:
        return False
    new = Path(tempfile.mkdtemp(prefix=time.strftime("..%Y_%m_%d_%H_%M_%S."), dir=folder))
    new.chmod(0o755)
    for name, (content, mode) in files.items():
        target = new / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(mode)
    link = folder / f"{DATA}_tmp"
    link.symlink_to(new.name)
    link.rename(data)
    _show(folder, {Path(name).parts[0] for name in files})
    if old is not None:
        shutil.rmtree(old)
    return True


def _read(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _show(folder: Path, names: set[str]) -> None:
    shown = {path.name for path in folder.iterdir() if not path.name.startswith("..")}
    for name in names - shown:
        (folder / name).symlink_to(Path(DATA, name))
    for name in shown - names:
        (folder / name).unlink()
