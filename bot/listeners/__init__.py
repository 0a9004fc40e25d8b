"""Slack's surfaces, one a file: acknowledge at once, say what came in our words, hand it to the desk."""

from collections.abc import Awaitable, Callable

Listener = Callable[..., Awaitable[None]]  # called by Bolt with those of its arguments that it names
