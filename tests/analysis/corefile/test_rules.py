"""What hurts is told with its line; the Corefile that kubeadm writes has nothing that hurts."""

import pytest

from workers.analysis.corefile.lint import lint
from workers.analysis.corefile.report import Severity

KUBEADM = """.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
"""
CACHE = "    cache 30 {\n       disable success cluster.local\n       disable denial cluster.local\n    }\n"
NODE_LOCAL = """cluster.local:53 {
    errors
    cache {
            success 9984 30
            denial 9984 5
    }
    reload
    loop
    bind 169.254.20.10 10.96.0.10
    forward . 10.96.0.11 {
            force_tcp
    }
    prometheus :9253
    health 169.254.20.10:8080
    }
in-addr.arpa:53 {
    errors
    cache 30
    reload
    loop
    bind 169.254.20.10 10.96.0.10
    forward . 10.96.0.11 {
            force_tcp
    }
    prometheus :9253
    }
.:53 {
    errors
    cache 30
    reload
    loop
    bind 169.254.20.10 10.96.0.10
    forward . /etc/resolv.conf
    prometheus :9253
    }
"""

THERE, BACK, STRAY, LOOP = "127.0.0.1:54", "127.0.0.1", "forward-loopback", "forward-loop"


def found(text: str) -> list[tuple[str, int]]:
    """The problems above info."""
    return [(one.id, one.line) for one in lint(text).problems if one.severity != Severity.INFO]


def without(line: str) -> str:
    """Kubeadm's Corefile without a line."""
    assert line in KUBEADM
    return KUBEADM.replace(line, "")


def test_the_usual_corefile_is_good() -> None:
    """It loads, and there is nothing to say."""
    report = lint(KUBEADM)
    assert (report.loads, report.problems, report.not_judged) == (True, [], [])


def test_a_node_cache_is_good() -> None:
    """It has no kubernetes, so that nothing of a cluster's server is missed."""
    assert lint(NODE_LOCAL).loads
    assert found(NODE_LOCAL) == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("    errors\n", "missing-errors"),
        ("    ready\n", "missing-ready"),
        ("    health {\n       lameduck 5s\n    }\n", "missing-health"),
        ("       lameduck 5s\n", "missing-lameduck"),
        ("    loop\n", "missing-loop"),
        (CACHE, "missing-cache"),
    ],
)  # fmt: skip
def test_what_is_missing_is_told(line: str, problem: str) -> None:
    """Each plugin of the usual Corefile is missed."""
    assert [name for name, _ in found(without(line))] == [problem]


