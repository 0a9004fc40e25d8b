"""Writes the archive that Linux unpacks as its first file system, without being root.

The format is "newc": Documentation/driver-api/early-userspace/buffer-format.rst in the kernel's tree.
"""

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Entry:
    """A file, a folder or a symbolic link (its content is where it leads); `path` has no leading slash."""

    path: str
    mode: int
    content: bytes = b""


def file(path: str, content: bytes, permissions: int = 0o755) -> Entry:
    """A file of root's."""
    return Entry(path.lstrip("/"), stat.S_IFREG | permissions, content)


def link(path: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(path.lstrip("/"), stat.S_IFLNK | 0o777, target.encode())


def archive(entries: Iterable[Entry]) -> bytes:
    """The archive; folders above the entries are added. The first of two entries with one path counts."""
    unique: dict[str, Entry] = {}
    for entry in entries:
        for folder in reversed(PurePosixPath(entry.path).parents[:-1]):
            unique.setdefault(str(folder), Entry(str(folder), stat.S_IFDIR | 0o755))
        unique.setdefault(entry.path, entry)
    records = [_record(number, entry) for number, entry in enumerate(unique.values(), start=1)]
    return b"".join([*records, _record(0, Entry("TRAILER!!!", 0))])


def _record(inode: int, entry: Entry) -> bytes:
    name = entry.path.encode() + b"\0"
    # inode, mode, owner, group, links, time, size, four device numbers, length of the name, checksum (unused)
    fields = (inode, entry.mode, 0, 0, 1, 0, len(entry.content), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(head + name) + _padded(entry.content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
