"""node-2's clock is a day behind: to kube-proxy there, the API server's certificate is not valid yet.

A network namespace has no clock of its own. So the certificate that node-2 meets is a day ahead instead, which is the
same difference: `x509: certificate has expired or is not yet valid: current time ... is before ...`.
"""

import datetime as dt
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.lab import workloads
from tests.lab.breaking import ruled
from tests.lab.clients import listening
from tests.lab.cluster import Lab
from tests.lab.control_plane import ADDRESS, PORT
from tests.lab.faults import LabFault
from tests.lab.processes import until

NODE = "node-2"
STAND_IN = 16443
DAY = dt.timedelta(days=1)


@asynccontextmanager
async def broken(lab: Lab) -> AsyncIterator[None]:
    """A connection that is open stays so: kube-proxy meets the certificate when it starts, and keeps its old rules."""
    node = lab.nodes[NODE]
    to_stand_in = ("-p", "tcp", "-d", ADDRESS, "--dport", str(PORT), "-j", "DNAT", "--to", f"{node.address}:{STAND_IN}")
    await workloads.scale(lab, 0)
    await lab.until_answers(dict.fromkeys(lab.nodes, "refused"))
    async with listening(node, STAND_IN, _of_tomorrow(lab.state)), ruled(node, "OUTPUT", *to_stand_in, table="nat"):
        await workloads.restart_kube_proxy(lab, NODE)
        await until(f"kube-proxy on {NODE} complains", partial(_complains, lab), limit=10)
        await workloads.scale(lab, 2)
        await lab.until_answers({**dict.fromkeys(lab.nodes, "200"), NODE: "refused"})
        yield
    await workloads.restart_kube_proxy(lab, NODE)


async def _complains(lab: Lab) -> bool:
    (pod,) = [one.pod for one in await lab.pods("kube-system", "k8s-app=kube-proxy") if one.node == NODE]
    return any("not yet valid" in log.read_text() for log in lab.logs.glob(f"*{pod}*"))


def _of_tomorrow(folder: Path) -> ssl.SSLContext:
    """Serve with a certificate that is valid from tomorrow on. Go looks at the time before it asks who signed it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(tz=dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
    unsigned = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now + DAY, now + 9 * DAY
    )
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = folder / "tomorrow.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, *plain)
        + unsigned.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


FAULT = LabFault(
    id="clock-skew",
    command="svc checkout",
    broken=broken,
    node=NODE,
    folded=("kube-proxy-stale-rules",),
    refuses="restart-kube-proxy",
)
