"""What do kube-proxy's metrics say of its work? From their text to a few numbers.

The names are those of pkg/proxy/metrics/metrics.go (v1.37). With two IP families (label `ip_family`, since 1.33) the
two timestamps must come from one family, or an idle family's old sync would stand beside the other's new request.
"""

import re
from collections import defaultdict

LAST = "kubeproxy_sync_proxy_rules_last_timestamp_seconds"
QUEUED = "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds"
SUMMED = (
    "kubeproxy_sync_proxy_rules_endpoint_changes_pending",
    "kubeproxy_sync_proxy_rules_endpoint_changes_total",
    "kubeproxy_sync_proxy_rules_service_changes_pending",
    "kubeproxy_sync_proxy_rules_service_changes_total",
    "kubeproxy_sync_proxy_rules_iptables_restore_failures_total",
    "kubeproxy_sync_proxy_rules_iptables_partial_restore_failures_total",
    "kubeproxy_sync_proxy_rules_nftables_sync_failures_total",
)
SAMPLE = re.compile(
    rf"^({'|'.join((LAST, QUEUED, *SUMMED))})(?:\{{([^}}]*)\}})? ([-+0-9.eE]+)(?: [0-9]+)?$", re.MULTILINE
)
FAMILY = re.compile(r'ip_family="([^"]*)"')


def values(text: str) -> dict[str, float]:
    """Name -> value: labelled counters summed, the timestamps of the family that waits longest for its sync."""
    summed: dict[str, float] = {}
    stamps: dict[str, dict[str, float]] = defaultdict(dict)
    for name, labels, number in SAMPLE.findall(text):
        try:
            value = float(number)
        except ValueError:
            continue
        if name in SUMMED:
            summed[name] = summed.get(name, 0.0) + value
        else:
            family = FAMILY.search(labels)
            stamps[family[1] if family else ""][name] = value
    # Of families that wait for nothing, the one that synced last tells when kube-proxy last did something.
    worst = max(
        stamps.values(),
        key=lambda pair: (max(pair.get(QUEUED, 0) - pair.get(LAST, 0), 0), pair.get(LAST, 0)),
        default={},
    )
    return {**worst, **summed}
