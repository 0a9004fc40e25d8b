"""How a boot's text is read: what was run, what it said, what was expected of it and whether that held."""

import re
from dataclasses import dataclass

BEGIN, END = "@@ begin", "@@ end"


@dataclass(frozen=True)
class Recording:
    """`facts` from the head (kernel, tools, date), each command with its output, each claim with whether it held."""

    facts: dict[str, str]
    outputs: tuple[tuple[str, str], ...]
    claims: dict[str, bool]

    def every(self, command: str) -> list[str]:
        """What each run of a command said, in order; `command` is the beginning of its line."""
        return [output for line, output in self.outputs if line.startswith(command)]


def ended(text: str) -> bool:
    """Did the scenario come to its end, well or badly?"""
    return f"\n{END}" in text


def body(text: str) -> str:
    """What stands between the markers."""
    return text.partition(BEGIN)[2].partition("\n")[2].partition(END)[0]


def failures(text: str) -> list[str]:
    """Claims that did not hold; a scenario that stopped early, or claims nothing, has failed too."""
    claims = parse(body(text)).claims
    wrong = [claim for claim, held in claims.items() if not held]
    if not text.rstrip().endswith(f"{END} 0"):
        wrong.append("the scenario's script went to its end")
    return wrong if claims else [*wrong, "the scenario claims something"]


def parse(text: str) -> Recording:
    """A recording from its text, with or without the head."""
    facts, claims = {}, {}
    outputs: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if fact := re.fullmatch(r"# ([\w ]+): (.*)", line):
            facts[fact[1]] = fact[2]
        elif claim := re.fullmatch(r"(not )?ok - (.*)", line):
            claims[claim[2]] = not claim[1]
        elif line.startswith("$ "):
            outputs.append((line[2:], []))
        elif outputs and not line.startswith("## "):
            outputs[-1][1].append(line)
    return Recording(facts, tuple((command, "\n".join(lines)) for command, lines in outputs), claims)
