"""Which lines of a rule text concern one Service."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.ruleset import CHECKOUT, EMPTY, KUBE_CHAINS, TEXT, TOTAL, expected_for_checkout, rules
from workers.agent import slicing
from workers.agent.slicing import Dump, Matcher
from workers.core.evidence.rules import RuleSlice


def sliced(text: str, query: RuleSlice = CHECKOUT, block: int = 1 << 16) -> Dump:
    """A dump fed in blocks of this size."""
    dump, data = Dump(query), text.encode()
    for start in range(0, len(data), block):
        dump.feed(data[start : start + block])
    dump.finish()
    return dump


def test_the_slice_is_what_a_walk_to_the_service_needs() -> None:
    """Exactly the Service's rules, the chains behind them, the way to them, and what all Services share."""
    dump = sliced(TEXT)
    assert {table: rules(lines) for table, lines in dump.slice().items()} == expected_for_checkout()
    assert (dump.total, dump.kube_chains, dump.has_services) == (TOTAL, KUBE_CHAINS, True)


def test_chains_are_declared_with_their_policies() -> None:
    """Built-in chains always; others when they have a part in it, empty ones too; counters are not evidence."""
    lines = sliced(TEXT.replace("DROP [0:0]", "DROP [12:3456]")).slice()["filter"]
    assert [line for line in lines if line.startswith(":")] == [
        ":INPUT ACCEPT [0:0]",
        ":FORWARD DROP [0:0]",
        ":OUTPUT ACCEPT [0:0]",
        ":KUBE-EXTERNAL-SERVICES - [0:0]",
        ":KUBE-FIREWALL - [0:0]",
        ":KUBE-FORWARD - [0:0]",
        ":KUBE-NODEPORTS - [0:0]",
        ":KUBE-PROXY-FIREWALL - [0:0]",
        ":KUBE-SERVICES - [0:0]",
        ":SITE - [0:0]",
    ]


def test_a_service_without_endpoints_has_its_rejects() -> None:
    """They are what a node that missed a change still shows."""
    kept = rules(sliced(TEXT, EMPTY).slice()["filter"])
    assert sum("has no endpoints" in rule for rule in kept) == 2
    assert not any("KUBE-SVC" in rule for rule in rules(sliced(TEXT, EMPTY).slice()["nat"]))


@given(block=st.integers(1, 5000))
def test_it_does_not_matter_how_the_text_is_cut(block: int) -> None:
    """A pipe gives blocks of any size."""
    assert sliced(TEXT, block=block).slice() == sliced(TEXT).slice()


@pytest.mark.parametrize("chunk", [1, 100, 1000])
def test_it_does_not_matter_how_rules_are_stored(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chains that reach over several chunks, and many chains in one chunk."""
    whole = sliced(TEXT).slice()
    monkeypatch.setattr(slicing, "CHUNK", chunk)
    assert sliced(TEXT).slice() == whole


@given(order=st.permutations(TEXT[TEXT.index("*nat") :].splitlines()[16:-1]))
def test_it_does_not_matter_in_which_order_rules_come(order: list[str]) -> None:
    """iptables-nft prints chains in another order than iptables-legacy; the closure finds the same rules."""
    head = TEXT[TEXT.index("*nat") :].splitlines()[:16]
    text = "\n".join([*head, *order, "COMMIT", ""])
    assert sorted(rules(sliced(text).slice()["nat"])) == sorted(expected_for_checkout()["nat"])


def test_large_services_are_found_without_comments() -> None:
    """kube-proxy drops the comments above 1,000 endpoints: addresses and chains are enough."""
    import re  # noqa: PLC0415 - only here

    bare = re.sub(r' -m comment --comment "[^"]*"', "", TEXT)
    found = rules(sliced(bare).slice()["nat"])
    assert sum("DNAT" in rule for rule in found) == 2
    assert not any("ZZZZ" in rule or "DDDD" in rule for rule in found)


def test_nothing_in_nothing() -> None:
    """A clean node prints nothing, and cut text does no harm."""
    assert (sliced("").slice(), sliced("").total, sliced("-A X\n:Y - [0:0]\nnonsense").slice()) == ({}, 0, {})


def test_chains_that_jump_in_a_circle_end() -> None:
    """The kernel refuses such rules; a text may still hold them."""
    text = "*nat\n:KUBE-SVC-A - [0:0]\n:KUBE-SERVICES - [0:0]\n-A KUBE-SVC-A -j KUBE-SVC-A\n"
    text += "-A KUBE-SERVICES -d 10.96.0.10/32 -j KUBE-SVC-A\nCOMMIT\n"
    assert len(rules(sliced(text).slice()["nat"])) == 2


def test_what_iptables_cannot_print_is_noted() -> None:
    """The nft rules that iptables-nft does not understand make it print nothing of that table."""
    assert sliced("# Table `nat' is incompatible, use 'nft' tool.\n").unreadable == [
        "Table `nat' is incompatible, use 'nft' tool."
    ]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ('-A X -m comment --comment "default/checkout has no endpoints" -j REJECT', True),
        ("-A X -m comment --comment default/checkout:http -j Y", True),
        ("-A X -m comment --comment default/checkout -j Y", True),
        ('-A X -m comment --comment "route LOCAL traffic for default/checkout:http external destinations" -j Y', True),
        ('-A X -m comment --comment "default/checkouts cluster IP" -j Y', False),
        ('-A X -m comment --comment "not-default/checkout cluster IP" -j Y', False),
        ('-A X -m comment --comment "other" -j Y --log-prefix "default/checkout "', False),
        ("-A X -d 10.96.0.10/32 -j DROP", True),
        ("-A X -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j DROP", True),
        ("-A X -d 10.96.0.10/32 -p udp -m udp --dport 80 -j DROP", False),
        ("-A X -d 10.96.0.10/32 -p tcp -m tcp ! --dport 80 -j DROP", True),
        ("-A X -d 10.96.0.1/32 -j DROP", False),
        ("-A X -d 10.96.0.100/32 -j DROP", False),
        ("-A X -d 10.0.0.0/8 -j DROP", True),
        ("-A X -s 10.96.0.10/32 -j DROP", False),
        ("-A X -d any -j DROP", False),
        ("-A X -p tcp -m tcp --dport 30080 -j DROP", True),
        ("-A X -p tcp -m tcp --dport 30000: -j DROP", True),
        ("-A X -p tcp -m tcp --dport :30080 -j DROP", True),
        ("-A X -p tcp -m tcp --dport 3008 -j DROP", False),
        ("-A X -p tcp -m multiport --dports 1,2:3,30000:31000 -j DROP", True),
        ("-A X -p tcp -m multiport --dports http -j DROP", False),
        ("-A X -p tcp -m tcp --sport 30080 -j DROP", False),
    ],
)
def test_what_concerns_a_service(rule: str, expected: bool) -> None:
    """By comment, by address, by node port; never by a likeness."""
    assert Matcher(CHECKOUT).concerns(rule.encode()) is expected


def test_an_address_of_the_other_family_does_no_harm() -> None:
    """A dual-stack Service has IPv6 addresses, which these rules know nothing of."""
    query = msgspec.structs.replace(CHECKOUT, addresses=("fd00::10", "10.96.0.10"))
    assert rules(sliced(TEXT, query).slice()["nat"])
