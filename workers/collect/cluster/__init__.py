"""Which query is read from the API server, and by which function? Each area's file declares its own in `READS`."""

import functools
import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from workers.collect.cluster.api import Api
from workers.core.errors import BadDeclaration
from workers.core.query import Query

Read = Callable[[Any, Api], Awaitable[Any]]
"""Answers one query with a value of its `answer`; raises Unanswered."""


@functools.cache
def reads() -> Mapping[type[Query[Any]], Read]:
    """Every area's reads together. Raises BadDeclaration when two files answer the same query."""
    found: dict[type[Query[Any]], Read] = {}
    for module in pkgutil.iter_modules(__path__):
        declared = getattr(importlib.import_module(f"{__name__}.{module.name}"), "READS", {})
        for query, read in declared.items():
            if query in found:
                raise BadDeclaration(f"workers/collect/cluster/{module.name}.py answers {query.__name__} once more")
            found[query] = read
    return found
