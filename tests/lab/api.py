"""How do the lab's own parts talk to the API server? A few lines of aiohttp: calls, watches, errors by status."""

import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import aiohttp

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class ApiError(Exception):
    """The API server said no; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """One identity's door to the API server. Used as `async with`, it keeps its connections."""

    def __init__(self, server: str, ca_file: Path, token: str) -> None:
        self.server = server
        self._headers = {"Authorization": f"Bearer {token}"}
        self._tls = ssl.create_default_context(cafile=str(ca_file))
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = self._new_session()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()
        self._session = None

    def _new_session(self) -> aiohttp.ClientSession:
        # The lab's addresses are never to be reached by a proxy: trust_env stays off.
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)  # a kubelet's watches hold many connections
        return aiohttp.ClientSession(self.server, headers=self._headers, connector=connector)

    async def call(self, method: str, path: str, body: Any = None, *, kind: str = "application/json") -> Any:
        """The answer's JSON (or text). Raises ApiError, and aiohttp.ClientError when there is no answer."""
        if self._session:
            return await self._call(self._session, method, path, body, kind)
        async with self._new_session() as session:
            return await self._call(session, method, path, body, kind)

    async def _call(self, session: aiohttp.ClientSession, method: str, path: str, body: Any, kind: str) -> Any:
        data = None if body is None else json.dumps(body)
        timeout = aiohttp.ClientTimeout(total=10)
        async with session.request(method, path, data=data, headers={"Content-Type": kind}, timeout=timeout) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise ApiError(answer.status, f"{method} {path}: {text[:500]}")
            return json.loads(text) if answer.content_type == "application/json" else text

    async def watch(self, path: str, query: str) -> AsyncIterator[dict[str, Any]]:
        """Every object that is there as ADDED, then what happens to them; ends when the API server ends it."""
        if self._session is None:
            raise RuntimeError("a watch needs `async with`")
        listed = await self.call("GET", f"{path}?{query}")
        for item in listed["items"]:
            yield {"type": "ADDED", "object": item}
        yield {"type": "LISTED", "object": listed}
        version = listed["metadata"]["resourceVersion"]
        url = f"{path}?{query}&watch=1&resourceVersion={version}&timeoutSeconds=300"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        async with self._session.get(url, timeout=timeout) as answer:
            if answer.status >= 400:
                raise ApiError(answer.status, await answer.text())
            # Lines of a watch have no bound; readline would refuse long ones.
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    yield json.loads(line)
