"""Does the real CoreDNS load a Corefile? Each is started in a network and a file system of its own, for a moment.

There is no cluster: the kubernetes plugin finds an account and an API address, and nobody behind it; it says that it
waits for the API only after all of setup is done.
"""

import re
import selectors
import subprocess
import tempfile
import time
from pathlib import Path

LONGEST = 10.0  # seconds; it takes 0.05
STARTED = re.compile(r"^CoreDNS-[0-9]|waiting for Kubernetes API", re.MULTILINE)
LISTENING = re.compile(r"^CoreDNS-[0-9]", re.MULTILINE)  # 5 s later than the above; quic is refused only then
# Addresses of other machines may be bound, as on the machine that the Corefile is for.
ROOM = """
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_nonlocal_bind
echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind
mount -t tmpfs none /run
mkdir -p /run/secrets/kubernetes.io/serviceaccount
echo token > /run/secrets/kubernetes.io/serviceaccount/token
echo nameserver 192.0.2.1 > /run/resolv.conf
mount --bind /run/resolv.conf /etc/resolv.conf
export KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=1
cd /run
exec "$0" -conf "$1"
"""


def loads(binary: Path, text: str) -> tuple[bool, str]:
    """Whether it loads, and the last it said. Raises TimeoutError when it says neither."""
    with tempfile.TemporaryDirectory(prefix="corefile-") as folder:
        corefile = Path(folder) / "Corefile"
        corefile.write_text(text)
        argv = ["unshare", "--net", "--mount", "sh", "-c", ROOM, str(binary), str(corefile)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            try:
                return _verdict(process, LISTENING if "quic://" in text else STARTED)
            finally:
                process.kill()


def _verdict(process: "subprocess.Popen[bytes]", sign: re.Pattern[str]) -> tuple[bool, str]:
    assert process.stdout is not None
    said, end = "", time.monotonic() + LONGEST
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        while time.monotonic() < end:
            if ready.select(timeout=0.5):
                piece = process.stdout.read1(65536)  # type: ignore[attr-defined] # a BufferedReader
                said += piece.decode(errors="replace")
                if sign.search(said):
                    return True, said
                if not piece:
                    return False, said
    raise TimeoutError(said)
