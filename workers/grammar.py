"""What was typed, as a Request; or how to type it right.

One grammar for Slack and the terminal. Pure: it knows no cluster, so `checkout` has no namespace yet.
"""

import difflib
import re
import shlex
from collections.abc import Sequence
from typing import Literal

import msgspec

from workers.core.errors import TypedWrongly
from workers.core.target import Kind, Request, Target


class Command(msgspec.Struct, frozen=True):
    """One thing that can be typed. `check` commands need a target of one of `kinds`; `about` ones tell of netdiag."""

    name: str
    kind: Literal["check", "about"]
    help: dict[str, str]
    example: str
    kinds: tuple[Kind, ...] = ()


COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        Command(
            name="svc",
            kind="check",
            kinds=("svc",),
            help={
                "en": "Does every node lead this Service's traffic to its endpoints?",
                "zh": "每个节点是否都把该 Service 的流量转发到它的端点？",
            },
            example="svc shop/checkout",
        ),
        Command(
            name="help",
            kind="about",
            help={
                "en": "What you may run, with an example each.",
                "zh": "你可以运行的命令，各附一个示例。",
            },
            example="help",
        ),
        Command(
            name="audit",
            kind="about",
            help={
                "en": "Who asked, who agreed, what was done and whether it helped.",
                "zh": "谁提出、谁批准、做了什么、是否有效。",
            },
            example="audit",
        ),
    )
}
KIND_WORDS: dict[str, Kind] = {
    "svc": "svc",
    "service": "svc",
    "services": "svc",
    "pod": "pod",
    "pods": "pod",
    "po": "pod",
    "node": "node",
    "nodes": "node",
    "no": "node",
}
NAMES: dict[Kind, str] = {"svc": "Service", "pod": "pod", "node": "node"}
OPTIONS = {"-n": "namespace", "--namespace": "namespace", "-c": "cluster", "--cluster": "cluster"}
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
SERVICE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # also of a namespace: an RFC 1123 label
PORT = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LINK = re.compile(r"<([^<>|]*)(?:\|([^<>]*))?>")
PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02", '"'),
        **dict.fromkeys("\u2018\u2019\u201a\u201b\uff07", "'"),
        **dict.fromkeys("\u00a0\u1680\u2007\u202f\u3000\r\n\t", " "),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad`", None),
        "\uff1a": ":",
        "\uff0f": "/",
    }
)
DASH = re.compile(r"(?<!\S)[\u2012\u2013\u2014\u2015\u2212](?=\w)(\w?)(\w?)")


def unslack(text: str) -> str:
    """The text as it was meant: Slack's links, mentions and escapes undone, and what phones make of quotes and
    dashes. The only place that does this.
    """
    text = LINK.sub(_link, text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return " ".join(DASH.sub(_dash, text.translate(PLAIN)).split(" ")).strip()


def _link(match: re.Match[str]) -> str:
    where, label = match.group(1), match.group(2)
    if where.startswith("@"):  # a mention of netdiag itself, or of a person: no part of what is asked
        return " "
    if where.startswith("#"):
        return f"#{label or where[1:]}"
    return label or re.sub(r"^(?:https?://|mailto:)", "", where).rstrip("/")


def _dash(match: re.Match[str]) -> str:
    """A phone writes one long dash where `--` was typed, and a middle one for `-`."""
    letters = match.group(1) + match.group(2)
    return ("--" if len(letters) > 1 else "-") + letters


def parse(text: str) -> Request:
    """What `text` asks for. Raises TypedWrongly, whose message says what to type."""
    words = _words(unslack(text))
    if not words:
        return Request(command="help")
    command = _command(words[0], words[1:])
    rest, options = _options(words[1:])
    if command.kind == "about":
        return Request(command=command.name, target=None, words=tuple(rest))
    return Request(command=command.name, target=_target(command, rest, options))


def _words(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise TypedWrongly("A quotation mark is not closed. No quotation marks are needed.") from error
    if words and words[0].lower() in {"netdiag", "/netdiag"}:
        words = words[1:]
    return words


def _command(word: str, rest: Sequence[str]) -> Command:
    name = word.lower()
    if name in COMMANDS:
        return COMMANDS[name]
    kind, _, _ = name.partition("/")
    if "/" in name and KIND_WORDS.get(kind) == "svc":
        raise TypedWrongly(f'The command comes first: "svc {name}".')
    alias = KIND_WORDS.get(name)
    close = [alias] if alias in COMMANDS else difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
    meant = ""
    if close and close[0]:
        meant = f' Did you mean "{shown(" ".join([close[0], *rest])) if rest else COMMANDS[close[0]].example}"?'
    elif not rest and NAME.fullmatch(name.rpartition("/")[2]):
        meant = f' To look at a Service: "svc {shown(name)}".'
    raise TypedWrongly(f'There is no command "{shown(word)}".{meant} "help" lists what can be typed.')


def _options(words: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The words that are no options, and the options by their long name."""
    rest: list[str] = []
    options: dict[str, str] = {}
    pending = list(words)
    while pending:
        word = pending.pop(0)
        if not word.startswith("-") or word == "->":
            rest.append(word)
            continue
        flag, equals, value = word.partition("=")
        option = OPTIONS.get(flag.lower())
        if option is None:
            close = difflib.get_close_matches(flag, OPTIONS, n=1)
            meant = f" Did you mean {close[0]}?" if close else " There are -n NAMESPACE and --cluster NAME."
            raise TypedWrongly(f'There is no option "{shown(flag)}".{meant}')
        if not equals:
            value = pending.pop(0) if pending and not pending[0].startswith("-") else ""
        if not value:
            raise TypedWrongly(f"{flag} needs a value, such as {flag} shop.")
        options[option] = value
    return rest, options


def _target(command: Command, words: list[str], options: dict[str, str]) -> Target:
    if not words:
        raise TypedWrongly(f'"{command.name}" needs a name: "{command.example}".')
    if len(words) == 2 and words[0].lower() in KIND_WORDS:  # noqa: PLR2004 - as kubectl takes it: svc checkout
        words = [f"{words[0]}/{words[1]}"]
    if len(words) > 1:
        raise TypedWrongly(f'"{command.name}" takes one name, and there are {len(words)}: "{command.example}".')
    path, colon, port = words[0].lower().partition(":")
    parts = path.split("/")
    kind = command.kinds[0]
    if len(parts) > 1 and parts[0] in KIND_WORDS:
        kind = KIND_WORDS[parts.pop(0)]
    if kind not in command.kinds:
        wanted = " or ".join(NAMES[one] for one in command.kinds)
        raise TypedWrongly(f'"{command.name}" looks at a {wanted}, not at a {NAMES[kind]}: "{command.example}".')
    if len(parts) > 2:  # noqa: PLR2004 - namespace and name
        raise TypedWrongly(f'"{shown(path)}" has too many parts: type namespace/name, as in "{command.example}".')
    namespace = options.get("namespace", parts[0] if len(parts) > 1 else "").lower()
    _check_names(parts[-1], namespace, command)
    if colon and not _is_port(port):
        raise TypedWrongly(f'"{shown(port)}" is no port: type its number or its name, as in "{command.example}:80".')
    cluster = options.get("cluster", "").lower()
    if cluster and not NAME.fullmatch(cluster):
        raise TypedWrongly(f'"{shown(cluster)}" cannot be the name of a cluster.')
    return Target(cluster=cluster, kind=kind, name=parts[-1], namespace=namespace, port=port)


def _check_names(name: str, namespace: str, command: Command) -> None:
    if namespace and not SERVICE.fullmatch(namespace):
        raise TypedWrongly(f'"{shown(namespace)}" cannot be the name of a namespace.')
    if SERVICE.fullmatch(name):
        return
    labels = name.split(".")
    if len(labels) > 1 and all(SERVICE.fullmatch(label) for label in labels[:2]):
        raise TypedWrongly(f'A Service\'s name has no dots: type "{command.name} {labels[1]}/{labels[0]}".')
    raise TypedWrongly(f'"{shown(name)}" cannot be a name: type letters, digits and dashes, as in "{command.example}".')


def _is_port(text: str) -> bool:
    if text.isascii() and text.isdigit():
        return 0 < int(text) <= 65535  # noqa: PLR2004 - the last port
    return bool(PORT.fullmatch(text))


def shown(text: str) -> str:
    """What a person typed, fit to be shown in a sentence: short, on one line (escaping is the surface's work)."""
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - a line's worth
