"""The lab itself must not wait for rules that it cannot read, nor take others for them."""

from tests.lab import rules

IPTABLES = """
-A KUBE-SEP-HX5GJXHCYNCMMLMN -p tcp -m comment --comment shop/checkout:http -j DNAT --to-destination 10.244.1.2:8080
-A KUBE-SVC-TNHPXHTLQWE2GVBD -m comment --comment "shop/checkout:http -> 10.244.2.3:8080" -j KUBE-SEP-HX5GJXHCYNCMMLMN
"""
OLDER = """
	map service-ips {
		elements = { 10.96.0.10 . tcp . 53 : goto service-NWBZK7IH-kube-system/kube-dns/tcp/dns-tcp }
	}
	chain service-2EUJKCR2-shop/checkout/tcp/http {
		numgen random mod 1 vmap { 0 : goto endpoint-5TPGNJF2-shop/checkout/tcp/http__10.244.1.2/8080 }
	}
	chain endpoint-5TPGNJF2-shop/checkout/tcp/http__10.244.1.2/8080 {
		ip saddr 10.244.1.2 jump mark-for-masquerade
		meta l4proto tcp dnat to 10.244.1.2:8080
	}
"""
NEWER = """
	set hairpin-connections {
		elements = { 10.244.1.2 . 10.244.1.2 . tcp . 53 }
	}
	chain service-2QRHZV4L-default/kubernetes/tcp/https {
		meta l4proto tcp dnat to 172.30.0.1:6443
	}
	chain service-242WI43H-shop/cart/tcp/http {
		meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.244.1.4 . 8080, 1 : 10.244.1.5 . 8080 }
	}
"""


def test_only_what_packets_are_sent_to_counts() -> None:
    """Neither comments, nor names, nor addresses in sets."""
    assert rules.read(IPTABLES, rules.IPTABLES) == {"10.244.1.2:8080"}
    assert rules.read(OLDER, rules.NFTABLES) == {"10.244.1.2:8080"}
    assert rules.read(NEWER, rules.NFTABLES) == {"172.30.0.1:6443", "10.244.1.4:8080", "10.244.1.5:8080"}
