"""What does a finding's message in the thread show: the sentence, the proof, what to do, and the button?"""

from bot.cards import words
from bot.cards.text import (
    Block,
    Drawn,
    actions,
    bullets,
    button,
    code,
    context,
    drawn,
    emoji,
    escape,
    line,
    pre,
    rich,
    say,
    table,
)
from bot.records import Run
from workers.core.finding import Finding

SIGNS = {"critical": "red_circle", "warning": "large_yellow_circle", "info": "large_blue_circle"}


class Spoken:
    """A finding in words: what its fault file says of it in one language.

    offers: a label for each of the finding's remedies. none: why no change is offered. folded: the sentences of the
    symptoms that it explains.
    """

    def __init__(
        self,
        *,
        sentence: str,
        title: str = "",
        advice: tuple[str, ...] = (),
        offers: tuple[str, ...] = (),
        none: str = "",
        folded: tuple[str, ...] = (),
    ) -> None:
        self.sentence = sentence
        self.title = title
        self.advice = advice
        self.offers = offers
        self.none = none
        self.folded = folded


def card(run: Run, number: int, finding: Finding, spoken: Spoken) -> Drawn:
    """The message of the run's finding `number`."""
    head = line(emoji(SIGNS[finding.severity]), say(" "), say(spoken.sentence, bold=True))
    return drawn(
        escape(spoken.sentence),
        (
            rich(head, line(say(_judged(run, finding, spoken)))),
            table(finding.compare.columns, finding.compare.rows) if finding.compare else None,
            _titled(run, "evidence", pre(finding.evidence)) if finding.evidence else None,
            _titled(run, "command", pre((finding.command,), limit=800)) if finding.command else None,
            _titled(run, "advice", bullets(spoken.advice, ordered=True, most=6)) if spoken.advice else None,
            _titled(run, "explains", bullets(spoken.folded, most=5)) if spoken.folded else None,
            *_offers(run, number, finding, spoken),
            context(code(finding.id), words.say(run.language, f"finding.{finding.confidence}"), code(run.id)),
        ),
    )


def _judged(run: Run, finding: Finding, spoken: Spoken) -> str:
    pieces = [
        words.say(run.language, f"finding.{finding.severity}"),
        words.say(run.language, f"finding.{finding.confidence}"),
        ", ".join(f"{name} {value}" for name, value in finding.scope.items()),
        spoken.title,
    ]
    return " · ".join(piece for piece in pieces if piece)


def _titled(run: Run, key: str, part: Block) -> Block:
    return rich(line(say(words.say(run.language, f"finding.{key}"), bold=True)), part)


def _offers(run: Run, number: int, finding: Finding, spoken: Spoken) -> list[Block]:
    if not finding.remedies:
        reason = "finding.none-because" if spoken.none else "finding.none"
        return [rich(line(say(words.say(run.language, reason, reason=spoken.none))))]
    # One row each: action ids must differ within a row.
    return [
        actions(
            button(
                "propose",
                words.say(run.language, "finding.propose", remedy=label),
                f"{run.id}:{number}:{index}",
                style="primary" if index == 0 else "",
            )
        )
        for index, label in enumerate(spoken.offers[: len(finding.remedies)])
    ]
