"""`python -m tests.bench`: the ack beside a bare Bolt app; as root also the verdict beside the guide's own commands."""

import asyncio
import os
import subprocess
import sys

from tests.bench import ack


def main() -> int:
    """Print a table for each; 0 when all of them ran."""
    asyncio.run(ack.main())
    if os.geteuid():
        sys.stdout.write("\nThe verdict on a real cluster needs root (network namespaces): sudo make bench\n")
        return 0
    built = subprocess.run([sys.executable, "-m", "tests.lab", "build"], check=True, capture_output=True, text=True)
    sys.stdout.write(f"\n{built.stdout}")
    inside = [sys.executable, "-m", "tests.lab", "in", "--", sys.executable, "-m", "tests.bench.verdict"]
    return subprocess.run(inside, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
