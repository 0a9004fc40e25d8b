"""Who is this agent, in this life?

Both keys are made at start and never leave memory: one signs answers, one is for TLS. They are two, so that nothing
signed for one protocol can be taken for the other's. The certificate is signed by itself and good for ever: callers
pin its SHA-256, which the card holds, and believe nothing else in it.
"""

import base64
import datetime as dt
import hashlib
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from workers.core.agents import AgentCard
from workers.core.tokens import Signer, public_bytes

FROM = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
UNTIL = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)  # RFC 5280, 4.1.2.5: "no end"


class Identity:
    """The agent's keys, its certificate, and when (Unix seconds) they were made."""

    def __init__(self, node: str, *, now: float) -> None:
        self.node = node
        self.started = now
        self.signer = Signer(Ed25519PrivateKey.generate())
        self._tls_key = Ed25519PrivateKey.generate()
        self._certificate = _certificate(self._tls_key)
        self.cert_sha256 = hashlib.sha256(self._certificate.public_bytes(serialization.Encoding.DER)).hexdigest()

    def card(self, *, node_uid: str, address: str, port: int, release: str) -> AgentCard:
        """What is published of it."""
        return AgentCard(
            node=self.node,
            node_uid=node_uid,
            address=address,
            port=port,
            key=base64.b64encode(public_bytes(self.signer.public)).decode(),
            kid=self.signer.kid,
            cert_sha256=self.cert_sha256,
            release=release,
            started=self.started,
        )

    def ssl_context(self) -> ssl.SSLContext:
        """TLS 1.3 with this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        pem = self._tls_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ) + self._certificate.public_bytes(serialization.Encoding.PEM)
        # ssl reads keys from named files only; this file is a name in memory, so that the key is never on a disk.
        file = os.memfd_create("netdiag-agent-tls")
        try:
            os.write(file, pem)
            context.load_cert_chain(f"/proc/self/fd/{file}")
        finally:
            os.close(file)
        return context


def _certificate(key: Ed25519PrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "netdiag-agent")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(FROM)
        .not_valid_after(UNTIL)
        .sign(key, None)
    )
