"""Does the simulated workspace refuse what Slack's documented rules refuse, and take what they allow?"""

import json
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.demo.errors import SlackRefuses
from bot.demo.validate import Limits, as_blocks, check, problems
from bot.demo.workspace import Workspace


def plain(text: str) -> dict[str, Any]:
    """Plain text."""
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> dict[str, Any]:
    """Marked text."""
    return {"type": "mrkdwn", "text": text}


def button(action_id: str = "go", **more: Any) -> dict[str, Any]:
    """A button."""
    return {"type": "button", "action_id": action_id, "text": plain("Go"), **more}


def section(text: str = "x", **more: Any) -> dict[str, Any]:
    """A section."""
    return {"type": "section", "text": mrkdwn(text), **more}


def actions(*elements: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A row of buttons."""
    return {"type": "actions", "elements": list(elements), **more}


def raw(text: str) -> dict[str, Any]:
    """A table cell."""
    return {"type": "raw_text", "text": text}


def table(*rows: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A table."""
    return {"type": "table", "rows": list(rows), **more}


def rich(*elements: dict[str, Any], kind: str = "rich_text_section") -> dict[str, Any]:
    """Rich text of one part."""
    return {"type": "rich_text", "elements": [{"type": kind, "elements": list(elements)}]}


def task(status: str = "complete", **more: Any) -> dict[str, Any]:
    """A task of a plan."""
    return {"task_id": "t", "title": "Look", "status": status, **more}


CONFIRM = {"title": plain("Sure?"), "text": mrkdwn("really"), "confirm": plain("Yes"), "deny": plain("No")}
TEXT = {"type": "text", "text": "x"}

BAD: dict[str, tuple[list[Any], str, str]] = {
    "section text too long": ([section("x" * 3001)], "must be less than 3001 characters", "/blocks/0/text/text"),
    "section text empty": ([section("")], "must be more than 0 characters", "/blocks/0/text/text"),
    "section without text": ([{"type": "section"}], "must define either `text` or `fields`", "/blocks/0"),
    "eleven fields": (
        [{"type": "section", "fields": [mrkdwn("x")] * 11}],
        "no more than 10 items allowed",
        "/blocks/0/fields",
    ),
    "field too long": (
        [{"type": "section", "fields": [mrkdwn("x" * 2001)]}],
        "must be less than 2001 characters",
        "/blocks/0/fields/0/text",
    ),
    "text as a bare string": ([{"type": "section", "text": "x"}], "must provide an object", "/blocks/0/text"),
    "unknown text kind": (
        [{"type": "section", "text": {"type": "html", "text": "x"}}],
        "unsupported type: html",
        "/blocks/0/text/type",
    ),
    "header in mrkdwn": ([{"type": "header", "text": mrkdwn("x")}], "unsupported type: mrkdwn", "/blocks/0/text/type"),
    "header too long": (
        [{"type": "header", "text": plain("x" * 151)}],
        "must be less than 151 characters",
        "/blocks/0/text/text",
    ),
    "emoji flag in mrkdwn": (
        [{"type": "section", "text": {**mrkdwn("x"), "emoji": True}}],
        "invalid additional property: emoji",
        "/blocks/0/text/emoji",
    ),
    "eleven context elements": (
        [{"type": "context", "elements": [mrkdwn("x")] * 11}],
        "no more than 10 items allowed",
        "/blocks/0/elements",
    ),
    "empty context": ([{"type": "context", "elements": []}], "no fewer than 1 items allowed", "/blocks/0/elements"),
    "26 buttons": (
        [actions(*(button(f"a{n}") for n in range(26)))],
        "no more than 25 items allowed",
        "/blocks/0/elements",
    ),
    "same action id twice": (
        [actions(button("a"), button("a"))],
        '`action_id` "a" already exists',
        "/blocks/0/elements/1/action_id",
    ),
    "same block id twice": (
        [section(block_id="b"), section(block_id="b")],
        '`block_id` "b" already exists',
        "/blocks/1/block_id",
    ),
    "block id too long": ([section(block_id="b" * 256)], "must be less than 256 characters", "/blocks/0/block_id"),
    "button text too long": (
        [actions({**button(), "text": plain("x" * 76)})],
        "must be less than 76 characters",
        "/blocks/0/elements/0/text/text",
    ),
    "button text in mrkdwn": (
        [actions({**button(), "text": mrkdwn("x")})],
        "unsupported type: mrkdwn",
        "/blocks/0/elements/0/text/type",
    ),
    "button value too long": (
        [actions(button(value="x" * 2001))],
        "must be less than 2001 characters",
        "/blocks/0/elements/0/value",
    ),
    "unknown button style": (
        [actions(button(style="warning"))],
        "must be one of the allowed values: primary, danger",
        "/blocks/0/elements/0/style",
    ),
    "confirm without deny": (
        [actions(button(confirm={k: v for k, v in CONFIRM.items() if k != "deny"}))],
        "missing required field: deny",
        "/blocks/0/elements/0/confirm",
    ),
    "confirm text too long": (
        [actions(button(confirm={**CONFIRM, "text": mrkdwn("x" * 301)}))],
        "must be less than 301 characters",
        "/blocks/0/elements/0/confirm/text/text",
    ),
    "51 blocks": ([{"type": "divider"}] * 51, "no more than 50 items allowed", "/blocks"),
    "no such block": ([{"type": "poem"}], "unsupported type: poem", "/blocks/0/type"),
    "block without type": ([{"text": mrkdwn("x")}], "missing required field: type", "/blocks/0"),
    "empty table cell": (
        [table([raw("a"), raw("")])],
        "must be more than 0 characters",
        "/blocks/0/rows/0/1/text",
    ),
    "101 table rows": ([table(*[[raw("a")]] * 101)], "no more than 100 items allowed", "/blocks/0/rows"),
    "21 table cells": ([table([raw("a")] * 21)], "no more than 20 items allowed", "/blocks/0/rows/0"),
    "tables too large together": (
        [table([raw("x" * 5000)]), table([raw("x" * 5001)])],
        "tables must have less than 10001 characters in total",
        "/blocks",
    ),
    "plan title as object": (
        [{"type": "plan", "title": plain("x"), "tasks": [task()]}],
        "must provide a string",
        "/blocks/0/title",
    ),
    "unknown task status": (
        [{"type": "plan", "title": "x", "tasks": [task("done")]}],
        "must be one of the allowed values: pending, in_progress, complete, error",
        "/blocks/0/tasks/0/status",
    ),
    "pending outside a plan": (
        [{"type": "task_card", **task("pending")}],
        "must be one of the allowed values: in_progress, complete, error",
        "/blocks/0/status",
    ),
    "empty rich text": (
        [rich({"type": "text", "text": ""})],
        "must be more than 0",
        "/blocks/0/elements/0/elements/0/text",
    ),
    "unknown rich text": ([rich({"type": "video"})], "unsupported type: video", "/blocks/0/elements/0/elements/0/type"),
    "eleven children": (
        [{"type": "container", "title": plain("x"), "child_blocks": [{"type": "divider"}] * 11}],
        "no more than 10 items allowed",
        "/blocks/0/child_blocks",
    ),
    "a container in a container": (
        [
            {
                "type": "container",
                "title": plain("x"),
                "child_blocks": [{"type": "container", "title": plain("y"), "child_blocks": [section()]}],
            }
        ],
        "unsupported type: container",
        "/blocks/0/child_blocks/0/type",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_payload_is_refused_where_it_is_bad(name: str) -> None:
    """Each documented rule has a payload that breaks it, and the JSON pointer leads to the place."""
    blocks, message, pointer = BAD[name]
    found = problems(blocks, Limits())
    assert any(one.startswith(message) and one.endswith(f"[json-pointer:{pointer}]") for one in found), found


GOOD: dict[str, list[Any]] = {
    "largest section": [section("x" * 3000)],
    "fifty blocks": [{"type": "divider"}] * 50,
    "25 buttons with the longest value": [actions(*(button(f"a{n}", value="x" * 2) for n in range(25)))],
    "same action id in two blocks": [actions(button("a")), actions(button("a"))],
    "button with everything": [
        actions(button(value="v" * 2000, style="danger", confirm={**CONFIRM, "style": "danger"}))
    ],
    "accessory": [section(accessory=button())],
    "table": [table([raw("a"), rich(TEXT)], column_settings=[{"align": "right"}, {"is_wrapped": True}])],
    "rich text": [rich({**TEXT, "style": {"bold": True}}, {"type": "link", "url": "https://a.example"})],
    "preformatted": [rich(TEXT, kind="rich_text_preformatted")],
    "plan": [{"type": "plan", "title": "x", "tasks": [task("pending"), task("error", details=rich(TEXT))]}],
    "container": [
        {
            "type": "container",
            "title": plain("Evidence"),
            "is_collapsible": True,
            "default_collapsed": True,
            "child_blocks": [table([raw("a")]), section()],
        }
    ],
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_payload_is_taken(name: str) -> None:
    """What the rules allow, up to the limit itself, is taken."""
    assert problems(GOOD[name], Limits()) == []


def test_the_limit_on_all_blocks_is_a_setting() -> None:
    """13,200 characters of blocks by default, another number by setting, zero for none."""
    blocks = [section("x" * 2900) for _ in range(5)]
    with pytest.raises(SlackRefuses, match="msg_blocks_too_long"):
        check(blocks, Limits())
    check(blocks, Limits(all_blocks=20_000))
    check(blocks, Limits(all_blocks=0))


def test_blocks_may_be_json_text_and_nothing_else() -> None:
    """Forms carry blocks as text; what is no list of blocks is refused."""
    assert as_blocks('[{"type":"divider"}]') == [{"type": "divider"}]
    assert as_blocks(None) == as_blocks("") == []
    for wrong in ("[", "{}", '"x"', 7):
        with pytest.raises(SlackRefuses, match="invalid_blocks_format"):
            as_blocks(wrong)


async def test_one_bad_block_loses_the_whole_message(workspace: Workspace, client: AsyncWebClient) -> None:
    """The answer has Slack's shape, and nothing was posted."""
    with pytest.raises(SlackApiError) as refused:
        await client.chat_postMessage(channel="C1INC", text="t", blocks=[section(), section("x" * 3001)])
    answer = refused.value.response.data
    assert answer["error"] == "invalid_blocks"
    assert answer["errors"] == ["must be less than 3001 characters [json-pointer:/blocks/1/text/text]"]
    assert answer["response_metadata"]["messages"][0].startswith("[ERROR] must be")
    assert workspace.messages("C1INC") == []


async def test_blocks_can_be_validated_without_posting(workspace: Workspace, client: AsyncWebClient) -> None:
    """blocks.validate says the same and posts nothing."""
    assert (await client.blocks_validate(blocks=[section()]))["ok"]
    with pytest.raises(SlackApiError):
        await client.blocks_validate(blocks=json.dumps([section("")]))
    assert workspace.messages("C1INC") == []
