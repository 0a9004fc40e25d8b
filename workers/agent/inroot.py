"""Read a file as another process sees it, without ever leaving that process's root.

An absolute symlink under /proc/PID/root would lead to our own files, and ConfigMap volumes are made of symlinks, so
none can be forbidden. openat2(2) with RESOLVE_IN_ROOT (Linux 5.6) follows them inside that root, as the process would.
"""

import ctypes
import errno
import os
import stat
from pathlib import Path

OPENAT2 = 437  # the same number on every architecture
RESOLVE_NO_MAGICLINKS, RESOLVE_IN_ROOT = 0x02, 0x10
LARGEST = 256 << 10  # bytes


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def read(root: Path, path: str) -> bytes:
    """A regular file's bytes. Raises OSError; EFBIG when there are more than LARGEST, EINVAL for other kinds."""
    base = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # O_NONBLOCK: opening a pipe without a writer would wait for ever.
        file = _openat2(base, path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    finally:
        os.close(base)
    with os.fdopen(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        data = opened.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise OSError(errno.EFBIG, "larger than what is read", path)
    return data


def _openat2(base: int, path: str, flags: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    how = _How(flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
    file = libc.syscall(OPENAT2, base, ctypes.c_char_p(os.fsencode(path)), ctypes.byref(how), ctypes.sizeof(how))
    if file < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return int(file)
