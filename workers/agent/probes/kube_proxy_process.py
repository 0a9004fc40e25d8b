"""Does kube-proxy run on this node, in which state, and does it answer?

A stopped process still accepts connections (the kernel does that), and then never answers: `timeout`. kube-proxy
inside k3s is no process of its own, so its endpoints are asked also when no process is found.
"""

import asyncio
import time

import aiohttp
from yarl import URL

from workers.agent import metrics, proxy
from workers.agent.host import Host
from workers.core.declare import Probe
from workers.core.evidence.kube_proxy import HttpAnswer, ProxyProcess, ProxyState

PATIENCE = 1.0  # seconds; a healthy kube-proxy answers in a few ms
MOST = 2 << 20  # bytes of an answer; its metrics are some 60 KB


async def take(query: ProxyProcess, host: Host) -> ProxyState:
    """Its process, and what its two ports answer. Raises ProbeFailed when its process may not be looked at."""
    del query
    process = await asyncio.to_thread(proxy.find, host.proc)
    told = await asyncio.to_thread(proxy.told, host.proc, process) if process else proxy.Told()
    async with aiohttp.ClientSession(trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session:
        (healthz, _), (answer, text), (_, mode) = await asyncio.gather(
            ask(session, told.healthz, "/healthz"),
            ask(session, told.metrics, "/metrics"),
            ask(session, told.metrics, "/proxyMode"),
        )
    return ProxyState(
        pid=process.pid if process else 0,
        state=process.state if process else "",
        started=process.started if process else 0.0,
        server=told.server,
        healthz=healthz,
        metrics=answer,
        mode=mode.strip() if mode.strip() in ("iptables", "nftables", "ipvs") else "",
        values=metrics.values(text) if answer.status == 200 else {},  # noqa: PLR2004 - OK
    )


async def ask(session: aiohttp.ClientSession, where: tuple[str, int], path: str) -> tuple[HttpAnswer, str]:
    """GET, over plain HTTP: what became of it, and the text (cut at MOST bytes)."""
    begun = time.monotonic()
    url = URL.build(scheme="http", host=where[0], port=where[1], path=path)
    try:
        async with (
            asyncio.timeout(PATIENCE),
            session.get(url, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as response,
        ):
            body = await _most(response.content)
            return HttpAnswer("answered", response.status, time.monotonic() - begun), body.decode("utf-8", "replace")
    except TimeoutError:
        return HttpAnswer("timeout", took=time.monotonic() - begun), ""
    except aiohttp.ClientConnectorError as error:
        refused = isinstance(error.os_error, ConnectionRefusedError)
        detail = str(error.os_error)[:200]
        return HttpAnswer("refused" if refused else "error", took=time.monotonic() - begun, detail=detail), ""
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return HttpAnswer("error", took=time.monotonic() - begun, detail=str(error)[:200]), ""


async def _most(content: aiohttp.StreamReader) -> bytes:
    body = b""
    async for block in content.iter_any():
        body += block
        if len(body) > MOST:
            break
    return body[:MOST]


PROBE = Probe(ProxyProcess, take)
