"""Would Slack take these blocks? The documented rules of every block that netdiag's messages are made of.

One bad block loses the whole message. What is not listed here is refused, so that a card cannot use a block whose rules
nobody has written down. Sources: docs.slack.dev/reference/block-kit; the limit on all blocks together is undocumented
(slackapi/bolt-js issues 2509 and 2867), so it is a setting.
"""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from bot.demo.errors import SlackRefuses
from bot.demo.schema import Rule, array, boolean, both, number, one_of, problem, string, thing, typed

Blocks = list[dict[str, Any]]


class Limits(msgspec.Struct, frozen=True):
    """The limits over a whole message; zero lifts one. `all_blocks` counts the characters of the blocks as JSON."""

    blocks: int = 50
    all_blocks: int = 13_200
    all_tables: int = 10_000


def plain(longest: int) -> Rule:
    """A plain_text object."""
    return typed({"plain_text": thing({"text": string(longest)}, {"emoji": boolean})})


def marked(longest: int) -> Rule:
    """A text object, mrkdwn or plain."""
    return typed(
        {
            "plain_text": thing({"text": string(longest)}, {"emoji": boolean}),
            "mrkdwn": thing({"text": string(longest)}, {"verbatim": boolean}),
        }
    )


IDENTIFIER = string(255)
STYLES = one_of("primary", "danger")
CONFIRM = thing(
    {"title": plain(100), "text": marked(300), "confirm": plain(30), "deny": plain(30)},
    {"style": STYLES},
)
BUTTON = thing(
    {"text": plain(75)},
    {
        "action_id": IDENTIFIER,
        "value": string(2000),
        "url": string(3000),
        "style": STYLES,
        "confirm": CONFIRM,
        "accessibility_label": string(75),
    },
)

MARKS = thing(optional={"bold": boolean, "italic": boolean, "strike": boolean, "code": boolean})
RICH_INLINE = typed(
    {
        "text": thing({"text": string(3000)}, {"style": MARKS}),
        "link": thing({"url": string(3000)}, {"text": string(3000), "style": MARKS, "unsafe": boolean}),
        "user": thing({"user_id": string(64)}, {"style": MARKS}),
        "usergroup": thing({"usergroup_id": string(64)}, {"style": MARKS}),
        "channel": thing({"channel_id": string(64)}, {"style": MARKS}),
        "broadcast": thing({"range": one_of("here", "channel", "everyone")}),
        "emoji": thing({"name": string(100)}, {"unicode": string(64), "style": MARKS}),
        "date": thing({"timestamp": number, "format": string(200)}, {"fallback": string(200), "url": string(3000)}),
    }
)
RICH_SECTION = thing({"elements": array(RICH_INLINE, 500, 0)})
RICH_BORDERED = thing({"elements": array(RICH_INLINE, 500)}, {"border": number})
RICH_PART = typed(
    {
        "rich_text_section": RICH_SECTION,
        "rich_text_preformatted": RICH_BORDERED,
        "rich_text_quote": RICH_BORDERED,
        "rich_text_list": thing(
            {"elements": array(typed({"rich_text_section": RICH_SECTION}), 500), "style": one_of("bullet", "ordered")},
            {"indent": number, "offset": number, "border": number},
        ),
    }
)
RICH_TEXT = thing({"elements": array(RICH_PART, 100)}, {"block_id": IDENTIFIER})
RICH = typed({"rich_text": RICH_TEXT})

CELL = typed({"raw_text": thing({"text": string(10_000)}), "rich_text": RICH_TEXT})
COLUMN = thing(optional={"align": one_of("left", "center", "right"), "is_wrapped": boolean})
TABLE = thing(
    {"rows": array(array(CELL, 20), 100)},
    {"column_settings": array(COLUMN, 20, 0), "block_id": IDENTIFIER},
)

TASK = {"task_id": string(255), "title": string(3000)}
TASK_MORE = {"details": RICH, "output": RICH}
PLANNED_TASK = thing(
    TASK, {"status": one_of("pending", "in_progress", "complete", "error"), "block_id": IDENTIFIER, **TASK_MORE}
)
# `pending` exists only inside a plan.
TASK_CARD = thing(TASK, {"status": one_of("in_progress", "complete", "error"), "block_id": IDENTIFIER, **TASK_MORE})
PLAN = thing({"title": string(3000), "tasks": array(PLANNED_TASK, 50)}, {"block_id": IDENTIFIER})


