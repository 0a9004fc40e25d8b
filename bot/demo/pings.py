"""Whom does a message alert, and where do its links lead? What Slack makes of `<!channel>` and the like.

Only mrkdwn is parsed, and rich text's own elements; plain text, table cells and preformatted text are not.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

BROADCASTS = ("channel", "here", "everyone")
TOKEN = re.compile(r"<([^<>]+)>")
BARE = re.compile(r"(?<![<|\w/])https?://[^\s<>|]+")
AT = re.compile(r"(?<![\w@])@(channel|here|everyone)\b")


class Ping(msgspec.Struct, frozen=True):
    """Somebody or something that a message points at.

    kind: channel, here, everyone, user, subteam or link. where: the JSON pointer of the text.
    """

    kind: str
    target: str
    where: str


def of_message(text: str, blocks: list[dict[str, Any]], *, link_names: bool = False) -> list[Ping]:
    """All pings of one message. `link_names` (or parse=full) makes a plain `@channel` alert as well."""
    found = list(_of_mrkdwn(text, "/text", link_names=link_names))
    for index, block in enumerate(blocks):
        found += _walk(block, f"/blocks/{index}")
    return found


def _of_mrkdwn(text: str, where: str, *, link_names: bool = False) -> Iterator[Ping]:
    for token in TOKEN.findall(text):
        target = token.split("|", 1)[0]
        if target.startswith("!subteam^"):
            yield Ping("subteam", target.removeprefix("!subteam^"), where)
        elif target.startswith("!") and target[1:] in BROADCASTS:
            yield Ping(target[1:], target, where)
        elif target.startswith("@"):
            yield Ping("user", target[1:], where)
        elif re.match(r"(https?://|mailto:|tel:)", target):
            yield Ping("link", target, where)
    for url in BARE.findall(text):
        yield Ping("link", url, where)
    if link_names:
        for name in AT.findall(text):
            yield Ping(name, f"@{name}", where)


def _walk(value: Any, where: str) -> Iterator[Ping]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, f"{where}/{index}")
    elif isinstance(value, dict):
        yield from _of_element(value, where)
        for key, item in value.items():
            yield from _walk(item, f"{where}/{key}")


def _of_element(element: dict[str, Any], where: str) -> Iterator[Ping]:
    kind = element.get("type")
    if kind in ("mrkdwn", "markdown") and isinstance(element.get("text"), str):
        yield from _of_mrkdwn(element["text"], f"{where}/text")
    elif kind == "broadcast":
        yield Ping(str(element.get("range")), str(element.get("range")), where)
    elif kind == "user" and "user_id" in element:
        yield Ping("user", str(element["user_id"]), where)
    elif kind == "usergroup":
        yield Ping("subteam", str(element.get("usergroup_id")), where)
    elif kind == "link":
        yield Ping("link", str(element.get("url")), where)
