"""Would Go take this expression or this template? Refused where it is certain, doubted where it is not."""

import re

from workers.analysis.corefile import go_regexp
from workers.analysis.corefile.setup import Setup

# `{{ .Name }}`, `{{ .Group.a }}`, `{{ index .Match 1 }}`: what the template plugin's own examples use.
_CERTAIN = re.compile(
    r"\{\{(?:-\s)?\s*(?:\.[A-Z]\w*(?:\.\w+)*|index \.[A-Z]\w* [0-9]+|parseInt \.[A-Z]\w*(?:\.\w+)* [0-9]+ [0-9]+)"
    r"\s*(?:\s-)?\}\}",
    re.ASCII,
)

_CALLED = re.compile(r"\{\{(?:- )?\s*([a-z]\w*)", re.ASCII)
# Those of text/template, its keywords, and the one that CoreDNS adds.
FUNCTIONS = frozenset(
    {"and", "call", "html", "index", "slice", "js", "len", "not", "or", "print", "printf", "println", "urlquery"}
    | {"eq", "ge", "gt", "le", "lt", "ne", "if", "else", "end", "range", "with", "define", "template", "block"}
    | {"break", "continue", "nil", "true", "false", "parseInt"}
)


def expression(setup: Setup, text: str) -> int | None:
    """The number of groups of a regular expression; None where it is not certain. Raises Refused."""
    try:
        found = go_regexp.compiled(text)
    except go_regexp.Wrong as error:
        setup.refuse(f"`{text[:60]}` is no regular expression for Go: {error}")
    if found is None:
        setup.unsure(f"whether Go takes the regular expression `{text[:60]}` is not judged")
        return None
    return found.groups


def template(setup: Setup, text: str) -> None:
    """A Go template. Raises Refused where an action is not closed."""
    rest = _CERTAIN.sub(" ", text)
    if "{{" not in rest:
        return
    called = _CALLED.search(rest)
    if called and called.start() == rest.index("{{") and called[1] not in FUNCTIONS:
        setup.refuse(f"`{text[:60]}` is no Go template: there is no function {called[1]}")
    if "}}" not in rest[rest.rindex("{{") :]:
        setup.refuse(f"`{text[:60]}` is no Go template: a `{{{{` is not closed")
    setup.unsure(f"whether Go takes the template `{text[:60]}` is not judged")
