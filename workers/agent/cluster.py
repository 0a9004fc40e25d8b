"""What does an agent ask of the API server? Its Node's uid, and a place for its card; once, at start.

The Kubernetes client is imported by a child process that ends afterwards (`python -m workers.agent.cluster`): it would
keep 40 MiB on every node, for two requests in the agent's whole life.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from workers.core.agents import DATA_KEY, LABEL, AgentCard, config_map_name
from workers.core.errors import TryAgain

if TYPE_CHECKING:
    from kubernetes import client

TIMEOUT = (3.0, 5.0)  # seconds: for the connection, for the answer
CHILD = 30.0  # seconds for a child, with its imports on a busy node
CONFLICT = 409
AGAIN = 75  # a child's exit code for TryAgain (sysexits.h: EX_TEMPFAIL)


class Facts(msgspec.Struct, frozen=True):
    """What an agent has to know of its node: its uid and its first InternalIP."""

    uid: str
    address: str


class Registry(Protocol):
    """The API server, as far as an agent needs it. Both calls block, and raise TryAgain with a sentence."""

    def node(self, name: str) -> Facts:
        """The node's facts."""

    def publish(self, card: AgentCard) -> None:
        """Write the card, over an older one."""


class Settings(msgspec.Struct, frozen=True):
    """kubeconfig: a file, or "" for the pod's own service account. namespace: where the cards are."""

    kubeconfig: str
    namespace: str


class Cluster:
    """The Registry of a real cluster, in this process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def node(self, name: str) -> Facts:
        """See Registry."""
        node = self._call(lambda api: api.read_node(name, _request_timeout=TIMEOUT))
        addresses = node.status.addresses or []
        return Facts(
            uid=node.metadata.uid,
            address=next((address.address for address in addresses if address.type == "InternalIP"), ""),
        )

    def publish(self, card: AgentCard) -> None:
        """See Registry."""
        name, namespace = config_map_name(card.node), self._settings.namespace
        data = {DATA_KEY: msgspec.json.encode(card).decode()}

        def write(api: "client.CoreV1Api") -> None:
            from kubernetes import client  # noqa: PLC0415 - see the module's first lines

            metadata = client.V1ObjectMeta(name=name, namespace=namespace, labels={LABEL: "true"})
            body = client.V1ConfigMap(metadata=metadata, data=data)
            try:
                api.create_namespaced_config_map(namespace, body, _request_timeout=TIMEOUT)
            except client.ApiException as error:
                if error.status != CONFLICT:
                    raise
                api.replace_namespaced_config_map(name, namespace, body, _request_timeout=TIMEOUT)

        self._call(write)

    def _call(self, action: Callable[["client.CoreV1Api"], Any]) -> Any:
        import urllib3  # noqa: PLC0415 - comes with the client
        from kubernetes import client, config  # noqa: PLC0415 - see the module's first lines

        made = client.Configuration()
        try:
            if self._settings.kubeconfig:
                config.load_kube_config(  # type: ignore[no-untyped-call]
                    config_file=self._settings.kubeconfig, client_configuration=made
                )
            else:
                config.load_incluster_config(client_configuration=made)  # type: ignore[no-untyped-call]
            made.retries = False  # whoever calls tries again, more slowly
            with client.ApiClient(made) as api:
                return action(client.CoreV1Api(api))
        except client.ApiException as error:
            raise TryAgain(f"the API server answered {error.status}: {_message(error.body)}") from error
        except (urllib3.exceptions.HTTPError, config.ConfigException, OSError) as error:
            raise TryAgain(f"cannot reach the API server: {error}") from error


def _message(body: Any) -> str:
    try:
        return str(msgspec.json.decode(body or b"{}")["message"])[:300]
    except (msgspec.DecodeError, KeyError, TypeError):
        return str(body)[:300]


class Order(msgspec.Struct, frozen=True):
    """What a child is to do: read a node, or publish a card."""

    settings: Settings
    node: str = ""
    card: AgentCard | None = None


class InChild:
    """The same Registry, by way of a child process."""

    def __init__(self, kubeconfig: Path | None, namespace: str) -> None:
        self._settings = Settings(str(kubeconfig or ""), namespace)

    def node(self, name: str) -> Facts:
        """See Registry."""
        return msgspec.json.decode(self._run(Order(self._settings, node=name)), type=Facts)

    def publish(self, card: AgentCard) -> None:
        """See Registry."""
        self._run(Order(self._settings, card=card))

    def _run(self, order: Order) -> bytes:
        argv = [sys.executable, "-m", __name__]
        try:
            done = subprocess.run(
                argv, input=msgspec.json.encode(order), capture_output=True, timeout=CHILD, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise TryAgain(f"cannot reach the API server: no answer within {CHILD:g} s") from error
        said = done.stderr.decode("utf-8", "replace").strip()
        if done.returncode == AGAIN:
            raise TryAgain(said)
        if done.returncode:
            raise TryAgain(f"registration ended with code {done.returncode}: {said[-300:]}")
        return done.stdout


def child() -> None:
    """Carry out the order on stdin; facts go to stdout, a reason to try again to stderr."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    cluster = Cluster(order.settings)
    try:
        if order.card:
            cluster.publish(order.card)
        else:
            sys.stdout.buffer.write(msgspec.json.encode(cluster.node(order.node)))
    except TryAgain as error:
        sys.stderr.write(str(error))
        sys.exit(AGAIN)


if __name__ == "__main__":
    child()
