"""What exists is found, and what is declared wrongly is refused with the file's name."""

import re
from typing import Any

import msgspec
import pytest

import workers.core.evidence
from workers.catalogue import Catalogue, _declared, build, load, query_types
from workers.core.declare import Check, Look, Remedy, Said
from workers.core.errors import BadDeclaration
from workers.core.evidence import service as nodes
from workers.core.finding import Finding
from workers.core.plan import Outcome, Plan, Refusal
from workers.core.query import Query
from workers.core.target import Target

FAULT = """
id: it-is-broken
area: things
severity: warning
title: {en: Broken, zh: 坏了}
params:
  node: text
  at: time
  list: list
  count:
    "1": {en: one thing, zh: 一个}
    other: {en: "{count} things", zh: "{count} 个"}
  more: {shown: {en: "and {count} on {node}", zh: ""}}
sentence: {en: "{node} at {at}: {count} {more} ({list})", zh: "{node} {at}"}
advice: {en: ["Look at {node}."], zh: ["查看 {node}。"]}
no_remedy: {why: {en: "none for {node}", zh: 无}}
"""
FILE = "workers/faults/things/it-is-broken.yaml"


async def _analyse(_target: Target, _look: Look) -> Said:
    return Said()


async def _plan(_target: Target, _args: dict[str, str], _look: Look) -> Plan | Refusal:
    return Refusal("no")


def _verify(_before: tuple[Finding, ...], _after: Said) -> Outcome:
    return Outcome("unknown")


def check(**changes: Any) -> tuple[str, Check]:
    """A check and its file."""
    fresh = Check("things.are-well", "Are they?", _analyse, ("svc",), ("it-is-broken",))
    return "workers/checks/things/are_well.py", msgspec.structs.replace(fresh, **changes)


def remedy(**changes: Any) -> tuple[str, Remedy]:
    """A remedy and its file."""
    both = {"en": "no, {node}", "zh": "不"}
    fresh = Remedy("mend", both, _plan, _verify, "things.are-well", "low", "it-is-broken", {"no": both}, both)
    return "workers/remedies/mend.py", msgspec.structs.replace(fresh, **changes)


def made(
    checks: list[tuple[str, Check]] | None = None,
    remedies: list[tuple[str, Remedy]] | None = None,
    faults: list[tuple[str, str]] | None = None,
) -> Catalogue:
    """A catalogue of these; one of each unless told otherwise."""
    return build(
        checks=[check()] if checks is None else checks,
        remedies=[remedy()] if remedies is None else remedies,
        faults=[(FILE, FAULT)] if faults is None else faults,
        queries={},
    )


def test_this_installation_is_declared_rightly() -> None:
    """Everything loads; a command has checks; every fault has a check that may find it."""
    known = load()
    assert [one.id for one in known.checks_for("svc")] == [
        "kube-proxy.api-reach",
        "kube-proxy.stale-rules",
        "service.ready-endpoints",
        "service.target-ports",
    ]
    assert {fault for one in known.checks.values() for fault in one.faults} == set(known.faults)
    assert known.checks_for("help") == ()


def test_queries_are_found_by_their_tags() -> None:
    """A new kind of evidence is a new file and no other change."""
    assert {"service", "rule-slice", "connect", "api-reach", "nodes"} <= set(query_types())


def test_a_sentence_is_said_in_two_languages() -> None:
    """Params are put in words: times, lists, choices and plurals."""
    known = made()
    finding = Finding(
        "it-is-broken",
        "warning",
        "inferred",
        {"node": "n1", "at": 0.0, "list": ("a", "b"), "count": 2, "more": "shown"},
        no_remedy="why",
    )
    assert known.say(finding) == "n1 at 00:00:00 UTC: 2 things and 2 things on n1 (a, b)"
    assert known.say(finding, "zh") == "n1 00:00:00 UTC"
    fault = known.faults["it-is-broken"]
    assert fault.wrong(finding) == []
    assert fault.advise(finding) == ("Look at n1.",)
    assert fault.why_no_remedy(finding) == "none for n1"
    assert fault.why_no_remedy(msgspec.structs.replace(finding, no_remedy="")) == ""


def test_a_singular_is_said_as_one() -> None:
    """The words of a value come before those for every other value."""
    assert "one thing" in made().say(Finding("it-is-broken", "warning", "inferred", {"count": 1}))


