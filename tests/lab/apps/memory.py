"""The image `netdiag.test/memory`: takes memory and keeps it. Arguments: MIB."""

import sys
import threading

MIB = 1 << 20
held = [bytes([1]) * MIB for _ in range(int(sys.argv[1]))]
print(f"holding {len(held)} MiB", flush=True)
threading.Event().wait()
