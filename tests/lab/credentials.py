"""Who is who in the lab's cluster: certificates, tokens of system components, kubeconfigs.

Only system components and the admin are in the token file; everything of netdiag, and kube-proxy, uses ServiceAccount
tokens, so that the roles under test are judged by the real authorizer.
"""

import datetime as dt
import ipaddress
import json
import secrets
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

GROUPS = {
    "admin": ("system:masters",),
    "system:kube-controller-manager": (),
    "system:kube-scheduler": (),
}
NODE_GROUPS = ("system:nodes",)


def write_pki(folder: Path, addresses: list[str]) -> None:
    """ca.crt, apiserver.crt and apiserver.key for `addresses`, and sa.key that signs ServiceAccount tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    authority, server, accounts = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab-ca")])
    ca = _builder(name, name, authority.public_key())
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    names = [x509.DNSName(text) for text in ("localhost", "kubernetes", "kubernetes.default.svc")]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
    leaf = _builder(subject, name, server.public_key()).add_extension(
        x509.SubjectAlternativeName([*names, *(x509.IPAddress(ipaddress.ip_address(text)) for text in addresses)]),
        critical=False,
    )
    (folder / "ca.crt").write_bytes(_pem(ca.sign(authority, hashes.SHA256())))
    (folder / "apiserver.crt").write_bytes(_pem(leaf.sign(authority, hashes.SHA256())))
    _write_key(folder / "apiserver.key", server)
    _write_key(folder / "sa.key", accounts)


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    """A new certificate that nobody vouches for, and its key, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    paths[0].write_bytes(_pem(_builder(subject, subject, key.public_key()).sign(key, hashes.SHA256())))
    _write_key(paths[1], key)
    return paths


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(tz=dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=30))
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


# The API server reads EC keys in their traditional form only.
def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    path.chmod(0o600)


def write_tokens(path: Path, nodes: list[str]) -> dict[str, str]:
    """The API server's token file; user -> token. Each node's stand-in kubelet is `system:node:<name>`."""
    users = {**GROUPS, **{f"system:node:{name}": NODE_GROUPS for name in nodes}}
    tokens = {user: secrets.token_hex(16) for user in users}
    lines = [f'{tokens[user]},{user},{user},"{",".join(groups)}"' for user, groups in users.items()]
    path.write_text("\n".join(lines) + "\n")
    return tokens


def kubeconfig(server: str, ca_file: Path, user: dict[str, str]) -> dict[str, Any]:
    """A kubeconfig; `user` is `{"token": ...}` or `{"tokenFile": ...}`."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": {"server": server, "certificate-authority": str(ca_file)}}],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "user"}}],
        "current-context": "lab",
    }


def write_kubeconfig(path: Path, server: str, ca_file: Path, user: dict[str, str]) -> Path:
    """The same as a file (JSON is YAML); its path."""
    path.write_text(json.dumps(kubeconfig(server, ca_file, user), indent=1))
    path.chmod(0o600)
    return path
