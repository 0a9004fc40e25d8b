"""What does a run's own message show: how far it is, then its verdict in the first line?"""

from bot.cards import words
from bot.cards.text import (
    Block,
    Drawn,
    actions,
    bullets,
    button,
    code,
    context,
    date,
    drawn,
    emoji,
    escape,
    line,
    rich,
    say,
)
from bot.records import Run
from workers.core.run import OVER, State
from workers.core.wire import CheckState

STATUS = {"pending": "pending", "running": "in_progress", "done": "complete", "problem": "error", "failed": "error"}
SIGNS = {"broken": "red_circle", "at-risk": "large_yellow_circle", "healthy": "large_green_circle"}
UNKNOWN_SIGN = "white_circle"


def card(run: Run, *, lead: str, now: float) -> Drawn:
    """The run's message. lead: the sentence of its first finding (empty: there is none)."""
    headline = _headline(run, lead, now)
    text = f"{escape(headline)} ({code(run.asked_about)}, {escape(run.cluster)})"
    return drawn(
        text,
        (
            rich(line(emoji(_sign(run)), say(" "), say(headline, bold=True)), line(*_subject(run))),
            _plan(run),
            _rest(run),
            _small_print(run),
            _buttons(run),
        ),
    )


def _say(run: Run, key: str, **params: object) -> str:
    return words.say(run.language, f"run.{key}", **params)


def _sign(run: Run) -> str:
    if run.state is State.DONE and run.report:
        return SIGNS.get(run.report.verdict, UNKNOWN_SIGN)
    if run.state in {State.ANSWERED, State.FAILED}:
        return UNKNOWN_SIGN
    return "hourglass" if run.state is State.WAITING else "hourglass_flowing_sand"


def _headline(run: Run, lead: str, now: float) -> str:
    what = run.asked_about
    if run.state is State.DONE and run.report:
        return lead if run.report.findings and lead else _say(run, run.report.verdict, what=what)
    if run.state in {State.ANSWERED, State.FAILED} and run.answer:
        said = words.say(run.language, f"answer.{run.answer.reason}")
        return f"{said}: {run.answer.detail}" if run.answer.detail else said
    if run.state is State.WAITING:
        if not run.away_since:
            return _say(run, "waiting-never", cluster=run.cluster, what=what)
        seconds = max(int(now - run.away_since), 0)
        return _say(run, "waiting", cluster=run.cluster, what=what, seconds=seconds)
    return _say(run, "queued", what=what, cluster=run.cluster)


def _subject(run: Run) -> list[Block]:
    return [say(run.asked_about, mono=True), say(f" · {run.cluster}")]


def _plan(run: Run) -> Block | None:
    if not run.checks:
        return None
    over = sum(1 for check in run.checks if check.state in {"done", "problem", "failed"})
    problems = sum(1 for check in run.checks if check.state in {"problem", "failed"})
    title = _say(run, "progress", done=over, all=len(run.checks))
    if problems:
        title = f"{title}, {_say(run, 'problems', problems=problems)}"
    return {"type": "plan", "title": title, "tasks": [_task(check) for check in run.checks[:12]]}


def _task(check: CheckState) -> Block:
    task: Block = {"task_id": check.id[:255], "title": say(check.title, limit=200)["text"]}
    task["status"] = STATUS[check.state]
    if check.note:
        task["details"] = rich(line(say(check.note, limit=300)))
    return task


def _rest(run: Run) -> Block | None:
    """What stands beside the verdict: what is proven, and what could not be seen."""
    if run.answer and run.answer.choices:
        return rich(line(say(words.say(run.language, "answer.choices"))), bullets(run.answer.choices))
    report = run.report
    if not report:
        return rich(bullets(run.found)) if run.found else None
    lines = [_say(run, "not-seen", what=one.what, reason=one.reason) for one in report.unknown]
    if report.healthy:
        lines.append(_say(run, "proven", what="; ".join(report.healthy)))
    return rich(bullets(lines)) if lines else None


def _small_print(run: Run) -> Block:
    pieces = [_say(run, "by", who=f"<@{run.account}>")]
    if run.started:
        pieces.append(_say(run, "started", when=date(run.started)))
    else:
        pieces.append(_say(run, "asked", when=date(run.asked)))
    pieces.append(_say(run, "read-only"))
    if run.took:
        pieces.append(_say(run, "took", seconds=f"{run.took:.1f}"))
    elif run.looked:
        pieces.append(_say(run, "looked", count=run.looked))
    if run.report and run.report.findings:
        pieces.append(_say(run, "thread"))
    pieces.append(code(run.id))
    return context(*pieces)


def _buttons(run: Run) -> Block | None:
    if run.state not in OVER:
        return None
    return actions(button("rerun", _say(run, "rerun"), run.id))
