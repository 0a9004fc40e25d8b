"""How is the API server asked, so that a slow, lying or silent one can neither hang nor flood a run?

The official client brings kubeconfig, credentials and TLS; its typed models are left alone, since they cost 35 to 60
times what typed structs of the few needed fields do. The client is synchronous, so each call runs in a thread.
"""

import asyncio
import functools
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, Self, TypeVar
from urllib.parse import urlencode

import msgspec
import urllib3
import yaml
from kubernetes import config
from kubernetes.client import ApiClient, ApiException, Configuration

from workers.collect.cluster.answers import GONE, Unanswered, refused
from workers.core.errors import TypedWrongly
from workers.core.query import Missing

T = TypeVar("T")

CONNECT, READ, WHOLE = 2.0, 5.0, 10.0  # seconds: until connected, between two pieces, for one call in all
PAGE = 500  # objects a page
LARGEST = 64 << 20  # bytes of one answer
PIECE = 1 << 16
JSON = "application/json"
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")  # also keeps `..` and `/` out of a URL's path


class ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    """A list's own metadata."""

    continue_: str | None = msgspec.field(default=None, name="continue")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A part of a list. Real servers send null where a list is empty."""

    items: list[T] | None = None
    metadata: ListMeta | None = None


def name_or_missing(kind: str, name: str) -> str:
    """The name, fit for a path. Raises Unanswered (`not-found`) when no object can be called so."""
    if not NAME.fullmatch(name):
        raise Unanswered(Missing("not-found", f"no {kind} can be called {name[:80]!r}"))
    return name


class Api:
    """One API server, asked with one role's credentials. Safe to share between threads; one a process."""

    def __init__(self, client: ApiClient, *, role: str) -> None:
        self._client = client
        self.role = role

    @classmethod
    def connect(cls, kubeconfig: Path | None, *, role: str, context: str | None = None) -> Self:
        """By a kubeconfig file (or several, as $KUBECONFIG lists them) and one of its contexts, or (None) by the
        pod's service account. Raises TypedWrongly when it cannot be used.
        """
        kube: Any = config  # it ships no types for these
        settings: Any = type.__call__(Configuration)  # not the process-wide default
        try:
            if kubeconfig:
                kube.load_kube_config(
                    str(kubeconfig), context=context, client_configuration=settings, persist_config=False
                )
            else:
                kube.load_incluster_config(client_configuration=settings)
        except (config.ConfigException, yaml.YAMLError, OSError) as error:
            raise TypedWrongly(f"no way to the API server by {kubeconfig or 'the pod'}: {error}") from error
        settings.retries = False  # neither retries nor redirects: a run has its own idea of time
        settings.connection_pool_maxsize = 32
        return cls(ApiClient(settings), role=role)

    @property
    def url(self) -> str:
        """The API server's URL."""
        return str(self._client.configuration.host)

    def close(self) -> None:
        """Close the connections."""
        client: Any = self._client
        client.close()

    async def get(self, path: str, kind: type[T], *, what: str) -> T:
        """One object. what: its name in words, for the sentence when it is missing. Raises Unanswered."""
        return _decode(await self.call("GET", path, what=what), kind, what)

    async def every(
        self, path: str, kind: type[T], *, what: str, select: Mapping[str, str] | None = None, accept: str = JSON
    ) -> list[T]:
        """All objects of a list, page by page. select: `labelSelector`, `fieldSelector`. Raises Unanswered."""
        ask = functools.partial(self._page, path, kind, what=what, select=select or {}, accept=accept)
        try:
            return await self._pages(ask)
        except Unanswered as error:
            if error.status != GONE:
                raise
        # The list changed for longer than etcd keeps history: client-go's pager, too, then asks for all at once.
        return (await ask(limit=0, token=""))[0]

    async def _pages(self, ask: Callable[..., Any]) -> list[Any]:
        found, token = await ask(limit=PAGE, token="")
        while token:
            more, token = await ask(limit=PAGE, token=token)
            found += more
        return list(found)

    async def _page(
        self, path: str, kind: type[T], *, what: str, select: Mapping[str, str], accept: str, limit: int, token: str
    ) -> tuple[list[T], str]:
        asked = {**select, **({"limit": str(limit)} if limit else {}), **({"continue": token} if token else {})}
        body = await self.call("GET", path, query=asked, what=what, accept=accept)
        page: Page[T] = _decode(body, Page[kind], what)  # type: ignore[valid-type] # a type made at run time
        return page.items or [], (page.metadata and page.metadata.continue_) or ""

    async def call(
        self,
        method: str,
        path: str,
        *,
        what: str,
        query: Mapping[str, str] | None = None,
        body: dict[str, Any] | None = None,
        accept: str = JSON,
    ) -> bytes:
        """One HTTP call's body. Raises Unanswered for every way in which there is none."""
        if query:
            path = f"{path}?{urlencode(query)}"
        return await asyncio.to_thread(self._call, method, path, body, accept, what)

    def _call(self, method: str, path: str, body: dict[str, Any] | None, accept: str, what: str) -> bytes:
        try:
            headers = {"Accept": accept, **({"Content-Type": JSON} if body is not None else {})}
            request = self._client.param_serialize(
                method, path, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            response = self._client.call_api(*request, _request_timeout=(CONNECT, READ)).response
            try:
                status, data = response.status, _read(response, what)
            finally:
                response.release_conn()
        except urllib3.exceptions.TimeoutError as error:
            raise self._silent(error, what) from error
        except urllib3.exceptions.HTTPError as error:
            raise self._away(error, what) from error
        except (ApiException, config.ConfigException, OSError) as error:
            raise Unanswered(Missing("unreachable", f"the API server at {self.url}: {error}")) from error
        if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's own numbers
            raise refused(status, data, role=self.role, what=what)
        return data

    def _silent(self, error: Exception, what: str) -> Unanswered:
        if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
            return Unanswered(Missing("unreachable", f"no connection to the API server at {self.url} in {CONNECT:g} s"))
        return Unanswered(Missing("timeout", f"the API server at {self.url} did not answer for {what} in {READ:g} s"))

    def _away(self, error: Exception, what: str) -> Unanswered:
        if isinstance(error, urllib3.exceptions.NewConnectionError):
            return Unanswered(Missing("unreachable", f"no connection to the API server at {self.url}: {_short(error)}"))
        return Unanswered(Missing("unreadable", f"the API server's answer for {what} broke off: {_short(error)}"))


def _short(error: Exception) -> str:
    """The reason, without the connection object's address in front of it."""
    return str(error).rpartition(": ")[2][:200]


def _read(response: urllib3.BaseHTTPResponse, what: str) -> bytes:
    """The body, within time and size: a read timeout alone would let a server drip for ever."""
    ends, parts, size = time.monotonic() + WHOLE, [], 0
    for piece in response.stream(PIECE):
        parts.append(piece)
        size += len(piece)
        if size > LARGEST:
            response.close()
            raise Unanswered(Missing("unreadable", f"the answer for {what} is larger than {LARGEST >> 20} MiB"))
        if time.monotonic() > ends:
            response.close()
            raise Unanswered(Missing("timeout", f"the answer for {what} took longer than {WHOLE:g} s"))
    return b"".join(parts)


@functools.cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _decode(body: bytes, kind: type[T], what: str) -> T:
    hashable: Any = kind
    decoder: msgspec.json.Decoder[T] = _decoder(hashable)
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unanswered(
            Missing("unreadable", f"the API server's answer for {what} cannot be read: {error}")
        ) from error
