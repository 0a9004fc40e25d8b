"""What will a plan's steps do, in words and to the letter? Said by the bot from the typed steps alone."""

import msgspec

from bot.cards import words
from workers.core.plan import Plan
from workers.core.steps import Step


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


def _delete_pod(step: Step) -> dict[str, str]:
    return {"name": f"{step.namespace}/{step.name}", "node": step.node, "owner": step.owner or "-"}
