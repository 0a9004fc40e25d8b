"""Corefiles made by chance: those of CoreDNS's own tests with words and lines changed, the same for the same seed."""

import random
import re

from tests.analysis.corefile import conformance, grammar
from workers.analysis.corefile.judges import JUDGES


def bases() -> list[str]:
    """What is changed: directives of the plugins that are judged, and whole Corefiles."""
    directives = conformance.cases("directives.json")
    judged = [one for one in directives if {"metrics": "prometheus"}.get(one["plugin"], one["plugin"]) in JUDGES]
    return [conformance.wrapped(one) for one in judged] + [one["text"] for one in conformance.cases("corefiles.json")]


def corefiles(seed: int, count: int) -> list[str]:
    """So many Corefiles."""
    chance = random.Random(seed)  # noqa: S311 -- chance that can be repeated
    texts = bases()
    words = sorted({word for text in texts for word in text.split()})
    return [_changed(chance, chance.choice(texts), texts, words) for _ in range(count)]


def _changed(chance: random.Random, text: str, texts: list[str], words: list[str]) -> str:
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        text = chance.choice((_word, _word, _word, _line, _other))(chance, text, texts, words)
    return text


def _word(chance: random.Random, text: str, texts: list[str], words: list[str]) -> str:
    """One word taken out, doubled, replaced, or another put behind it."""
    del texts
    places = list(re.finditer(r"[^ \t\n]+", text))
    if not places:
        return text
    place = chance.choice(places)
    new = chance.choice(grammar.SPECIAL) if chance.random() < 0.6 else chance.choice(words)
    instead = chance.choice(("", new, new, f"{place[0]} {new}", f"{place[0]} {place[0]}", f"{place[0]}\n{new}"))
    return text[: place.start()] + instead + text[place.end() :]


def _line(chance: random.Random, text: str, texts: list[str], words: list[str]) -> str:
    """One line taken out, doubled, or moved."""
    del texts, words
    lines = text.split("\n")
    line = lines.pop(chance.randrange(len(lines)))
    for _ in range(chance.choice((0, 1, 2))):
        lines.insert(chance.randint(0, len(lines)), line)
    return "\n".join(lines)


def _other(chance: random.Random, text: str, texts: list[str], words: list[str]) -> str:
    """Lines of another Corefile put in, or a second server block behind it."""
    del words
    other = chance.choice(texts)
    if chance.random() < 0.3:
        return f"{text}\n{other}"
    inner = other.split("\n")[1:-2]
    lines = text.split("\n")
    at = chance.randint(0, len(lines))
    return "\n".join(lines[:at] + inner + lines[at:])
