"""How fast may we speak to Slack? A bucket of tokens that fills steadily, so that the first calls go at once.

chat.update is Tier 3 (50 a minute and more, for the whole workspace), chat.postMessage one a second and channel, with
short bursts (slack.md section 1, "Rate tiers").
"""


class Bucket:
    """`rate` tokens a second, at most `burst` at once. Times are of any steady clock, in seconds."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at = 0.0
        self._shut = 0.0

    def take(self, now: float) -> float:
        """Take a token: 0 when there was one, else the seconds until there will be."""
        if now < self._shut:
            return self._shut - now
        self._tokens = min(self._burst, self._tokens + max(now - self._at, 0.0) * self._rate)
        self._at = max(now, self._at)
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self._rate

    def shut(self, now: float, seconds: float) -> None:
        """Slack said 429: give nothing for so long, and no burst right after."""
        self._shut = max(self._shut, now + seconds)
        self._tokens = 0.0
        self._at = max(self._at, self._shut)
