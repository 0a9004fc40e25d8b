"""Which ConfigMaps and Secrets of a node's pods have changed? One watch each, while some pod uses it.

A node may watch an object by its name only, and only while a pod of its refers to it: the Node authorizer says so.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import aiohttp

from tests.lab.api import Api, ApiError


class Changes:
    """The watches of one node. A path is the API's, such as `/api/v1/namespaces/shop/configmaps/checkout`."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @contextmanager
    def followed(self, paths: Iterable[str]) -> Iterator[asyncio.Event]:
        """An event that is set when one of the objects is first read, and whenever it may be another."""
        wanted, event = set(paths), asyncio.Event()
        for path in wanted:
            self._waiting.setdefault(path, set()).add(event)
            if path not in self._tasks:
                self._tasks[path] = asyncio.create_task(self._follow(path))
        event.set()  # the watch of another pod may have begun long ago
        try:
            yield event
        finally:
            for path in wanted:
                self._waiting[path].discard(event)
                if not self._waiting[path]:
                    del self._waiting[path]
                    self._tasks.pop(path).cancel()

    async def _follow(self, path: str) -> None:
        kind, _, name = path.rpartition("/")
        while True:
            try:
                async for event in self._api.watch(kind, f"fieldSelector=metadata.name%3D{name}"):
                    if event["type"] == "ERROR":
                        break
                    for waiting in self._waiting[path]:
                        waiting.set()
            except (ApiError, aiohttp.ClientError, TimeoutError, ValueError):
                pass  # away, cut in the midst of a line, or not yet in the authorizer's graph: asked again
            await asyncio.sleep(0.5)
