"""Which Web API methods does the simulated workspace know? Every file of this folder that ends with `METHODS`.

A method takes the workspace and the call's parameters and returns what the answer holds besides `ok`; it raises
SlackRefuses. Only what netdiag uses is here.
"""

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from bot.demo.rates import Tier

if TYPE_CHECKING:
    from bot.demo.workspace import Workspace

Params = dict[str, Any]
Answer = dict[str, Any]


class Method(msgspec.Struct, frozen=True):
    """One Web API method. `scope`: what the token needs, empty for none. `token`: which kind of token opens it."""

    name: str
    handle: "Callable[[Workspace, Params], Answer]"
    tier: Tier
    scope: str = ""
    token: Literal["bot", "app"] = "bot"  # noqa: S105 - a kind, not a token


@cache
def load() -> dict[str, Method]:
    """All methods by name."""
    found: dict[str, Method] = {}
    for module in pkgutil.iter_modules(__path__):
        methods: tuple[Method, ...] = importlib.import_module(f"{__name__}.{module.name}").METHODS
        found |= {method.name: method for method in methods}
    return found
