"""CoreDNS's own tests: their Corefiles are read alike, their directives are judged alike."""

from typing import Any

import pytest

from tests.analysis.corefile import conformance
from workers.analysis.corefile.judges import JUDGES
from workers.analysis.corefile.lint import lint
from workers.offline.corefile import as_data


def _judged(case: dict[str, Any]) -> bool:
    return {"metrics": "prometheus"}.get(case["plugin"], case["plugin"]) in JUDGES


@pytest.mark.parametrize("case", conformance.params("corefiles.json"))
def test_a_corefile_is_read_alike(case: dict[str, Any]) -> None:
    """Keys, plugins, arguments and options are those that corefile-migration sees; no text breaks the linter."""
    assert as_data(lint(case["text"]))["servers"] == case["servers"]


@pytest.mark.parametrize("case", conformance.params("directives.json"))
def test_a_directive_is_judged_alike(case: dict[str, Any]) -> None:
    """What is judged is judged as by CoreDNS's setup; what is not is said to be not judged."""
    report = lint(conformance.wrapped(case))
    if _judged(case):
        assert report.loads in {case["valid"], None}
    else:
        assert report.loads is not True or not case["snippet"]


@pytest.mark.skipif(not conformance.cases("directives.json"), reason="no conformance data (NETDIAG_CONFORMANCE)")
def test_most_directives_are_judged() -> None:
    """Only expressions, templates, files of the pod and what comes after setup are left open."""
    judged = [case for case in conformance.cases("directives.json") if _judged(case)]
    open_ones = [case for case in judged if lint(conformance.wrapped(case)).loads is None]
    assert len(open_ones) * 10 < len(judged)
