"""Boots the machine for one scenario, and sees to it that it ends.

KVM is used where a guest really starts with it: a device file that can be opened does not prove that (nested
virtualisation may open it and never run an instruction). Everything works without, only slower.
"""

import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.lab_vm import record
from tests.lab_vm.debian import Kernel

Acceleration = Literal["kvm", "tcg"]
QEMU = "qemu-system-x86_64"
START_LIMIT: dict[Acceleration, float] = {"kvm": 10.0, "tcg": 60.0}  # seconds until the first line of /init
LIMIT = 240.0  # seconds for one boot, all in all
KVM_DEVICE = Path("/dev/kvm")


class MachineError(Exception):
    """The machine did not do what it was started for."""


class NotStartedError(MachineError):
    """The machine's /init did not speak in time."""


@dataclass(frozen=True)
class Boot:
    """What one boot said on its second serial line, and how long it took in seconds: to /init, and all in all."""

    text: str
    started: float
    whole: float


def arguments(kernel: Kernel, image: Path, acceleration: Acceleration, scenario: str, serial: Path) -> list[str]:
    """The command line: two processors, since races need them; no network and no disk."""
    command = f"console=ttyS0 panic=-1 lab_vm={scenario}"
    return [
        *(QEMU, "-accel", acceleration, "-smp", "2", "-m", "768", "-display", "none", "-nic", "none"),
        # /init ends by a reboot, and a panic does too; both mean that QEMU exits.
        *("-no-reboot", "-kernel", str(kernel.image), "-initrd", str(image), "-append", command),
        # The kernel talks on the first line, /init and its scenario on the second.
        *("-serial", f"file:{serial / 'kernel'}", "-serial", f"file:{serial / 'said'}"),
    ]


def fastest(kernel: Kernel, image: Path) -> tuple[Acceleration, str]:
    """What guests really start with here, and why that."""
    if not os.access(KVM_DEVICE, os.R_OK | os.W_OK):
        return "tcg", f"{KVM_DEVICE} is not there for this user"
    try:
        boot(kernel, image, "kvm", "none")
    except MachineError as error:
        return "tcg", f"KVM: {error}"
    return "kvm", "a guest starts with it"


def boot(kernel: Kernel, image: Path, acceleration: Acceleration, scenario: str) -> Boot:
    """One boot; raises MachineError when it stays silent, takes too long, or ends before its scenario does."""
    with tempfile.TemporaryDirectory(prefix="lab-vm-") as folder:
        serial = Path(folder)
        try:
            process = subprocess.Popen(
                arguments(kernel, image, acceleration, scenario, serial),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=(serial / "qemu").open("wb"),
            )
        except OSError as error:
            raise MachineError(f"{QEMU} cannot be run: {error}; run: tests/packages vm") from error
        try:
            started, whole = _wait(process, serial, START_LIMIT[acceleration])
        finally:
            process.kill()  # this process only, by its handle; nothing happens when it has ended
            process.wait()
        text = _read(serial / "said")
        if not record.ended(text):
            raise MachineError(f"it ended before {scenario} did: {_tail(serial)}")
        return Boot(text, started, whole)


def _wait(process: subprocess.Popen[bytes], serial: Path, start_limit: float) -> tuple[float, float]:
    begun, started = time.monotonic(), 0.0
    while process.poll() is None:
        passed = time.monotonic() - begun
        if not started and _read(serial / "said"):
            started = passed
        if not started and passed > start_limit:
            raise NotStartedError(f"no guest starts within {start_limit:.0f} s: {_tail(serial)}")
        if passed > LIMIT:
            raise MachineError(f"still running after {LIMIT:.0f} s: {_tail(serial)}")
        time.sleep(0.05)
    return started, time.monotonic() - begun


def _read(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _tail(serial: Path) -> str:
    texts = (_read(serial / name).strip().rpartition("\n")[2] for name in ("said", "kernel", "qemu"))
    return next((text for text in texts if text), "not a word")
