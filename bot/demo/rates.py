"""How often may a method be called? Slack's tiers: per method, per app, per workspace.

The buckets are as documented (tier 1: 1 a minute, 2: 20, 3: 50, 4: 100, bursts tolerated; chat.postMessage 1 a second
and channel); their exact burst sizes are Slack's secret, and a minute's worth is assumed.
"""

import math
from collections.abc import Callable
from typing import Literal

Tier = Literal["1", "2", "3", "4", "special"]
PER_MINUTE: dict[Tier, int] = {"1": 1, "2": 20, "3": 50, "4": 100, "special": 300}
POST_BURST = 4  # chat.postMessage: one a second and channel, "short bursts" more


class Bucket:
    """A token bucket: `size` at once, `per_second` back."""

    def __init__(self, size: float, per_second: float, now: float) -> None:
        self.size = size
        self.per_second = per_second
        self.left = size
        self.at = now

    def take(self, now: float) -> float:
        """Zero when there was a token, else the seconds until there is one."""
        self.left = min(self.size, self.left + (now - self.at) * self.per_second)
        self.at = now
        if self.left >= 1:
            self.left -= 1
            return 0.0
        return (1 - self.left) / self.per_second


class Rates:
    """All buckets of one app in one workspace. Off unless `on`."""

    def __init__(self, clock: Callable[[], float], *, on: bool = False) -> None:
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}
        self.on = on

    def wait(self, method: str, tier: Tier, channel: str = "") -> int:
        """Zero when the call may be made, else Retry-After in whole seconds."""
        if not self.on:
            return 0
        wanted = [(method, PER_MINUTE[tier], PER_MINUTE[tier] / 60)]
        if method == "chat.postMessage":
            wanted.append((f"{method} {channel}", POST_BURST, 1.0))
        now = self._clock()
        seconds = max(self._bucket(name, size, per_second, now).take(now) for name, size, per_second in wanted)
        return math.ceil(seconds)

    def _bucket(self, name: str, size: float, per_second: float, now: float) -> Bucket:
        return self._buckets.setdefault(name, Bucket(size, per_second, now))