def test_reload_is_missed_quietly() -> None:
    """It is a choice."""
    assert [(one.id, one.severity) for one in lint(without("    reload\n")).problems] == [("missing-reload", "info")]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (". {\n forward . 127.0.0.1\n}\n", [("forward-loop", 2)]),
        (". {\n forward . [::1]:53\n}\n", [("forward-loop", 2)]),
        (". {\n bind 10.0.0.1\n forward . 10.0.0.1\n}\n", [("forward-loop", 3)]),
        (". {\n bind 10.0.0.1\n forward . 127.0.0.1:5300\n}\n", [("forward-loopback", 3)]),
        (". {\n forward . 127.0.0.53:54\n}\n", [("forward-loopback", 2)]),
        (f". {{\n forward a.org {THERE}\n}}\na.org:54 {{\n forward . {BACK}\n}}\n", [(LOOP, 2), (LOOP, 5)]),
        (f"b.org {{\n forward . {THERE}\n}}\na.org:54 {{\n forward . {BACK}\n}}\n", [(STRAY, 2), (STRAY, 5)]),
        (". {\n forward . 8.8.8.8\n}\n", []),
        (". {\n cache {\n  success 10000\n  denial 1000\n }\n}\n", [("cache-shrunk", 4)]),
        (". {\n cache {\n  success 9984\n  denial 20000\n }\n}\n", []),
        ("a.org {\n cache b.org\n}\n", [("zone-outside-server", 2)]),
        ("a.org {\n cache 30 x.a.org .\n}\n", []),
        (". {\n hosts /x c.a.org\n}\na.org {\n whoami\n}\n", [("zone-shadowed", 2)]),
        (". {\n hosts /x c.a.org\n}\na.org:54 {\n whoami\n}\n", []),
        (". {\n bind ::1\n hosts /x c.a.org\n}\na.org {\n bind 127.0.0.1\n whoami\n}\n", []),
        (". {\n bufsize\n bufsize 512\n}\n", [("duplicate-plugin", 3)]),
        (". {\n forward . 1.1.1.1\n forward . 8.8.8.8\n}\n", [("duplicate-plugin", 3)]),
        (". {\n forward . 1.1.1.1 {\n  next NXDOMAIN\n }\n forward . 8.8.8.8\n}\n", []),
        (". {\n cache {\n  success 20000\n  success 30000\n }\n}\n", [("duplicate-option", 3)]),
        (". {\n health\n health :80 {\n  lameduck 5s\n }\n}\n", [("duplicate-plugin", 2)]),
        (". {\n proxy . 1.1.1.1\n}\n", [("removed-plugin", 2)]),
        (". {\n nonsense\n}\n", [("unknown-plugin", 2)]),
        (". {\n whoami x\n}\n", [("bad-argument", 2)]),
        (". {\n auto {\n  directory /x\n  no_reload\n }\n}\n", [("removed-option", 4)]),
        ("a..b {\n whoami\n}\n", [("bad-zone", 1)]),
        (". {\n whoami\n}\n. {\n whoami\n}\n", [("zone-defined-twice", 4)]),
        ("", [("no-server", 1)]),
        (". {\n whoami\n}\n}\n", [("empty-server", 4)]),
        ("{\n whoami\n}\n", [("no-server", 1), ("no-zone", 1)]),
        (". {\n whoami", [("syntax", 2)]),
    ],
)  # fmt: skip
def test_what_hurts_is_told(text: str, problems: list[tuple[str, int]]) -> None:
    """With its line, and nothing else beside it."""
    assert found(text) == problems


def test_the_guides_cache_is_explained() -> None:
    """Its prefetch does not load, its denial shrinks the default: both sentences say what to do."""
    text = ". {\n cache {\n  success 10000\n  denial 1000\n  prefetch 10 10%\n }\n}\n"
    report = lint(text)
    sentences = {one.id: one.sentence for one in report.problems}
    assert report.loads is False
    assert "write `prefetch 10 1m 10%`" in sentences["bad-argument"]
    assert "keeps 1,024 answers" in sentences["cache-shrunk"]
    assert "9,984" in sentences["cache-shrunk"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (". {\n file db.a\n}\n", 2),
        ('. {\n template IN A {\n  answer "{{ printf 1 }}"\n }\n}\n', 3),
        (". {\n view v {\n  expr true\n }\n}\n", 3),
        (". {\n rewrite name regex [[:alpha:]] b\n}\n", 2),
        (". {\n import other\n}\n", 2),
        (". {\n log {$NAME}\n}\n", 2),
        (". {\n tls a b\n}\n", 2),
        (". {\n forward . dns.example.org\n}\n", 2),
    ],
)  # fmt: skip
def test_what_is_left_open_names_its_line(text: str, line: int) -> None:
    """Whether it loads hangs on something that is not in the Corefile."""
    report = lint(text)
    assert report.loads is None
    assert line in [one.line for one in report.problems if one.id == "not-judged"]


def test_other_plugins_are_listed() -> None:
    """They are parsed, and not judged; an error elsewhere decides all the same."""
    assert lint(". {\n etcd x\n whoami\n}\n").not_judged == ["etcd"]
    assert lint(". {\n etcd x\n whoami\n}\n").loads is None
    assert lint(". {\n etcd x\n whoami y\n}\n").loads is False
