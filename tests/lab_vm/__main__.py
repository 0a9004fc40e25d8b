"""Proves and records, on Debian's stock kernel in QEMU, what the lab's kernel may lack: `python -m tests.lab_vm`."""

import argparse
import datetime as dt
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from tests.lab_vm import debian, image, machine, record


def main() -> int:
    """Exit code 0 when each scenario showed its symptom and its recovery, 1 when not, 2 when typed wrongly."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab_vm", description=__doc__)
    parser.add_argument("--only", action="append", choices=image.SCENARIOS, help="a scenario (default: all)")
    parser.add_argument("--record", type=Path, metavar="DIR", help="write what each scenario said into DIR")
    parser.add_argument("--accel", choices=("auto", "kvm", "tcg"), default="auto", help="default: what really works")
    arguments = parser.parse_args()
    begun = time.monotonic()
    try:
        passed = _run(arguments.only or image.SCENARIOS, arguments.accel, arguments.record)
    except (debian.CannotGetError, image.MissingToolError, machine.MachineError) as error:
        print(f"lab-vm: {error}", file=sys.stderr)
        return 1
    print(f"lab-vm: {time.monotonic() - begun:.0f} s in all")
    return 0 if passed else 1


def _run(scenarios: Sequence[str], accel: Literal["auto", "kvm", "tcg"], folder: Path | None) -> bool:
    kernel = debian.kernel()
    with tempfile.NamedTemporaryFile(prefix="lab-vm-", suffix=".cpio") as archive:
        path = Path(archive.name)
        path.write_bytes(image.build(kernel))
        print(f"lab-vm: {kernel.modules.name}, an image of {path.stat().st_size / 2**20:.0f} MiB")
        chosen, why = (accel, "asked for") if accel != "auto" else machine.fastest(kernel, path)
        print(f"lab-vm: acceleration {chosen} ({why})")
        passed = True
        for scenario in scenarios:
            boot = machine.boot(kernel, path, chosen, scenario)
            wrong = record.failures(boot.text)
            print(f"lab-vm: {scenario}: started in {boot.started:.1f} s, ended after {boot.whole:.1f} s")
            print(record.body(boot.text) if wrong else f"        {len(record.parse(boot.text).claims)} claims hold")
            passed = passed and not wrong
            if folder and not wrong:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{scenario}.txt").write_text(_head(chosen) + record.body(boot.text))
    return passed


def _head(acceleration: str) -> str:
    said = subprocess.run([machine.QEMU, "--version"], capture_output=True, text=True, check=True).stdout
    today = dt.datetime.now(tz=dt.UTC).date()
    return f"# recorded in a VM: {said.splitlines()[0]}, {acceleration}\n# date: {today}\n"


if __name__ == "__main__":
    sys.exit(main())
