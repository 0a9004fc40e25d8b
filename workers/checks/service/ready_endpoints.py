"""Has the Service an endpoint that is ready? If not, no rule of any node can help it.

Endpoints that are there and not ready are told from none at all: the selector matches pods in the first case, and in
the second only the pods could say whether it is wrong or the workload is scaled to zero.
"""

from workers.analysis.seeing import unknown
from workers.core.declare import Check, Look, Said
from workers.core.evidence.service import GetService, ServiceView
from workers.core.finding import Finding, Unknown
from workers.core.target import Target


async def analyse(target: Target, look: Look) -> Said:
    """At most one finding."""
    asked = GetService(target.namespace, target.name)
    seen = await look(asked)
    if seen.value is None:
        return Said(unknown=(unknown(f"Service {target.namespace}/{target.name}", seen, asked),))
    service = seen.value
    if service.type == "ExternalName":
        return Said()
    endpoints = {
        (address, end.ready or (end.serving and end.terminating))
        for one in service.slices
        for end in one.endpoints
        for address in end.addresses
    }
    usable = [address for address, serves in endpoints if serves]
    if usable:
        return Said(healthy=(f"{len(usable)} of {len(endpoints)} endpoints of {service.name} are ready",))
    if endpoints:
        return Said((_finding(service, len(endpoints)),))
    return Said((_finding(service, 0),), unknown=(_why(service),))


def _finding(service: ServiceView, total: int) -> Finding:
    return Finding(
        id="svc-no-ready-endpoints",
        severity="critical" if total else "info",  # none at all is right for a workload that is scaled to zero
        confidence="confirmed" if total else "inferred",
        params={"service": service.name, "total": total, "which": "unready" if total else "none"},
        scope={"service": f"{service.namespace}/{service.name}"},
        evidence=tuple(f"EndpointSlice {one.name}: {len(one.endpoints)} endpoints" for one in service.slices)
        or ("there is no EndpointSlice",),
        command=f"kubectl -n {service.namespace} get endpointslices -l kubernetes.io/service-name={service.name}",
        no_remedy="pods",
    )


def _why(service: ServiceView) -> Unknown:
    what = f"why {service.name} has no endpoints"
    if not service.selector:
        return Unknown(what, "it has no selector: whoever writes its EndpointSlices has written none")
    selector = ",".join(f"{key}={value}" for key, value in sorted(service.selector.items()))
    return Unknown(what, f"pods are not looked at; try kubectl -n {service.namespace} get pods -l {selector}")


CHECK = Check(
    id="service.ready-endpoints",
    title="Are endpoints ready?",
    analyse=analyse,
    commands=("svc",),
    faults=("svc-no-ready-endpoints",),
    guide=("案例1",),
)
