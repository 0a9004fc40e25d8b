"""What does the help show: what this person may run, with an example each?"""

from collections.abc import Iterable

from bot.cards import words
from bot.cards.text import Block, Drawn, bullets, drawn, escape, line, rich, say

COMMAND = "/netdiag"
Row = tuple[str, str]  # an example to type, and what it answers


def card(rows: Iterable[Row], clusters: Iterable[str], language: str) -> Drawn:
    """The help; `rows` are the commands that this person may run."""
    shown = list(rows)
    if not shown:
        return drawn(escape(words.say(language, "help.nothing")), ())
    title = words.say(language, "help.title")
    listed: Block = {"type": "rich_text_list", "style": "bullet", "elements": [_row(*row) for row in shown]}
    more = [words.say(language, "help.clusters", clusters=", ".join(clusters)), words.say(language, "help.also")]
    text = "\n".join([escape(title), *(f"{escape(f'{COMMAND} {example}')}: {escape(said)}" for example, said in shown)])
    return drawn(text, (rich(line(say(title, bold=True)), listed, bullets(more)),))


def _row(example: str, said: str) -> Block:
    return line(say(f"{COMMAND} {example}", mono=True), say(f": {said}"))
