"""The image `netdiag.test/tcp-echo`: gives back whatever it gets over a TCP connection. Arguments: [PORT]."""

import socketserver
import sys


class Echo(socketserver.BaseRequestHandler):
    """One connection."""

    def handle(self) -> None:
        """Until the other side has said all."""
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    """Restarts at once on the same port."""

    allow_reuse_address = True
    daemon_threads = True


Server(("0.0.0.0", int(sys.argv[1]) if len(sys.argv) > 1 else 7), Echo).serve_forever()
