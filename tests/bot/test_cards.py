"""Every card keeps Slack's limits and shows hostile names as they are, in both languages."""

import string
from collections.abc import Iterator

import msgspec
import pytest

from bot import policy
from bot.cards import approval, audit, finding, help, text, words  # noqa: A004 - the module is named after the command
from bot.cards.finding import Spoken
from bot.cards.text import Drawn
from bot.demo import pings, validate
from bot.demo.world import Message, visible_text
from bot.draw import Artist
from bot.records import Answer, AuditRef, Change, Place, Run
from tests.bot.kit import FINDING, HEALED, OFFER, PLAN, POLICY, REPORT, START, STEP, TARGET
from workers import catalogue
from workers.core.approval import Approval, State
from workers.core.audit import Entry
from workers.core.finding import Comparison, Finding, Report, Unknown
from workers.core.plan import Outcome, Plan, Refusal
from workers.core.run import State as RunState
from workers.core.steps import DeletePod
from workers.core.target import Request, Target
from workers.core.wire import CheckState

HOSTILE = (
    "<!channel>",
    "<http://evil|ok>",
    "<@U1ALICE>",
    "http://evil.example/x",
    "a\nb\tc",
    "x" * 300,
    "`*_~`",
    "\u202eevil",
    "@channel",
    "",
    "&lt;!here&gt;",
)
LANGUAGES = ("en", "zh")
MENTIONED = {"U1ALICE", "U2BOB", "U3CAROL"}
ARTIST = Artist(policy.parse(POLICY), catalogue.load(), now=lambda: START + 40)


def run_of(name: str = "checkout", language: str = "en") -> Run:
    """A run that was asked about something of this name."""
    target = Target("lab", "svc", name, name, name)
    place = Place("C1INC")
    return Run("r-1", "lab", Request("svc", target), name, "alice", "U1ALICE", place, language, START)


def hostile_finding(name: str, many: int = 40) -> Finding:
    """A finding whose every part is this name, often."""
    return msgspec.structs.replace(
        FINDING,
        params={"node": name, "since": START},
        scope={"node": name},
        evidence=(name,) * many,
        command=name * 9,
        compare=Comparison((name,) * 25, ((name,) * 25,) * many),
        explains=("kube-proxy-stale-rules",),
    )


def runs(name: str, language: str) -> Iterator[Run]:
    """A run in every state of its life."""
    run = run_of(name, language)
    checks = tuple(
        CheckState(f"{name}{number}", name, state, name)  # type: ignore[arg-type]  # the five states
        for number, state in enumerate(("pending", "running", "done", "problem", "failed") * 4)
    )
    for state in RunState:
        yield msgspec.structs.replace(run, state=state, checks=checks, away_since=START, found=(name,) * 30)
    yield msgspec.structs.replace(run, state=RunState.WAITING)
    one = hostile_finding(name)
    for verdict in ("broken", "at-risk", "healthy", "unknown"):
        report = Report(
            verdict,
            (one,) if verdict in {"broken", "at-risk"} else (),
            folded=(one,) * 20,
            unknown=(Unknown(name, name),) * 30,
            healthy=(name,) * 30,
        )
        yield msgspec.structs.replace(run, state=RunState.DONE, checks=checks, report=report, took=1.25)
    for reason in words.load()["answer"]:
        if reason != "choices":
            answer = Answer(reason, name * 5, (name,) * 20)
            yield msgspec.structs.replace(run, state=RunState.ANSWERED, answer=answer)


def changes(name: str, language: str) -> Iterator[Change]:
    """A change in every state of its life."""
    step = msgspec.structs.replace(STEP, namespace=name, name=name, old=name, owner=name, node=name)
    plan = Plan(name, TARGET, {"node": name}, (step,) * 30, (name,) * 30, name)
    outcome = Outcome("healed", ((name or "-", name),) * 30, ((name or "-", name), ("more", name)))
    for state in State:
        early = state in {State.PLANNING, State.REFUSED}
        yield Change(
            id="a-1",
            run="r-1",
            cluster="lab",
            target=TARGET,
            offer=OFFER,
            finding=FINDING,
            lock="lab x",
            account="U1ALICE",
            place=Place("C1INC"),
            language=language,
            asked=START,
            since=START,
            approval=Approval("a-1", "alice", START + 900, 1, state, ("bob",), "carol"),
            plan=None if early else plan,
            digest="" if early else PLAN.digest,
            refusal=Refusal("none-such", {"x": name}) if state is State.REFUSED else None,
            detail=name * 4,
            again=True,
            away=True,
            outcome=outcome,
            entry=AuditRef(118, "b7" * 32),
        )


def check(drawn: Drawn) -> None:
    """Slack would take this message, and it alerts nobody but whom we mean."""
    validate.check(list(drawn.blocks), validate.Limits())
    assert 0 < len(drawn.text) <= 4000
    for ping in pings.of_message(drawn.text, list(drawn.blocks)):
        assert ping.kind == "user"
        assert ping.target in MENTIONED


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", HOSTILE)
def test_run_cards(name: str, language: str) -> None:
    """A run's message in every state."""
    for run in runs(name, language):
        check(ARTIST.run(run))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", HOSTILE)
def test_finding_cards(name: str, language: str) -> None:
    """A finding's message, with and without an offer, for a fault that we know and one that we do not."""
    run = run_of(name, language)
    for one in (
        hostile_finding(name),
        msgspec.structs.replace(hostile_finding(name), remedies=()),
        msgspec.structs.replace(hostile_finding(name), id=name or "none"),
    ):
        report = Report("broken", (one,), folded=(one,) * 20)
        drawn = ARTIST.finding(msgspec.structs.replace(run, report=report), 0)
        assert drawn
        check(drawn)
    long = Spoken(sentence=name * 20, title=name, advice=(name * 9,) * 30, none=name * 9, folded=(name * 9,) * 30)
    check(finding.card(run, 0, hostile_finding(name), long))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", HOSTILE)
