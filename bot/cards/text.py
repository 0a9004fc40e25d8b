"""How does text get into a message without becoming markup, and without breaking Slack's limits?

Rich text elements and raw table cells are shown as they are, so names from a cluster go there. One bad block loses the
whole message, hence every length is cut here.
"""

import json
import re
import time
from collections.abc import Iterable
from typing import Any

import msgspec

Block = dict[str, Any]
ALL_BLOCKS = 12_800  # Slack refuses about 13,200 characters of blocks in all (slackapi/bolt-js#2509)
BLOCKS = 50
LINE = 600  # characters of one sentence
CELL = 120
ROWS, COLUMNS = 15, 8  # far below Slack's 100 and 20: all cells together may have 10,000 characters
PREFORMATTED = 2_900  # characters of one text element; Slack refuses more than 3,000
FALLBACK = 2_900  # chat.update refuses `text` above 4,000
BUTTON = 75
HIDDEN = re.compile("[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


class Drawn(msgspec.Struct, frozen=True):
    """A message: its blocks, and the text for notifications and screen readers (mrkdwn, escaped)."""

    text: str
    blocks: tuple[Block, ...] = ()


def clean(text: object, limit: int = LINE) -> str:
    """One line without control characters and invisible ones that reorder text; cut at `limit`; never empty."""
    line = HIDDEN.sub(" ", str(text)).strip()
    if len(line) > limit:
        line = f"{line[: limit - 1]}…"
    return line or "-"


def escape(text: object, limit: int = LINE) -> str:
    """For the places that know mrkdwn alone: no mention and no link survives."""
    line = clean(text, limit)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # Slack makes a link of a bare address, unless something (here: a word joiner, invisible) stands inside.
    return line.replace("://", ":\u2060//")


def code(text: object, limit: int = LINE) -> str:
    """Escaped, in a code span of mrkdwn."""
    return "`{}`".format(escape(clean(text, limit).replace("`", "'"), limit))


def say(text: object, *, bold: bool = False, mono: bool = False, limit: int = LINE) -> Block:
    """Literal text in a line of rich text."""
    style = {name: True for name, wanted in (("bold", bold), ("code", mono)) if wanted}
    element: Block = {"type": "text", "text": _spaced(text, limit)}
    return {**element, "style": style} if style else element


def _spaced(text: object, limit: int) -> str:
    """Like `clean`, with the spaces at both ends that join elements of a line."""
    raw = str(text)
    lead = " " if raw[:1] == " " else ""
    tail = " " if raw[-1:] == " " else ""
    return f"{lead}{clean(raw, limit)}{tail}" if raw.strip() else " "


def emoji(name: str) -> Block:
    """An emoji by name."""
    return {"type": "emoji", "name": name}


def user(account: str) -> Block:
    """A mention of one person, by the account's id."""
    return {"type": "user", "user_id": account}


def line(*elements: Block) -> Block:
    """One line of rich text."""
    return {"type": "rich_text_section", "elements": list(elements)}


def rich(*parts: Block) -> Block:
    """A block of rich text lines, lists and preformatted parts."""
    return {"type": "rich_text", "elements": list(parts)}


def pre(lines: Iterable[object], *, limit: int = 300, most: int = 12) -> Block:
    """Preformatted text, which Slack does not parse."""
    shown = [clean(one, limit) for one in lines]
    cut = [*shown[:most], f"… {len(shown) - most}"] if len(shown) > most else shown
    text = "\n".join(cut) or "-"
    text = text if len(text) <= PREFORMATTED else f"{text[: PREFORMATTED - 1]}…"
    return {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]}


def bullets(items: Iterable[object], *, ordered: bool = False, limit: int = 400, most: int = 8) -> Block:
    """A list of literal lines."""
    shown = list(items)
    lines = [line(say(one, limit=limit)) for one in shown[:most]]
    if len(shown) > most:
        lines.append(line(say(f"… {len(shown) - most}")))
    return {"type": "rich_text_list", "style": "ordered" if ordered else "bullet", "elements": lines}


def table(columns: Iterable[object], rows: Iterable[Iterable[object]]) -> Block:
    """A table of literal cells; what is too much is cut, and the cut is shown."""
    head = [_cell(one) for one in list(columns)[:COLUMNS]]
    all_rows = list(rows)
    body = [[_cell(one) for one in list(row)[: len(head)]] for row in all_rows[:ROWS]]
    body = [row + [_cell("")] * (len(head) - len(row)) for row in body]
    if len(all_rows) > ROWS:
        body.append([_cell(f"… {len(all_rows) - ROWS}"), *([_cell("")] * (len(head) - 1))])
    return {"type": "table", "rows": [head, *body]}


def _cell(text: object) -> Block:
    return {"type": "raw_text", "text": clean(text, CELL)}


def context(*pieces: str) -> Block:
    """Small print; the pieces are mrkdwn that is safe already."""
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": "  ·  ".join(pieces)[:3000], "verbatim": True}]}


def button(action: str, label: str, value: str, *, style: str = "") -> Block:
    """A button that carries an opaque value."""
    shown: Block = {"type": "plain_text", "text": clean(label, BUTTON)}
    made: Block = {"type": "button", "action_id": action, "value": value, "text": shown}
    return {**made, "style": style} if style else made


def actions(*buttons: Block) -> Block:
    """A row of buttons; their action ids must differ."""
    return {"type": "actions", "elements": list(buttons)}


def clock(at: float) -> str:
    """A moment in UTC: `02:51:10 UTC`."""
    return time.strftime("%H:%M:%S UTC", time.gmtime(at))


def date(at: float) -> str:
    """A moment in mrkdwn, shown in the reader's own time zone."""
    return f"<!date^{int(at)}^{{time_secs}}|{clock(at)}>"


def drawn(text: str, blocks: Iterable[Block | None]) -> Drawn:
    """A message of these blocks (None: left out). What is too long loses its largest part in the middle first.

    `text` is mrkdwn that is safe already.
    """
    kept = [block for block in blocks if block is not None][:BLOCKS]
    while length(kept) > ALL_BLOCKS:
        # The first block says what it is about; buttons and small print must stay.
        spare = [block for block in kept[1:] if block["type"] not in {"actions", "context"}]
        if not spare:
            break
        largest = max(spare, key=lambda block: length([block]))
        kept[kept.index(largest)] = rich(line(say("…")))
    return Drawn(text[:FALLBACK] or "-", tuple(kept))


def length(blocks: list[Block]) -> int:
    """The characters that Slack counts."""
    return len(json.dumps(blocks, ensure_ascii=False, separators=(",", ":")))