def _text_or_fields(value: Any, where: str, problems: list[str]) -> None:
    if isinstance(value, dict) and not value.get("text") and not value.get("fields"):
        problems.append(problem("must define either `text` or `fields`", where))


SECTION = both(
    thing(
        optional={
            "text": marked(3000),
            "fields": array(marked(2000), 10),
            "accessory": typed({"button": BUTTON}),
            "expand": boolean,
            "block_id": IDENTIFIER,
        }
    ),
    _text_or_fields,
)
INNER: dict[str, Rule] = {
    "section": SECTION,
    "header": thing({"text": plain(150)}, {"block_id": IDENTIFIER}),
    "context": thing({"elements": array(marked(3000), 10)}, {"block_id": IDENTIFIER}),
    "actions": thing({"elements": array(typed({"button": BUTTON}), 25)}, {"block_id": IDENTIFIER}),
    "divider": thing(optional={"block_id": IDENTIFIER}),
    "table": TABLE,
    "rich_text": RICH_TEXT,
}
CONTAINER = thing(
    {"title": plain(150), "child_blocks": array(typed(INNER), 10)},
    {"subtitle": plain(150), "is_collapsible": boolean, "default_collapsed": boolean, "block_id": IDENTIFIER},
)
BLOCK = typed({**INNER, "plan": PLAN, "task_card": TASK_CARD, "container": CONTAINER})


def as_blocks(value: Any) -> Blocks:
    """Blocks from a parameter: a list, or its JSON text as forms carry it. Raises SlackRefuses."""
    if value is None or value == "":
        return []
    try:
        blocks = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise SlackRefuses("invalid_blocks_format") from None
    if not isinstance(blocks, list):
        raise SlackRefuses("invalid_blocks_format")
    return blocks


def check(blocks: Blocks, limits: Limits) -> None:
    """Raises SlackRefuses, as Slack words it, unless a message may have these blocks."""
    found = problems(blocks, limits)
    if found:
        raise SlackRefuses(
            "invalid_blocks", errors=found, response_metadata={"messages": [f"[ERROR] {one}" for one in found]}
        )
    if limits.all_blocks and len(json.dumps(blocks, ensure_ascii=False, separators=(",", ":"))) > limits.all_blocks:
        raise SlackRefuses("msg_blocks_too_long")


def problems(blocks: Blocks, limits: Limits) -> list[str]:
    """Everything that Slack would name in `errors`."""
    found: list[str] = []
    array(BLOCK, limits.blocks, 0)(blocks, "/blocks", found)
    if found:
        return found
    ids: set[str] = set()
    for where, block in _all_blocks(blocks):
        block_id = block.get("block_id")
        if block_id in ids:
            found.append(problem(f'`block_id` "{block_id}" already exists', f"{where}/block_id"))
        ids |= {block_id} if block_id else set()
        found += _repeated_actions(block, where)
    characters = sum(_length(block["rows"]) for _, block in _all_blocks(blocks) if block["type"] == "table")
    if limits.all_tables and characters > limits.all_tables:
        found.append(problem(f"tables must have less than {limits.all_tables + 1} characters in total", "/blocks"))
    return found


def _all_blocks(blocks: Blocks) -> Iterator[tuple[str, dict[str, Any]]]:
    for index, block in enumerate(blocks):
        yield f"/blocks/{index}", block
        for place, child in enumerate(block.get("child_blocks", [])):
            yield f"/blocks/{index}/child_blocks/{place}", child


def _repeated_actions(block: dict[str, Any], where: str) -> list[str]:
    seen: set[str] = set()
    found = []
    elements = block.get("elements", []) if block["type"] == "actions" else []
    for index, element in enumerate(elements):
        action_id = element.get("action_id")
        if action_id in seen:
            found.append(problem(f'`action_id` "{action_id}" already exists', f"{where}/elements/{index}/action_id"))
        seen |= {action_id} if action_id else set()
    return found


def _length(value: Any) -> int:
    if isinstance(value, list):
        return sum(_length(item) for item in value)
    if isinstance(value, dict):
        own = len(value["text"]) if isinstance(value.get("text"), str) else 0
        return own + sum(_length(item) for item in value.values() if isinstance(item, list))
    return 0
