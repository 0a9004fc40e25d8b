"""The image `netdiag.test/udp-echo`: gives back every datagram to its sender. Arguments: [PORT]."""

import socket
import sys

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind(("0.0.0.0", int(sys.argv[1]) if len(sys.argv) > 1 else 7))
    while True:
        data, sender = server.recvfrom(65536)
        server.sendto(data, sender)
