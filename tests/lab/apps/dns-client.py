"""The image `netdiag.test/dns-client`: looks a name up over and over with glibc's getaddrinfo, and answers every GET
with what came of the last lookups, as JSON. Arguments: NAME [PORT [SECONDS BETWEEN LOOKUPS]].

One lookup: `at` (Unix time), `seconds` that it took, and `addresses` or `error`.
"""

import collections
import http.server
import json
import socket
import sys
import threading
import time
from typing import Any

NAME = sys.argv[1]
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 8080
PAUSE = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0
LOOKUPS: collections.deque[dict[str, Any]] = collections.deque(maxlen=100)


def look_up() -> dict[str, Any]:
    """Ask once; IPv4 and IPv6, as most programs do."""
    at, begun = time.time(), time.monotonic()
    try:
        found = socket.getaddrinfo(NAME, 80, type=socket.SOCK_STREAM)
        said: dict[str, Any] = {"addresses": sorted({item[4][0] for item in found})}
    except socket.gaierror as error:
        said = {"error": str(error)}
    return {"at": at, "seconds": round(time.monotonic() - begun, 4), **said}


def look_up_for_ever() -> None:
    """Lookups one after the other."""
    while True:
        LOOKUPS.append(look_up())
        time.sleep(PAUSE)


class Handler(http.server.BaseHTTPRequestHandler):
    """Says what came of it."""

    def do_GET(self) -> None:
        """200 and the lookups, oldest first."""
        body = json.dumps({"name": NAME, "lookups": list(LOOKUPS)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form: str, *args: object) -> None:
        """Log nothing: whoever asks, asks often."""


threading.Thread(target=look_up_for_ever, daemon=True).start()
http.server.ThreadingHTTPServer(("0.0.0.0", PORT), Handler).serve_forever()
