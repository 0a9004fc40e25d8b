"""What xtables-monitor says is read as rules in their order."""

from tests.lab.truth import Hit, traced

# Recorded in the lab (xtables-monitor 1.8.9), a node that asks for a ClusterIP.
SAID = """\
PACKET: 2 b6c64535 OUT=eth0 SRC=172.30.0.11 DST=10.96.145.49 LEN=60 SPORT=11112 DPORT=80 SYN
 TRACE: 2 b6c64535 netdiag-trace-11112:output:rule:0x4:CONTINUE  -4 -t netdiag-trace-11112 -A output -p tcp -j TRACE
 TRACE: 2 b6c64535 nat:OUTPUT:rule:0x4:JUMP:KUBE-SERVICES  -4 -t nat -A OUTPUT -m comment --comment "x" -j KUBE-SERVICES
 TRACE: 2 b6c64535 nat:KUBE-SEP-OQ:rule:0x3a:ACCEPT  -4 -t nat -A KUBE-SEP-OQ -p tcp -j DNAT --to-destination 10.0.0.1
PACKET: 2 0badcafe OUT=eth0 SRC=172.30.0.11 DST=10.244.2.2 LEN=60 SPORT=11112 DPORT=8080 SYN MARK=0x4000
 TRACE: 2 0badcafe filter:OUTPUT:policy:ACCEPT
PACKET: 2 d215da6a OUT=eth0 SRC=172.30.0.11 DST=10.96.145.49 LEN=52 SPORT=11112 DPORT=80 ACK
 TRACE: 2 d215da6a filter:OUTPUT:rule:0x15:JUMP:KUBE-FIREWALL  -4 -t filter -A OUTPUT -j KUBE-FIREWALL
"""


def test_a_trace_is_read_up_to_the_first_answer() -> None:
    """Without the table that asked for it, and whatever id the kernel gives the packet."""
    assert traced(SAID) == [
        Hit("nat", "OUTPUT", "JUMP:KUBE-SERVICES", '-A OUTPUT -m comment --comment "x" -j KUBE-SERVICES'),
        Hit("nat", "KUBE-SEP-OQ", "ACCEPT", "-A KUBE-SEP-OQ -p tcp -j DNAT --to-destination 10.0.0.1"),
        Hit("filter", "OUTPUT", "ACCEPT", ""),
    ]
