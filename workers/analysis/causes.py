"""What explains what, and what does a run say of its target?

Causes come first; a symptom in the same place as its cause is folded under it, and offers no remedy of its own: a
remedy that leaves the cause in place heals nothing.
"""

from collections.abc import Iterable

import msgspec

from workers.core.declare import Said
from workers.core.finding import Finding, Report, Verdict

# cause -> symptoms that it explains where their scope is the same
EXPLAINS: dict[str, tuple[str, ...]] = {"kube-proxy-apiserver-unreachable": ("kube-proxy-stale-rules",)}
SEVERITIES = ("critical", "warning", "info")


def report(said: Iterable[Said]) -> Report:
    """One report from what all checks of a run said."""
    everything = list(said)
    found = [finding for one in everything for finding in one.findings]
    unknown = tuple(dict.fromkeys(missing for one in everything for missing in one.unknown))
    healthy = tuple(dict.fromkeys(part for one in everything for part in one.healthy))
    findings, folded = fold(found)
    return Report(verdict(findings, unseen=bool(unknown)), findings, folded, unknown, healthy)


def fold(found: Iterable[Finding]) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """The findings that stand for themselves, causes first, and the symptoms that they explain."""
    everything = sorted(found, key=_order)
    folded: list[Finding] = []
    kept: list[Finding] = []
    for finding in everything:
        cause = next((one for one in everything if _explains(one, finding)), None)
        if cause is None:
            kept.append(finding)
        else:
            reason = finding.no_remedy or cause.no_remedy
            folded.append(msgspec.structs.replace(finding, remedies=(), no_remedy=reason))
    return tuple(_with_symptoms(one, folded) for one in kept), tuple(folded)


def verdict(findings: Iterable[Finding], *, unseen: bool) -> Verdict:
    """`broken` by a critical finding, `at-risk` by a warning; without either, `unknown` if something was not seen."""
    severities = {finding.severity for finding in findings}
    if "critical" in severities:
        return "broken"
    if "warning" in severities:
        return "at-risk"
    return "unknown" if unseen else "healthy"


def _with_symptoms(cause: Finding, folded: Iterable[Finding]) -> Finding:
    ids = tuple(dict.fromkeys(one.id for one in folded if _explains(cause, one)))
    return msgspec.structs.replace(cause, explains=ids) if ids else cause


def _explains(cause: Finding, symptom: Finding) -> bool:
    return symptom.id in EXPLAINS.get(cause.id, ()) and symptom.scope == cause.scope


def _order(finding: Finding) -> tuple[bool, int, bool, str, str]:
    place = ",".join(f"{key}={value}" for key, value in sorted(finding.scope.items()))
    return (
        finding.id not in EXPLAINS,
        SEVERITIES.index(finding.severity),
        finding.confidence != "confirmed",
        finding.id,
        place,
    )
