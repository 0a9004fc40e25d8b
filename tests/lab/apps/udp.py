"""The image `netdiag.test/udp`: answers every datagram with the pod's name. Arguments: [PORT]."""

import os
import socketserver
import sys


class Handler(socketserver.BaseRequestHandler):
    """Says who answers."""

    def handle(self) -> None:
        """The host's name, to whoever asked."""
        _, sock = self.request
        sock.sendto(f"{os.environ.get('HOSTNAME', '')}\n".encode(), self.client_address)


socketserver.UDPServer(("0.0.0.0", int(sys.argv[1]) if len(sys.argv) > 1 else 5353), Handler).serve_forever()
