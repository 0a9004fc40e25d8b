"""What explains what, and the verdict."""

from workers.analysis import causes
from workers.core.declare import Said
from workers.core.finding import Finding, Offer, Unknown

STALE = Finding(
    "kube-proxy-stale-rules",
    "critical",
    "confirmed",
    scope={"node": "node-2"},
    remedies=(Offer("restart-kube-proxy", {"node": "node-2"}),),
)
CUT = Finding(
    "kube-proxy-apiserver-unreachable", "critical", "confirmed", scope={"node": "node-2"}, no_remedy="api-unreachable"
)
INFO = Finding("svc-no-ready-endpoints", "info", "inferred", scope={"service": "shop/checkout"})


def test_a_symptom_is_folded_under_its_cause() -> None:
    """It offers nothing of its own: a restart would heal nothing."""
    report = causes.report([Said((STALE,)), Said((CUT,))])
    assert [one.id for one in report.findings] == ["kube-proxy-apiserver-unreachable"]
    assert report.findings[0].explains == ("kube-proxy-stale-rules",)
    assert [(one.id, one.remedies, one.no_remedy) for one in report.folded] == [
        ("kube-proxy-stale-rules", (), "api-unreachable")
    ]


def test_a_symptom_elsewhere_stands_for_itself() -> None:
    """A cut node explains nothing of another one; causes come first."""
    other = Finding("kube-proxy-stale-rules", "critical", "confirmed", scope={"node": "node-1"})
    report = causes.report([Said((other, CUT))])
    assert [one.id for one in report.findings] == ["kube-proxy-apiserver-unreachable", "kube-proxy-stale-rules"]
    assert report.folded == ()


def test_worse_and_surer_findings_come_first() -> None:
    """Severity, then confidence, then the id and the place."""
    unsure = Finding("a", "critical", "inferred")
    findings, _ = causes.fold([INFO, unsure, STALE])
    assert [one.id for one in findings] == ["kube-proxy-stale-rules", "a", "svc-no-ready-endpoints"]


def test_the_verdict() -> None:
    """Critical is broken, a warning at risk; what was not seen matters only where nothing was found."""
    warning = Finding("w", "warning", "inferred")
    assert causes.verdict([STALE, warning], unseen=True) == "broken"
    assert causes.verdict([warning, INFO], unseen=True) == "at-risk"
    assert causes.verdict([INFO], unseen=True) == "unknown"
    assert causes.verdict([INFO], unseen=False) == "healthy"


def test_the_same_words_are_said_once() -> None:
    """Two checks that could not see the same thing say so once."""
    missing = Unknown("the nodes", "forbidden")
    report = causes.report([Said(unknown=(missing,), healthy=("x",)), Said(unknown=(missing,), healthy=("x",))])
    assert (report.unknown, report.healthy) == ((missing,), ("x",))
