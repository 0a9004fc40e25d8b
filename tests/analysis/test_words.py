"""What is said of a kube-proxy's state, of a node's way to the API server, and of what could not be seen."""

import pytest

from tests.world import API, node, running, stopped
from workers.analysis import api_way, proxy_state, seeing
from workers.core.evidence.kube_proxy import HttpAnswer, ProxyProcess, ProxyState
from workers.core.evidence.reach import ApiAnswer, ApiAnswers
from workers.core.evidence.service import Nodes
from workers.core.query import Missing, Query, Seen

HANGS, REFUSED = HttpAnswer("timeout"), HttpAnswer("refused")
OPEN, CLOSED = ApiAnswer("a:1", "open", tls=True, status=401), ApiAnswer("b:2", "refused")


@pytest.mark.parametrize(
    ("state", "reason", "process", "healthz"),
    [
        (None, "unseen", "not seen", "not seen"),
        (running(), "none", "pid 1234, running (S)", "200"),
        (stopped(), "stopped", "pid 1234, stopped (T)", "does not answer"),
        (running(state="D", healthz=HANGS), "blocked", "pid 1234, blocked (D)", "does not answer"),
        (running(state="Z"), "gone", "pid 1234, dead (Z)", "200"),
        (ProxyState(pid=0, healthz=REFUSED, metrics=REFUSED), "gone", "none", "refused"),
        (ProxyState(pid=0, healthz=HttpAnswer("answered", 200)), "none", "inside another process", "200"),
        (running(metrics=HANGS), "silent", "pid 1234, running (S)", "200"),
        (running(healthz=HttpAnswer("answered", 503)), "unhealthy", "pid 1234, running (S)", "503"),
        (running(state="", healthz=HttpAnswer("error")), "none", "pid 1234, running (?)", "error"),
        (running(healthz=None), "none", "pid 1234, running (S)", "not seen"),
    ],
)
def test_a_kube_proxy_gives_a_reason(state: ProxyState | None, reason: str, process: str, healthz: str) -> None:
    """Its process comes before its ports: a stopped one hangs on all of them."""
    assert proxy_state.reason(state) == reason
    assert proxy_state.process_cell(state) == process
    assert proxy_state.health_cell(state) == healthz


def test_the_last_sync_is_a_time_or_not_seen() -> None:
    """A hanging kube-proxy tells no metrics."""
    assert proxy_state.sync_cell(running()) == "13:00:01 UTC"
    assert proxy_state.sync_cell(stopped()) == "not seen"
    assert proxy_state.sync_cell(None) == "not seen"


def test_kube_proxys_own_server_decides() -> None:
    """Else any address that is open is a way."""
    both = ApiAnswers((CLOSED, OPEN))
    assert api_way.decisive(both, running(server="https://b:2"), ("b:2", "a:1")) == CLOSED
    assert api_way.decisive(both, None, ("b:2", "a:1")) == OPEN
    assert api_way.decisive(both, running(server=""), ("a:1",)) == CLOSED
    assert api_way.decisive(ApiAnswers((CLOSED,)), None, ("b:2",)) == CLOSED


def test_a_way_is_open_when_tls_or_an_answer_comes() -> None:
    """A connection alone proves a load balancer, not a server."""
    assert api_way.open_to(OPEN)
    assert api_way.open_to(ApiAnswer(API, "open", status=200))
    assert not api_way.open_to(ApiAnswer(API, "open"))
    assert (api_way.how(ApiAnswer(API, "open")), api_way.how(CLOSED)) == ("tls", "refused")


@pytest.mark.parametrize(
    ("missing", "query", "said"),
    [
        (None, Nodes(), "the answer is empty"),
        (Missing("forbidden", "nodes is forbidden"), Nodes(), "the API server forbids it: nodes is forbidden"),
        (Missing("timeout"), Nodes(), "no answer in time"),
        (Missing("timeout", "5 s"), ProxyProcess("n"), "no answer from the agent (timeout): 5 s"),
        (Missing("no-agent"), ProxyProcess("n"), "no agent has published a key for this node"),
    ],
)
def test_why_something_was_not_seen(missing: Missing | None, query: Query[object], said: str) -> None:
    """In words, with the detail that came with it."""
    assert seeing.why(missing, query) == said
    assert seeing.unknown("x", Seen(missing=missing), query).reason == said


def test_nodes_that_can_be_judged() -> None:
    """Linux ones; a node that is not ready is among them, and named so."""
    sick = node(2, ready=False)
    assert seeing.linux((node(1), sick, node(3, os="windows"))) == (node(1), sick)
    assert (seeing.named(node(1)), seeing.named(sick)) == ("node-1", "node-2 (not ready)")
