"""What should this message show right now? The ledger's state, in words, on a card."""

import time
from collections.abc import Callable

from sqlalchemy import Connection

from bot.cards import approval, finding, run, words
from bot.cards.finding import Spoken
from bot.cards.text import Drawn
from bot.ledger import changes, runs
from bot.policy import Policy
from bot.records import Change, Run
from workers.catalogue import Catalogue
from workers.core.finding import Finding


class Artist:
    """Draws messages by key: `run:<id>`, `finding:<run>:<number>`, `approval:<id>`."""

    def __init__(self, policy: Policy, catalogue: Catalogue, *, now: Callable[[], float] = time.time) -> None:
        self._policy = policy
        self._catalogue = catalogue
        self._now = now

    def draw(self, connection: Connection, key: str) -> Drawn | None:
        """The message as it should be; None when there is nothing to show for this key."""
        kind, _, rest = key.partition(":")
        if kind == "approval":
            change = changes.get(connection, rest)
            return self.change(change) if change else None
        run_id, _, number = rest.partition(":")
        found = runs.get(connection, run_id)
        if found is None:
            return None
        return self.finding(found, int(number)) if kind == "finding" else self.run(found)

    def run(self, drawn: Run) -> Drawn:
        """A run's own message."""
        findings = drawn.report.findings if drawn.report else ()
        lead = self._catalogue.say(findings[0], drawn.language) if findings else ""
        return run.card(drawn, lead=lead, now=self._now())

    def finding(self, of: Run, number: int) -> Drawn | None:
        """The message of one finding."""
        findings = of.report.findings if of.report else ()
        if number >= len(findings):
            return None
        return finding.card(of, number, findings[number], self._spoken(of, findings[number]))

    def change(self, change: Change) -> Drawn:
        """The card of a proposed change."""
        language = change.language
        remedy = self._catalogue.remedies.get(change.offer.remedy)
        refusal = words.say(language, "change.refused-because", why=change.detail) if change.detail else ""
        if change.refusal:
            refusal = self._catalogue.refusal_text(change.offer.remedy, change.refusal, language)
        around = approval.Around(
            approvers=self._policy.approvers(without=change.approval.requester),
            accounts={name: person.slack for name, person in self._policy.people.items()},
            risk=remedy.risk if remedy else "",
            no_undo=remedy.cannot_undo[language] if remedy and remedy.cannot_undo else "",
            refusal=refusal,
        )
        return approval.card(change, around)

    def _spoken(self, of: Run, one: Finding) -> Spoken:
        language = of.language
        fault = self._catalogue.faults.get(one.id)
        return Spoken(
            sentence=self._catalogue.say(one, language),
            title=fault.title[language] if fault else "",
            advice=fault.advise(one, language) if fault else (),
            offers=tuple(self._catalogue.offer_text(offer, language) for offer in one.remedies),
            none=fault.why_no_remedy(one, language) if fault else "",
            folded=self._folded(of, one),
        )

    def _folded(self, of: Run, one: Finding) -> tuple[str, ...]:
        folded = of.report.folded if of.report else ()
        same = (other for other in folded if other.id in one.explains and other.scope == one.scope)
        return tuple(self._catalogue.say(other, of.language) for other in same)
