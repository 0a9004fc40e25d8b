"""Where do the API servers themselves listen, without their Service in between?"""

from workers.collect.cluster.api import Api
from workers.collect.cluster.service import list_slices
from workers.core.evidence.reach import ApiEndpointList, ApiEndpoints


async def read_api_endpoints(query: ApiEndpoints, api: Api) -> ApiEndpointList:
    """The endpoints of `default/kubernetes`, which the API servers keep themselves."""
    del query
    slices = await list_slices(api, "default", "kubernetes")
    found = {
        f"[{address}]:{port.port}" if ":" in address else f"{address}:{port.port}"
        for one in slices
        for endpoint in one.endpoints or ()
        for address in endpoint.addresses or ()
        for port in one.ports or ()
    }
    return ApiEndpointList(tuple(sorted(found)))


READS = {ApiEndpoints: read_api_endpoints}
