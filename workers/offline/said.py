"""A report as it is printed: JSON for programs (DESIGN 12), tables for people, and the exit code for shells."""

from collections.abc import Sequence
from typing import Any

import msgspec
from tabulate import tabulate

from workers.catalogue import Catalogue
from workers.core.finding import Comparison, Finding, Report, Unknown
from workers.core.target import Target

MOST_ALIKE = 6  # things not seen for one reason that are listed
SCHEMA = "netdiag.run/1"
HEADS = {
    "verdict": {"en": "Verdict", "zh": "结论"},
    "recorded": {"en": "recorded", "zh": "记录于"},
    "looked": {"en": "looked at", "zh": "查看于"},
    "more": {"en": "and {} more", "zh": "以及另外 {} 项"},
    "severity": {"en": "severity", "zh": "级别"},
    "sure": {"en": "confidence", "zh": "确信度"},
    "where": {"en": "where", "zh": "位置"},
    "what": {"en": "finding", "zh": "发现"},
    "explains": {"en": "explains", "zh": "可解释"},
    "symptom": {"en": "symptom", "zh": "症状"},
    "command": {"en": "to see it", "zh": "查看命令"},
    "remedies": {"en": "remedy", "zh": "补救"},
    "unknown": {"en": "Not seen", "zh": "未能查看"},
    "reason": {"en": "reason", "zh": "原因"},
    "healthy": {"en": "Healthy", "zh": "正常"},
}
WORDS = {
    "broken": {"en": "broken", "zh": "故障"},
    "at-risk": {"en": "at risk", "zh": "有风险"},
    "healthy": {"en": "healthy", "zh": "正常"},
    "unknown": {"en": "unknown", "zh": "未知"},
    "critical": {"en": "critical", "zh": "严重"},
    "warning": {"en": "warning", "zh": "警告"},
    "info": {"en": "info", "zh": "提示"},
    "confirmed": {"en": "confirmed", "zh": "已证实"},
    "inferred": {"en": "inferred", "zh": "推断"},
}


def exit_code(report: Report) -> int:
    """0: nothing above info. 1: a finding. 3: no finding, but something that was needed was not seen."""
    if any(finding.severity != "info" for finding in report.findings):
        return 1
    return 3 if report.verdict == "unknown" else 0


def as_json(run: str, target: Target, report: Report, catalogue: Catalogue, lang: str = "en") -> dict[str, Any]:
    """The report as DESIGN 12 has it; what is folded follows its cause."""
    return {
        "schema": SCHEMA,
        "run": run,
        "cluster": target.cluster,
        "target": {"kind": target.kind, "namespace": target.namespace, "name": target.name, "port": target.port},
        "verdict": report.verdict,
        "findings": [_finding(one, catalogue, lang) for one in in_order(report)],
        "unknown": msgspec.to_builtins(report.unknown),
        "healthy": list(report.healthy),
    }


def in_order(report: Report) -> list[Finding]:
    """The findings, each followed by the symptoms that it explains."""
    found: list[Finding] = []
    for finding in report.findings:
        found.append(finding)
        found += [one for one in report.folded if one.id in finding.explains and one.scope == finding.scope]
    return found


def _finding(finding: Finding, catalogue: Catalogue, lang: str) -> dict[str, Any]:
    return {
        "id": finding.id,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "sentence": catalogue.say(finding, lang),
        "params": msgspec.to_builtins(finding.params),
        "scope": finding.scope,
        "evidence": list(finding.evidence),
        "command": finding.command,
        "explains": list(finding.explains),
        "remedies": msgspec.to_builtins(finding.remedies),
    }


def as_text(
    target: Target, report: Report, catalogue: Catalogue, *, when: str, recorded: bool = True, lang: str = "en"
) -> str:
    """The report for a terminal. when: when and by what it was recorded, or looked at just now."""
    head = HEADS["recorded" if recorded else "looked"][lang]
    parts = [f"{target}: {WORDS[report.verdict][lang]} ({head} {when})"]
    if report.findings:
        parts.append(_summary(report, catalogue, lang))
        parts += [text for one in in_order(report) if (text := _detail(one, catalogue, lang))]
    if report.unknown:
        heads = (HEADS["unknown"][lang], HEADS["reason"][lang])
        parts.append(_table(_unseen(report.unknown, lang), heads, widths=[50, 90]))
    if report.healthy:
        parts.append(_table([(one,) for one in report.healthy], (HEADS["healthy"][lang],), widths=[130]))
    return "\n".join(_printable(line) for line in "\n\n".join(parts).split("\n"))


def _unseen(unknown: Sequence[Unknown], lang: str) -> list[tuple[str, str]]:
    """What was not seen; of many with the same reason the first few, and how many more."""
    by_reason: dict[str, list[str]] = {}
    for one in unknown:
        by_reason.setdefault(one.reason, []).append(one.what)
    rows = []
    for reason, whats in by_reason.items():
        rows += [(what, reason) for what in whats[:MOST_ALIKE]]
        if len(whats) > MOST_ALIKE:
            rows.append((HEADS["more"][lang].format(len(whats) - MOST_ALIKE), reason))
    return rows


def _summary(report: Report, catalogue: Catalogue, lang: str) -> str:
    rows = []
    folded = set(map(id, report.folded))
    for one in in_order(report):
        level = HEADS["symptom"][lang] if id(one) in folded else WORDS[one.severity][lang]
        rows.append((level, WORDS[one.confidence][lang], ", ".join(one.scope.values()), catalogue.say(one, lang)))
    heads = tuple(HEADS[name][lang] for name in ("severity", "sure", "where", "what"))
    return _table(rows, heads, widths=[None, None, None, 90])


def _detail(finding: Finding, catalogue: Catalogue, lang: str) -> str:
    fault = catalogue.faults.get(finding.id)
    lines = [f"{finding.id} ({', '.join(finding.scope.values())})"]
    if finding.compare:
        lines.append(_comparison(finding.compare))
    lines += [f"  - {one}" for one in finding.evidence]
    if finding.command:
        lines.append(f"{HEADS['command'][lang]}: {finding.command}")
    if finding.remedies:
        offers = (f"{one.remedy} ({', '.join(one.args.values())})" for one in finding.remedies)
        lines.append(f"{HEADS['remedies'][lang]}: {', '.join(offers)}")
    elif fault and (reason := fault.why_no_remedy(finding, lang)):
        lines.append(f"{HEADS['remedies'][lang]}: {reason}")
    return "\n".join(lines)


def _comparison(compare: Comparison) -> str:
    return tabulate([_plain(row) for row in compare.rows], headers=_plain(compare.columns), disable_numparse=True)


def _table(rows: Sequence[tuple[str, ...]], heads: tuple[str, ...], *, widths: list[int | None]) -> str:
    return tabulate([_plain(row) for row in rows], headers=heads, maxcolwidths=widths, disable_numparse=True)


def _plain(cells: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_printable(cell) for cell in cells)


def _printable(text: str) -> str:
    """Nothing that came from a cluster may move the cursor or colour the terminal."""
    return "".join(char if char.isprintable() else " " for char in text)