def test_what_is_missing_in_a_finding_is_said_and_told() -> None:
    """A sentence with a hole is better than none; tests are told of it."""
    finding = Finding("it-is-broken", "warning", "inferred", {"node": 1, "more": "no", "other": 0.5})
    assert made().say(finding) == "1 at ?: ? things no (?)"
    assert made().faults["it-is-broken"].wrong(finding) == [
        "at is missing",
        "list is missing",
        "count is missing",
        "node is no text: 1",
        "more has no words for no",
        "other is not declared",
    ]


def test_hostile_params_stay_text() -> None:
    """Braces in a value are never read as params of their own."""
    finding = Finding("it-is-broken", "warning", "inferred", {"node": "{at.__class__}", "at": 0.5})
    assert "{at.__class__}" in made().say(finding)


def test_the_fault_of_another_release_is_shown_by_its_id() -> None:
    """A bundle of a newer release can still be read."""
    assert made().say(Finding("new-fault", "warning", "inferred")) == "new-fault"


def test_refusals_are_said_by_the_remedy_that_refuses() -> None:
    """Unknown ones by their id; what is missing in one as a question mark."""
    known = made()
    assert known.refusal_text("mend", Refusal("no", {"node": "n1"})) == "no, n1"
    assert known.refusal_text("mend", Refusal("no")) == "no, ?"
    assert known.refusal_text("mend", Refusal("no"), "zh") == "不"
    assert known.refusal_text("mend", Refusal("other")) == "other"
    assert known.refusal_text("another", Refusal("no")) == "no"


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ({"checks": [check(id="things.other")]}, "are_well.py: the check is named things.other"),
        ({"checks": [check(), check()]}, "are_well.py: things.are-well is declared a second time"),
        ({"checks": [check(faults=("no-file",))]}, "declares the fault no-file"),
        ({"checks": []}, "remedy mend: there is no check things.are-well"),
        ({"remedies": [remedy(name="other")]}, "mend.py: the remedy is named other"),
        ({"remedies": [remedy(fault="no-file")]}, "declares the fault no-file"),
        ({"remedies": [remedy(), remedy()]}, "mend is declared a second time"),
        ({"remedies": [remedy(refusals={"no": {"en": "no"}})]}, "no needs a text in each of en, zh"),
    ],
)
def test_wrong_declarations_are_refused(declared: dict[str, Any], says: str) -> None:
    """The message names the file or the id, and what is wrong."""
    with pytest.raises(BadDeclaration, match=re.escape(says)):
        made(**declared)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("id: it-is-broken", "id: other", "it declares things/other"),
        ("area: things", "area: elsewhere", "it declares elsewhere/it-is-broken"),
        ("severity: warning", "severity: bad", "Invalid enum value 'bad'"),
        ("node: text", "node: texts", "param node is none of"),
        ("zh: 坏了", "fr: cassé", "title needs a text in each"),
        ("{node} at", "{nodes} at", "sentence names the unknown param {nodes}"),
        ("{node} at", "{node.x} at", "sentence names the unknown param {node.x}"),
        ("{node} at", "{node!r} at", "sentence names the unknown param {node}"),
        ("{node} at", "{node at", "sentence"),
        ("Look at {node}", "Look at {pod}", "advice (en) names the unknown param {pod}"),
        ('zh: ["查看 {node}。"]', "fr: []", "advice needs a text in each"),
        ("id: it", "surprise: 1\nid: it", "unknown field `surprise`"),
        ("id: it", "id: [it", "it-is-broken.yaml"),
        ("sentence:", "remedies: [none]\nsentence:", "fault it-is-broken: there is no remedy none"),
    ],
)
def test_wrong_fault_files_are_refused(old: str, new: str, says: str) -> None:
    """Whatever is wrong in a fault file is found when it is loaded, not when it is said."""
    text = FAULT.replace(old, new, 1)
    assert text != FAULT
    with pytest.raises(BadDeclaration, match=re.escape(says)):
        made(faults=[(FILE, text)])


def test_a_file_that_declares_nothing_is_refused() -> None:
    """A check that forgets its last line would never run, and nobody would know."""
    with pytest.raises(BadDeclaration, match=r"workers/core/evidence/\w+.py: it declares no CHECK"):
        list(_declared(workers.core.evidence, "CHECK"))


def test_a_query_without_a_tag_or_an_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It could not be found in a bundle again."""

    class Nameless(Query[int], frozen=True):
        """No tag."""

    Nameless.__module__ = nodes.__name__
    monkeypatch.setattr(nodes, "Nameless", Nameless, raising=False)
    query_types.cache_clear()
    with pytest.raises(BadDeclaration, match="the query Nameless needs a tag and an answer"):
        query_types()
