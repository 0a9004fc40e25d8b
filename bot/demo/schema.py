"""Does a JSON value have the shape that Slack documents? Small rules, put together, that name what is wrong where.

A rule takes the value, its JSON pointer and the list of problems; the wording of a problem follows Slack's own.
"""

from collections.abc import Callable
from typing import Any

Rule = Callable[[Any, str, list[str]], None]


def problem(message: str, where: str) -> str:
    """A problem as Slack words it in `errors`."""
    return f"{message} [json-pointer:{where}]"


def string(longest: int, shortest: int = 1) -> Rule:
    """Text of `shortest` to `longest` characters."""

    def rule(value: Any, where: str, problems: list[str]) -> None:
        if not isinstance(value, str):
            problems.append(problem("must provide a string", where))
        elif len(value) > longest:
            problems.append(problem(f"must be less than {longest + 1} characters", where))
        elif len(value) < shortest:
            problems.append(problem(f"must be more than {shortest - 1} characters", where))

    return rule


def one_of(*allowed: Any) -> Rule:
    """Exactly one of these values."""

    def rule(value: Any, where: str, problems: list[str]) -> None:
        if not any(value is choice or (type(value) is type(choice) and value == choice) for choice in allowed):
            choices = ", ".join(str(choice) for choice in allowed)
            problems.append(problem(f"must be one of the allowed values: {choices}", where))

    return rule


def number(value: Any, where: str, problems: list[str]) -> None:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        problems.append(problem("must provide a number", where))


boolean = one_of(True, False)


def array(item: Rule, most: int, least: int = 1) -> Rule:
    """A list of `least` to `most` things."""

    def rule(value: Any, where: str, problems: list[str]) -> None:
        if not isinstance(value, list):
            problems.append(problem("must provide an array", where))
            return
        if len(value) > most:
            problems.append(problem(f"no more than {most} items allowed", where))
        if len(value) < least:
            problems.append(problem(f"no fewer than {least} items allowed", where))
        for index, one in enumerate(value[:most]):
            item(one, f"{where}/{index}", problems)

    return rule


def thing(required: dict[str, Rule] | None = None, optional: dict[str, Rule] | None = None) -> Rule:
    """An object with these fields and no others; `type` is looked at by `typed`."""
    needed, known = required or {}, {**(required or {}), **(optional or {})}

    def rule(value: Any, where: str, problems: list[str]) -> None:
        if not isinstance(value, dict):
            problems.append(problem("must provide an object", where))
            return
        problems.extend(problem(f"missing required field: {name}", where) for name in needed if value.get(name) is None)
        for name, inner in value.items():
            if name in known and inner is not None:
                known[name](inner, f"{where}/{name}", problems)
            elif name not in known and name != "type":
                problems.append(problem(f"invalid additional property: {name}", f"{where}/{name}"))

    return rule


def typed(kinds: dict[str, Rule]) -> Rule:
    """An object whose `type` says which rule it has to follow."""

    def rule(value: Any, where: str, problems: list[str]) -> None:
        if not isinstance(value, dict):
            problems.append(problem("must provide an object", where))
        elif "type" not in value:
            problems.append(problem("missing required field: type", where))
        elif value["type"] not in kinds:
            problems.append(problem(f"unsupported type: {value['type']}", f"{where}/type"))
        else:
            kinds[value["type"]](value, where, problems)

    return rule


def both(*rules: Rule) -> Rule:
    """All of these rules."""

    def rule(value: Any, where: str, problems: list[str]) -> None:
        for one in rules:
            one(value, where, problems)

    return rule
