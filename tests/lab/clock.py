"""Times as Kubernetes writes them."""

import datetime as dt


def now() -> dt.datetime:
    """Now, in UTC."""
    return dt.datetime.now(tz=dt.UTC)


def stamp() -> str:
    """Now, as an object has it: seconds."""
    return now().strftime("%Y-%m-%dT%H:%M:%SZ")


def fine_stamp() -> str:
    """Now, as a line of a log has it: nanoseconds, of which the last three are always 0 here."""
    return now().strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def parse(text: str) -> dt.datetime:
    """The time that such a text, of any precision, stands for. Raises ValueError."""
    whole, _, part = text.removesuffix("Z").partition(".")
    return dt.datetime.fromisoformat(f"{whole}.{part[:6].ljust(6, '0')}+00:00")
