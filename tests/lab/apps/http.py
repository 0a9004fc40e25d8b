"""The image `netdiag.test/http`: answers every GET with 200 and the pod's name; `/healthz` alike. Arguments: [PORT]."""

import http.server
import os
import socketserver
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    """Says who answers. A client may keep its connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """200 and the host's name."""
        body = f"{os.environ.get('HOSTNAME', '')}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form: str, *args: object) -> None:
        """Log without the peer's name, which would be looked up."""
        sys.stderr.write(f"{self.client_address[0]} {form % args}\n")


class Server(socketserver.ThreadingTCPServer):
    """Restarts at once on the same port."""

    allow_reuse_address = True
    daemon_threads = True


Server(("0.0.0.0", int(sys.argv[1]) if len(sys.argv) > 1 else 8080), Handler).serve_forever()
