"""What will a plan's steps do, in words and to the letter? Said by the bot from the typed steps alone."""

import msgspec

from bot.cards import words
from bot.cards.text import PREFORMATTED, clean
from workers.core.plan import Plan
from workers.core.steps import Step

LINE = 400  # characters of one step
MOST = 12  # steps


def headline(plan: Plan, language: str) -> str:
    """The plan in one sentence part: its first step, and how many follow."""
    said = words.say(language, "step.delete-pod", **_delete_pod(plan.steps[0])) if plan.steps else "-"
    return said if len(plan.steps) <= 1 else f"{said} (+{len(plan.steps) - 1})"


def exactly(plan: Plan) -> list[str]:
    """Every step with all that is granted: kind and fields, as they are hashed."""
    lines = []
    for step in plan.steps:
        fields = msgspec.to_builtins(step)
        kind = fields.pop("step")
        lines.append(" ".join([str(kind), *(f"{name}={value}" for name, value in fields.items() if value != "")]))
    return lines


def fits(plan: Plan | None) -> bool:
    """Can a card show every step to the letter? Also what is invisible counts as not shown."""
    lines = exactly(plan) if plan else []
    to_the_letter = all(clean(line, LINE) == line for line in lines)
    return 0 < len(lines) <= MOST and to_the_letter and len("\n".join(lines)) <= PREFORMATTED


def _delete_pod(step: Step) -> dict[str, str]:
    return {"name": f"{step.namespace}/{step.name}", "node": step.node, "owner": step.owner or "-"}
