"""Does every port of the Service lead to a port of its endpoints?

A targetPort that is a name is looked up in each pod; where no container port has it, the EndpointSlice controller
leaves the port out, and the endpoints stay ready without it.
Source: kubernetes staging/src/k8s.io/endpointslice/utils.go (getEndpointPorts), k8s.io/api core/v1 ServicePort.
"""

from workers.analysis.seeing import unknown
from workers.core.declare import Check, Look, Said
from workers.core.evidence.service import GetService, ServicePort, ServiceView
from workers.core.finding import Finding, Unknown
from workers.core.target import Target


async def analyse(target: Target, look: Look) -> Said:
    """A finding for each port that leads nowhere although there are endpoints."""
    asked = GetService(target.namespace, target.name)
    seen = await look(asked)
    if seen.value is None:
        return Said(unknown=(unknown(f"Service {target.namespace}/{target.name}", seen, asked),))
    service = seen.value
    ports = [port for port in service.ports if not target.port or target.port in {port.name, str(port.port)}]
    lost = [port for port in ports if _endpoints(service) and not _carried(service, port)]
    named = [port for port in lost if not port.target_port.isdecimal()]
    return Said(
        findings=tuple(_finding(service, port) for port in named),
        unknown=tuple(_numbered(service, port) for port in lost if port not in named),
    )


def _endpoints(service: ServiceView) -> int:
    return len({address for one in service.slices for end in one.endpoints for address in end.addresses})


def _carried(service: ServiceView, port: ServicePort) -> bool:
    wanted = (port.name, port.protocol)
    return any(wanted == (has.name, has.protocol) for one in service.slices if one.endpoints for has in one.ports)


def _finding(service: ServiceView, port: ServicePort) -> Finding:
    select = ",".join(f"{key}={value}" for key, value in sorted(service.selector.items()))
    ports = "jsonpath='{.items[*].spec.containers[*].ports}'"
    return Finding(
        id="svc-named-targetport-missing",
        severity="critical",
        confidence="confirmed",  # by the Service, which names it, and by the slices, which leave it out
        params={
            "service": service.name,
            "port": port.port,
            "target": port.target_port,
            "total": _endpoints(service),
        },
        scope={"service": f"{service.namespace}/{service.name}", "port": port.name or str(port.port)},
        evidence=(
            f"port {port.port} of {service.name}: targetPort {port.target_port}",
            *(
                f"EndpointSlice {one.name}: {len(one.endpoints)} endpoints, {_shown(one.ports)}"
                for one in service.slices
            ),
        ),
        command=f"kubectl -n {service.namespace} get pods -l {select} -o {ports}",
        no_remedy="spec",
    )


def _shown(ports: tuple[object, ...]) -> str:
    return f"{len(ports)} ports" if ports else "no port"


def _numbered(service: ServiceView, port: ServicePort) -> Unknown:
    what = f"why no endpoint of {service.name} has its port {port.port}"
    return Unknown(what, f'its EndpointSlices have no port called "{port.name}": see who writes them')


CHECK = Check(
    id="service.target-ports",
    title="Do the Service's ports lead to ports of its endpoints?",
    analyse=analyse,
    commands=("svc",),
    faults=("svc-named-targetport-missing",),
    guide=("案例1",),
)
