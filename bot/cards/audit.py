"""What does `/netdiag audit` show: who asked, was refused, granted, what ran, the outcome?"""

from collections.abc import Sequence
from typing import Any

from bot.cards import words
from bot.cards.text import Drawn, clock, context, drawn, escape, line, rich, say, table
from workers.core.audit import Entry

SHOWN = 10
PREFIX = 12  # hex digits of a hash that a person compares
FACTS = ("reason", "typed", "verdict", "answer", "remedy", "granted", "result", "detail")


def card(entries: Sequence[Entry], language: str, about: str = "") -> Drawn:
    """The newest entries, newest first; `about`: they are only of this run or change."""
    if not entries:
        return drawn(escape(words.say(language, "audit.none")), ())
    key = "audit.about" if about else "audit.title"
    title = words.say(language, key, count=len(entries), what=about)
    rows = [row(entry) for entry in entries[:SHOWN]]
    return drawn(
        escape(title),
        (
            rich(line(say(title, bold=True))),
            table(("#", "UTC", "event", "who", "of", "what", "hash"), rows),
            context(escape(words.say(language, "audit.verify"))),
        ),
    )


def row(entry: Entry) -> tuple[str, ...]:
    """One entry as cells: number, time, event, actor, subject, facts, the hash's beginning."""
    body = entry.body
    at = clock(float(body["at"])).removesuffix(" UTC")
    facts = told(body.get("data") or {})
    who, what = str(body["actor"]), str(body["subject"])
    return (str(entry.seq), at, str(body["event"]), who, what, facts, entry.hash[:PREFIX])


def told(data: dict[str, Any]) -> str:
    """The facts of an entry that tell most, on one line."""
    return ", ".join(f"{name} {data[name]}" for name in FACTS if data.get(name))