def test_change_cards(name: str, language: str) -> None:
    """A change's card in every state."""
    for change in changes(name, language):
        check(ARTIST.change(change))
        check(approval.card(change, approval.Around(refusal=name, no_undo=name)))


@pytest.mark.parametrize("name", ["<!channel>", "<http://evil|ok>", "`x`", "a_b*c"])
def test_a_name_is_shown_as_it_is(name: str) -> None:
    """What stands in the cluster stands on the card, to the letter."""
    drawn = ARTIST.run(run_of(name))
    assert name in visible_text(Message("C", "1", "U", drawn.text, drawn.blocks))


def test_the_first_line_is_the_verdict() -> None:
    """A reader of the channel needs no click."""
    run = msgspec.structs.replace(run_of(), state=RunState.DONE, report=REPORT)
    sentence = catalogue.load().say(FINDING)
    assert text.escape(sentence) in ARTIST.run(run).text
    healthy = msgspec.structs.replace(run, report=Report("healthy", healthy=("2 endpoints are ready",)))
    assert ARTIST.run(healthy).text.startswith("Not the network")
    assert "2 endpoints are ready" in str(ARTIST.run(healthy).blocks)


def test_what_is_asked_is_what_is_signed() -> None:
    """The card to approve shows each step to the letter, the digest, the expiry, and mentions the others alone."""
    change = next(change for change in changes("n", "en") if change.approval.state is State.ASKED)
    change = msgspec.structs.replace(change, plan=PLAN)
    shown = str(ARTIST.change(change).blocks)
    for part in ("uid-1", "kube-system", "kube-proxy-x7", "DaemonSet/kube-proxy", PLAN.digest, "dry run", "16:15:00"):
        assert part in shown
    assert "U2BOB" in shown
    assert "U6DORA" not in shown
    assert f"a-1:{PLAN.digest}" in shown


@pytest.mark.parametrize(
    "steps",
    [
        (STEP,) * 30,
        (msgspec.structs.replace(STEP, name="x" * 500),),
        (msgspec.structs.replace(STEP, name="a\u202eb"),),
        (),
    ],
)
def test_what_cannot_be_read_whole_cannot_be_approved(steps: tuple[DeletePod, ...]) -> None:
    """A plan that is cut, or holds what is invisible, has no button to approve; deny and withdraw stay."""
    change = next(change for change in changes("n", "en") if change.approval.state is State.ASKED)
    drawn = ARTIST.change(msgspec.structs.replace(change, plan=msgspec.structs.replace(PLAN, steps=steps)))
    check(drawn)
    (row,) = [block for block in drawn.blocks if block["type"] == "actions"]
    assert [button["action_id"] for button in row["elements"]] == ["deny", "withdraw"]


@pytest.mark.parametrize("state", [state for state in State if state not in {State.ASKED, State.PLANNING}])
def test_no_buttons_once_it_is_decided(state: State) -> None:
    """A decided card cannot be pressed."""
    change = next(change for change in changes("n", "en") if change.approval.state is state)
    assert not [block for block in ARTIST.change(change).blocks if block["type"] == "actions"]


def test_done_shows_before_after_and_the_entry() -> None:
    """Before and after side by side, with the audit entry's number and hash."""
    change = next(change for change in changes("n", "en") if change.approval.state is State.DONE)
    shown = str(ARTIST.change(msgspec.structs.replace(change, outcome=HEALED)).blocks)
    for part in ("REJECT", "2 endpoints", "#118", "b7" * 32):
        assert part in shown


def test_unknown_says_how_to_find_out() -> None:
    """The claim in the cluster is where the truth is."""
    change = next(change for change in changes("n", "en") if change.approval.state is State.UNKNOWN)
    assert "netdiag-claim-a-1" in str(ARTIST.change(change).blocks)


def test_the_waiting_run_says_how_long() -> None:
    """Since when nobody was heard, in seconds."""
    run = msgspec.structs.replace(run_of(), state=RunState.WAITING, away_since=START)
    assert "no look worker of cluster lab has been heard for 40 s" in ARTIST.run(run).text


def test_help_and_audit_cards() -> None:
    """The lists keep the limits too; whoever may do nothing is told so."""
    for language in LANGUAGES:
        check(help.card([("svc shop/checkout", "<!channel>")] * 12, ("lab",), language))
        assert help.card([], (), language).text
    body = {"at": START, "event": "x", "actor": "<!here>", "subject": "s", "data": {"typed": "<http://evil>" * 30}}
    entry = Entry(1, msgspec.json.encode(body).decode(), "h" * 64, "s", "k")
    check(audit.card([entry] * 10, "en"))
    check(audit.card([], "zh", "r-1"))


def test_every_sentence_is_there_in_both_languages_with_the_same_parameters() -> None:
    """No language is forgotten, and none names a parameter that the other does not."""
    for group, sentences in words.load().items():
        for name, said in sentences.items():
            assert tuple(sorted(said)) == LANGUAGES, f"{group}.{name}"
            fields = [{field for _, field, _, _ in string.Formatter().parse(said[one]) if field} for one in LANGUAGES]
            assert fields[0] == fields[1], f"{group}.{name}"


def test_states_and_refusals_have_their_words() -> None:
    """Each state of a change, each verdict and each refusal that the code gives has a sentence."""
    for state in State:
        assert words.say("en", f"change.{state}", step="s", remedy="r")
        assert words.refusal("zh", f"already-{state}")
    assert words.refusal("en", "already-open", id="a-1", run="r-1").count("a-1") == 1
