"""Why does a kube-proxy not follow the API, as far as its node can tell?"""

from datetime import UTC, datetime
from typing import Literal

from workers.core.evidence.kube_proxy import HttpAnswer, ProxyState

Reason = Literal["stopped", "blocked", "gone", "silent", "unhealthy", "unseen", "none"]
LAST_SYNC = "kubeproxy_sync_proxy_rules_last_timestamp_seconds"
STATES = {"R": "running", "S": "running", "D": "blocked", "T": "stopped", "t": "stopped", "Z": "dead", "X": "dead"}
HEALTHY = 200  # of /healthz; 503 when changes have been waiting for too long


def reason(state: ProxyState | None) -> Reason:
    """The reason that the node gives; `none` when its kube-proxy looks well, `unseen` when nobody could look."""
    if state is None:
        return "unseen"
    looks = STATES.get(state.state, "running")
    hangs = any(answer and answer.state == "timeout" for answer in (state.healthz, state.metrics))
    healthz = state.healthz
    signs: tuple[tuple[bool, Reason], ...] = (  # the first that holds
        (looks == "stopped", "stopped"),
        (looks == "dead" or (state.pid == 0 and not _answers(state)), "gone"),
        (looks == "blocked", "blocked"),
        (hangs, "silent"),
        (healthz is not None and healthz.state == "answered" and healthz.status != HEALTHY, "unhealthy"),
    )
    return next((word for holds, word in signs if holds), "none")


def _answers(state: ProxyState) -> bool:
    """kube-proxy inside k3s is no process of its own, and answers all the same."""
    return any(answer and answer.state == "answered" for answer in (state.healthz, state.metrics))


def process_cell(state: ProxyState | None) -> str:
    """Its process, in a table's cell."""
    if state is None:
        return "not seen"
    if state.pid == 0:
        return "inside another process" if _answers(state) else "none"
    return f"pid {state.pid}, {STATES.get(state.state, 'running')} ({state.state or '?'})"


def health_cell(state: ProxyState | None) -> str:
    """What /healthz did, in a table's cell."""
    answer: HttpAnswer | None = state.healthz if state else None
    if answer is None:
        return "not seen"
    return {"answered": str(answer.status), "timeout": "does not answer", "refused": "refused"}.get(
        answer.state, answer.state
    )


def sync_cell(state: ProxyState | None) -> str:
    """When it last wrote its rules, in a table's cell."""
    stamp = state.values.get(LAST_SYNC, 0.0) if state else 0.0
    return clock(stamp) if stamp else "not seen"


def clock(stamp: float) -> str:
    """A Unix time as a person reads it in an incident."""
    return datetime.fromtimestamp(stamp, UTC).strftime("%H:%M:%S UTC")
