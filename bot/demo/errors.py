"""How the simulated Slack says no."""

from typing import Any


class SlackRefuses(Exception):
    """A Web API call ends with `ok: false`; `error` is Slack's id for the reason, `more` what else the answer holds."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.error = error
        self.more = more

    def shown(self) -> dict[str, Any]:
        """The answer's body."""
        return {"ok": False, "error": self.error, **self.more}
