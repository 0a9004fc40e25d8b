"""How does a task reach the workers' queue in Redis? Celery as a client, one app for each cluster.

Each cluster has its own key prefix, since Celery keeps the unacknowledged bodies of all queues together. Publishing
blocks, so it runs in threads of its own: a Redis that hangs must not hold anything else back.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import redis.asyncio
from celery import Celery
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from bot.settings import redis_url
from workers.core.errors import TryAgain

PATIENCE = 5.0  # seconds for one publication
THREADS = 4


class Broker:
    """Redis, as the bot uses it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._apps: dict[str, Celery] = {}
        self._threads = ThreadPoolExecutor(THREADS, "publish")
        self.redis: Any = redis.asyncio.Redis.from_url(
            redis_url(url), socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE
        )

    async def reach(self) -> None:
        """Raises TryAgain when Redis does not answer: then nothing that follows has left the house."""
        try:
            await self.redis.ping()
        except (RedisError, OSError) as error:
            raise TryAgain(f"Redis does not answer: {error}") from error

    async def publish(
        self, cluster: str, *, queue: str, name: str, task_id: str, text: str, headers: dict[str, str], life: float
    ) -> None:
        """Put one task into its queue. Raises TryAgain: it may or may not be there. life: seconds it is worth."""

        def send() -> None:
            self._app(cluster).send_task(
                name, args=[text], task_id=task_id, queue=queue, headers=headers, retry=False, ignore_result=True
            )

        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.get_running_loop().run_in_executor(self._threads, send)
            await self.redis.set(_marker(cluster, task_id), "1", ex=max(int(life), 60))
        except (RedisError, KombuError, OSError) as error:  # TimeoutError is an OSError
            raise TryAgain(f"the task {task_id} may not be in its queue: {error}") from error

    async def kept(self, cluster: str, task_id: str) -> bool:
        """Does Redis still hold what was put there with this task? False: it was flushed, and the task with it.

        Raises TryAgain when Redis does not answer.
        """
        try:
            return bool(await self.redis.exists(_marker(cluster, task_id)))
        except (RedisError, OSError) as error:
            raise TryAgain(f"Redis does not answer: {error}") from error

    async def close(self) -> None:
        """Let go of the connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self.redis.aclose()

    def _app(self, cluster: str) -> Celery:
        if cluster not in self._apps:
            app = Celery(f"netdiag-{cluster}", broker=self._url, set_as_current=False)
            app.conf.update(
                task_serializer="json",
                accept_content=["json"],
                broker_transport_options={
                    "global_keyprefix": f"netdiag:{cluster}:",
                    "socket_timeout": PATIENCE,
                    "socket_connect_timeout": PATIENCE,
                    "max_retries": 1,  # kombu would try for ever, and send at a time of its own choosing
                    "interval_start": 0,
                },
                broker_connection_retry=False,
                task_publish_retry=False,
            )
            self._apps[cluster] = app
        return self._apps[cluster]


def _marker(cluster: str, task_id: str) -> str:
    return f"netdiag:{cluster}:sent:{task_id}"
