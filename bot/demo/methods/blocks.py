"""blocks.validate: would Slack take these blocks? Nothing is posted."""

from bot.demo import validate
from bot.demo.methods import Answer, Method, Params
from bot.demo.workspace import Workspace


def check(workspace: Workspace, params: Params) -> Answer:
    """blocks.validate with `blocks`."""
    validate.check(validate.as_blocks(params.get("blocks")), workspace.limits)
    return {}


METHODS = (Method("blocks.validate", check, tier="special"),)
