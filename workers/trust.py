"""Did the bot send exactly this message, to this cluster, not long ago? Asked before Celery unpacks anything.

Whoever can write to Redis can put any message there. So a message is believed only with a token of the bot over its
name, id, cluster and arguments; and everything of Celery's protocol that could run, delay or drop something besides (a
chain, a chord, callbacks, a countdown, an expiry, a time limit) must be absent, since no token covers it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from celery.exceptions import InvalidTaskError
from celery.worker.strategy import default

from workers.core.errors import NotTrusted
from workers.core.sending import HEADER, args_digest
from workers.core.tokens import Keyring

EMBED = frozenset({"callbacks", "errbacks", "chain", "chord"})
UNUSED = ("eta", "expires", "shadow", "group", "stamps", "stamped_headers", "compression")
BODY_PARTS = 3  # protocol 2: args, kwargs, embed


class Trust:
    """What one worker believes: tasks for its cluster, signed by a key of the bot."""

    def __init__(self, *, cluster: str, bot_keys: Keyring, now: Callable[[], float]) -> None:
        self._cluster = cluster
        self._keys = bot_keys
        self._now = now

    def __call__(self, task: Any, app: Any, consumer: Any) -> Callable[..., Any]:
        """Celery's strategy for one task: what the consumer does with each of its messages. A message that is not
        believed is logged by Celery and discarded.
        """
        handle = default(task, app, consumer)

        def believe_then_handle(message: Any, body: Any, *rest: Any) -> Any:
            try:
                self.check(task.name, message.headers or {}, message.payload)
            except NotTrusted as error:
                raise InvalidTaskError(f"refused: {error}") from error
            return handle(message, body, *rest)

        return believe_then_handle

    def check(self, name: str, headers: Mapping[str, Any], payload: Any) -> None:
        """Raises NotTrusted with what is wrong. name: of the task that would run."""
        claims = self._keys.claims("task", _text(headers.get(HEADER)), now=self._now())
        if not isinstance(payload, list | tuple) or len(payload) != BODY_PARTS:
            raise NotTrusted("its body is not that of a Celery task of protocol 2")
        args, kwargs, embed = payload
        if not isinstance(args, list) or len(args) != 1 or not isinstance(args[0], str) or kwargs != {}:
            raise NotTrusted("its arguments are not one text")
        _check_nothing_beside(headers, embed)
        said = {"name": name, "id": headers.get("id"), "cluster": self._cluster, "digest": args_digest(args[0])}
        wrong = [key for key, value in said.items() if claims.get(key) != value]
        if wrong or headers.get("task") != name:
            raise NotTrusted(f"its token is for another {' and '.join(wrong) or 'name'}")


def _check_nothing_beside(headers: Mapping[str, Any], embed: Any) -> None:
    if not isinstance(embed, dict) or not set(embed) <= EMBED or any(embed.values()):
        raise NotTrusted("it carries callbacks, a chain or a chord")
    used = [name for name in UNUSED if headers.get(name)]
    if used:
        raise NotTrusted(f"it carries {' and '.join(used)}")
    if any(headers.get("timelimit") or ()):
        raise NotTrusted("it carries a time limit")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise NotTrusted("it carries no token")
    return value
