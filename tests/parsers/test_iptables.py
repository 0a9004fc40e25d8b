"""Lines of iptables-save are read strictly: rightly, or not at all."""

import contextlib
import json
import os
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.parsers import iptables
from workers.parsers.iptables import Option, Unreadable

CONFORMANCE = Path(os.environ.get("NETDIAG_CONFORMANCE", "../shared/conformance"))
FIELDS = {  # the other parser's name -> ours
    "Comment": "--comment",
    "Protocol": "-p",
    "SourceAddress": "-s",
    "SourceType": "--src-type",
    "DestinationAddress": "-d",
    "DestinationType": "--dst-type",
    "DestinationPort": "--dport",
}


def test_a_real_rule_is_read_whole() -> None:
    """Options keep their order and their negation; the target stands apart from its own options."""
    line = (
        '-A KUBE-SVC-X ! -s 10.244.0.0/16 -d 10.96.0.1/32 -p tcp -m comment --comment "shop/checkout:http cluster IP"'
        " -m tcp --dport 443 -j DNAT --to-destination 10.0.0.1:80 --random"
    )
    rule = iptables.rule(line)
    assert rule.chain == "KUBE-SVC-X"
    assert rule.matches == (
        Option("-s", ("10.244.0.0/16",), negated=True),
        Option("-d", ("10.96.0.1/32",)),
        Option("-p", ("tcp",)),
        Option("-m", ("comment",)),
        Option("--comment", ("shop/checkout:http cluster IP",)),
        Option("-m", ("tcp",)),
        Option("--dport", ("443",)),
    )
    assert (rule.target, rule.goto, rule.raw) == ("DNAT", False, line)
    assert rule.target_options == (Option("--to-destination", ("10.0.0.1:80",)), Option("--random"))
    assert rule.target_options[1].value == ""


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("[12:340] -A X -p udp", (Option("-p", ("udp",)),)),
        ("-A X --protocol udp --source 1.2.3.4", (Option("-p", ("udp",)), Option("-s", ("1.2.3.4",)))),
        (r'-A X --comment "a \"b\" \\ \'c\'"', (Option("--comment", ("a \"b\" \\ 'c'",)),)),
        ('-A X --comment "-j DROP"', (Option("--comment", ("-j DROP",)),)),
        ("-A X --comment -j", (Option("--comment", ("-j",)),)),
        ('-A X --comment "!"', (Option("--comment", ("!",)),)),
        ("-A X -m nfacct --nfacct-name  counted", (Option("-m", ("nfacct",)), Option("--nfacct-name", ("counted",)))),
        ("-A X -m recent ! --rcheck", (Option("-m", ("recent",)), Option("--rcheck", (), negated=True))),
        ("-A X --tcp-flags SYN,RST SYN", (Option("--tcp-flags", ("SYN,RST", "SYN")),)),
    ],
)  # fmt: skip
def test_spellings(line: str, options: tuple[Option, ...]) -> None:
    """Counters, long names, quotation marks, values that look like options, options without values."""
    rule = iptables.rule(line)
    assert (rule.matches, rule.target) == (options, "")


def test_a_goto_is_told_from_a_jump() -> None:
    """They come back to different places."""
    assert iptables.rule("-A X -g Y").goto


@pytest.mark.parametrize(
    "line",
    [
        "",
        "-A",
        "-D X -j DROP",
        ":X - [0:0]",
        "-A X DROP",
        "-A X !",
        "-A X ! 1.2.3.4 -j DROP",
        "-A X -s ! 1.2.3.4",
        "-A X ! -j DROP",
        "-A X -j",
        "-A X -j A B",
        "-A X -j A -j B",
        "-A X --comment",
        '-A X --comment "a',
        '-A X --comment a"b"',
        '-A X --comment "a"b',
        '-A X "-j" DROP',
        "-A X --comment a b -j DROP",
        "-A X -- -j DROP",
    ],
)
def test_what_is_not_understood_is_an_error(line: str) -> None:
    """There is no guessing: a misread rule makes a healthy cluster look sick."""
    with pytest.raises(Unreadable):
        iptables.rule(line)


def test_chains_and_tables_are_told() -> None:
    """A dump is its tables' lines, without comments and commits."""
    text = "# by hand\n*nat\n:OUTPUT ACCEPT [1:2]\n:X - [0:0]\n-A X -j RETURN\nCOMMIT\n\n*filter\nCOMMIT\n"
    assert iptables.tables(text) == {"nat": (":OUTPUT ACCEPT [1:2]", ":X - [0:0]", "-A X -j RETURN"), "filter": ()}
    assert iptables.chain(":OUTPUT ACCEPT [1:2]") == ("OUTPUT", "ACCEPT")
    assert iptables.chain(":X -") == ("X", "-")
    with pytest.raises(Unreadable, match="declares no chain"):
        iptables.chain(":X")
    with pytest.raises(Unreadable, match="stands in no table"):
        iptables.tables("-A X -j DROP")


@given(st.lists(st.text(alphabet='ab -!"\\\t', max_size=8), max_size=6))
def test_words_are_those_of_a_shell(words: list[str]) -> None:
    """What iptables-save quotes is read back as it was: the other reader is Python's shlex."""
    line = " ".join('"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in words)
    assert [word for word, _ in iptables.tokens(line)] == shlex.split(line) == words


@given(st.text(alphabet='ab-!" ', max_size=20))
def test_any_text_is_read_as_by_a_shell_or_refused(text: str) -> None:
    """What a shell glues together (`a"b"`) is refused; all else is read alike. Escapes are held beside it above: a
    shell keeps a backslash that need not be there, and iptables does not.
    """
    with contextlib.suppress(Unreadable):
        assert [word for word, _ in iptables.tokens(text)] == shlex.split(text)


@given(st.text(max_size=60))
def test_no_line_breaks_it(line: str) -> None:
    """A line is a rule or an Unreadable."""
    with contextlib.suppress(Unreadable):
        assert iptables.rule("-A X " + line).chain == "X"


def _cases() -> list[Any]:
    path = CONFORMANCE / "parsers" / "k8s_iptables_rules.json"
    if not path.exists():
        return [
            pytest.param(None, marks=pytest.mark.skip(reason=f"no conformance data at {path} (NETDIAG_CONFORMANCE)"))
        ]
    cases = json.loads(path.read_text())["cases"]
    return [pytest.param(one, id=one["id"]) for one in cases if "TestParseRule" in one["id"]]


@pytest.mark.parametrize("case", _cases())
def test_kubernetes_own_rule_parser_agrees(case: dict[str, Any]) -> None:
    """The rules of Kubernetes' own tests are read as its parser reads them."""
    if case["expected"] is None:
        if "unrecognized" not in case["expected_error"]:  # ours reads more options than theirs
            with pytest.raises(Unreadable):
                iptables.rule(case["text"])
        return
    rule = iptables.rule(case["text"])
    ours = {one.name: one for one in rule.matches}
    assert rule.chain == case["expected"]["Chain"]
    assert rule.target == case["expected"].get("Jump", {}).get("Value", "")
    for theirs, name in FIELDS.items():
        if theirs in case["expected"]:
            field = case["expected"][theirs]
            assert ours[name] == Option(name, (field["Value"],), negated=field.get("Negated", False))
