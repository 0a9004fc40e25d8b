"""A small node's rules, as kube-proxy 1.37 writes them (pkg/proxy/iptables/proxier.go), and what a slice of them is.

`default/checkout` is a NodePort Service with two endpoints, which also has an external IP; `default/checkout-2` is the
trap of a longer name, `default/check` that of a shorter; `shop/empty` has no endpoints; `shop/lb` has a firewall.
"""

from workers.core.evidence.rules import RuleSlice

TEXT = """\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-PROXY-CANARY - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
:KUBE-SERVICES - [0:0]
:SITE - [0:0]
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL
-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" \
-j KUBE-EXTERNAL-SERVICES
-A INPUT -j KUBE-FIREWALL
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -j SITE
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment "shop/empty:http has no endpoints" -m addrtype \
--dst-type LOCAL -m tcp --dport 30081 -j REJECT --reject-with icmp-port-unreachable
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" \
-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-NODEPORTS -p tcp -m comment --comment "shop/lb:http health check node port" -m tcp --dport 31000 -j ACCEPT
-A KUBE-PROXY-FIREWALL -d 203.0.113.9/32 -p tcp -m comment --comment "shop/lb:http traffic not accepted by \
KUBE-FW-LLLLLLLLLLLLLLLL" -m tcp --dport 80 -j DROP
-A KUBE-SERVICES -d 10.96.0.30/32 -p tcp -m comment --comment "shop/empty:http has no endpoints" -m tcp --dport 80 \
-j REJECT --reject-with icmp-port-unreachable
-A SITE -p tcp -m tcp --dport 30000:30100 -j DROP
-A SITE -p udp -m udp --dport 30080 -j DROP
-A SITE -p tcp -m multiport --dports 443,30080 -j ACCEPT
-A SITE -d 10.96.0.0/16 -j RETURN
-A SITE ! -d 10.97.0.0/16 -j RETURN
-A SITE -d 10.96.0.10/32 -p tcp -m tcp --dport 81 -j RETURN
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-EXT-CCCCCCCCCCCCCCCC - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SEP-AAAAAAAAAAAAAAAA - [0:0]
:KUBE-SEP-BBBBBBBBBBBBBBBB - [0:0]
:KUBE-SEP-ZZZZZZZZZZZZZZZZ - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-CCCCCCCCCCCCCCCC - [0:0]
:KUBE-SVC-DDDDDDDDDDDDDDDD - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A PREROUTING -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 80
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-EXT-CCCCCCCCCCCCCCCC -m comment --comment "masquerade traffic for default/checkout:http external destinations" \
-j KUBE-MARK-MASQ
-A KUBE-EXT-CCCCCCCCCCCCCCCC -j KUBE-SVC-CCCCCCCCCCCCCCCC
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-NODEPORTS -p tcp -m comment --comment "default/checkout:http" -m tcp --dport 30080 \
-j KUBE-EXT-CCCCCCCCCCCCCCCC
-A KUBE-NODEPORTS -p tcp -m comment --comment "default/checkout-2:http" -m tcp --dport 30082 \
-j KUBE-SVC-DDDDDDDDDDDDDDDD
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
-A KUBE-SEP-AAAAAAAAAAAAAAAA -s 10.244.1.2/32 -m comment --comment "default/checkout:http" -j KUBE-MARK-MASQ
-A KUBE-SEP-AAAAAAAAAAAAAAAA -p tcp -m comment --comment "default/checkout:http" -m tcp -j DNAT \
--to-destination 10.244.1.2:8080
-A KUBE-SEP-BBBBBBBBBBBBBBBB -s 10.244.2.2/32 -m comment --comment "default/checkout:http" -j KUBE-MARK-MASQ
-A KUBE-SEP-BBBBBBBBBBBBBBBB -p tcp -m comment --comment "default/checkout:http" -m tcp -j DNAT \
--to-destination 10.244.2.2:8080
-A KUBE-SEP-ZZZZZZZZZZZZZZZZ -p tcp -m comment --comment "default/checkout-2:http" -m tcp -j DNAT \
--to-destination 10.244.2.9:8080
-A KUBE-SERVICES -d 10.96.0.10/32 -p tcp -m comment --comment "default/checkout:http cluster IP" -m tcp --dport 80 \
-j KUBE-SVC-CCCCCCCCCCCCCCCC
-A KUBE-SERVICES -d 198.51.100.7/32 -p tcp -m comment --comment "default/checkout:http external IP" -m tcp --dport 80 \
-j KUBE-EXT-CCCCCCCCCCCCCCCC
-A KUBE-SERVICES -d 10.96.0.20/32 -p tcp -m comment --comment "default/checkout-2:http cluster IP" -m tcp --dport 80 \
-j KUBE-SVC-DDDDDDDDDDDDDDDD
-A KUBE-SERVICES -d 198.51.100.7/32 -p tcp -m comment --comment "default/checkout-2:tls external IP" -m tcp \
--dport 443 -j KUBE-SVC-DDDDDDDDDDDDDDDD
-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" \
-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-SVC-CCCCCCCCCCCCCCCC ! -s 10.244.0.0/16 -d 10.96.0.10/32 -p tcp -m comment --comment "default/checkout:http \
cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ
-A KUBE-SVC-CCCCCCCCCCCCCCCC -m comment --comment "default/checkout:http -> 10.244.1.2:8080" -m statistic \
--mode random --probability 0.50000000000 -j KUBE-SEP-AAAAAAAAAAAAAAAA
-A KUBE-SVC-CCCCCCCCCCCCCCCC -m comment --comment "default/checkout:http -> 10.244.2.2:8080" \
-j KUBE-SEP-BBBBBBBBBBBBBBBB
-A KUBE-SVC-DDDDDDDDDDDDDDDD -m comment --comment "default/checkout-2:http -> 10.244.2.9:8080" \
-j KUBE-SEP-ZZZZZZZZZZZZZZZZ
COMMIT
"""
TOTAL = sum(line.startswith("-A ") for line in TEXT.splitlines())
KUBE_CHAINS = sum(line.startswith(":KUBE-") for line in TEXT.splitlines())
CHECKOUT = RuleSlice(
    node="node-1",
    namespace="default",
    name="checkout",
    addresses=("10.96.0.10", "198.51.100.7"),
    ports=("tcp/80",),
    node_ports=("tcp/30080",),
)
EMPTY = RuleSlice(
    node="node-1",
    namespace="shop",
    name="empty",
    addresses=("10.96.0.30",),
    ports=("tcp/80",),
    node_ports=("tcp/30081",),
)
NOT_CHECKOUT = (  # what only other Services and this site's own rules need
    "checkout-2",
    "shop/",
    "--dport 22",
    "--dport 8080",
    "-p udp",
    "! -d 10.97.0.0/16",
    "--dport 81 ",
    "INPUT -j SITE",
)


def expected_for_checkout() -> dict[str, list[str]]:
    """Table -> the rules that a slice for `default/checkout` keeps, in their order."""
    tables: dict[str, list[str]] = {}
    for line in TEXT.splitlines():
        if line.startswith("*"):
            rules = tables.setdefault(line[1:], [])
        elif line.startswith("-A ") and not any(part in line for part in NOT_CHECKOUT):
            rules.append(line)
    return tables


def rules(lines: tuple[str, ...] | list[str]) -> list[str]:
    """Only the `-A` lines."""
    return [line for line in lines if line.startswith("-A ")]
