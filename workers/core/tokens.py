"""Who may ask for what, proven: short-lived EdDSA tokens (RFC 8037) with a key id, and raw Ed25519 signatures.

Four purposes, each with its own `typ`, so that a token for one is never taken for another:
task (bot -> worker: this Celery task with these arguments), probe (worker -> agent: this probe with these arguments on
this node), grant (bot -> change worker: this person's yes to this digest), and the agent's signature over an answer.
"""

import base64
import hashlib
from typing import Any

import jwt
import msgspec
import rfc8785
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from workers.core.errors import NotTrusted, WrongTime

ALGORITHM = "EdDSA"
LEEWAY = 10  # seconds that two clocks may differ before a token is refused


def digest(value: Any) -> str:
    """SHA-256 (hex) over the RFC 8785 text of a JSON-like value or a struct."""
    return hashlib.sha256(rfc8785.dumps(msgspec.to_builtins(value))).hexdigest()


def public_bytes(key: Ed25519PublicKey) -> bytes:
    """The 32 raw bytes of a public key."""
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


KID = "[0-9a-f]" * 16  # a key id in a file's name: `look-a-<kid>.pub` is an old key of a, not the cluster `a-...`


def key_id(key: Ed25519PublicKey) -> str:
    """A public key's id: the first 16 hex digits of the SHA-256 over its raw bytes."""
    return hashlib.sha256(public_bytes(key)).hexdigest()[:16]


class Signer:
    """Signs with one private key; the key id travels in the token's header, so that keys can be rotated."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key()
        self.kid = key_id(self.public)

    def token(self, purpose: str, claims: dict[str, Any], *, now: float, ttl: float) -> str:
        """A token for `purpose` that holds `claims` and expires `ttl` seconds after `now` (a Unix time)."""
        body = {**claims, "iat": int(now), "exp": int(now + ttl)}
        return jwt.encode(body, self._key, algorithm=ALGORITHM, headers={"kid": self.kid, "typ": f"netdiag-{purpose}"})

    def sign(self, data: bytes) -> str:
        """A detached signature, base64."""
        return base64.b64encode(self._key.sign(data)).decode()


class Keyring:
    """The public keys that are believed for one purpose; several at once while keys are rotated."""

    def __init__(self, keys: list[Ed25519PublicKey]) -> None:
        self._keys = {key_id(key): key for key in keys}

    def claims(self, purpose: str, token: str, *, now: float) -> dict[str, Any]:
        """The claims of a token, after its signature, purpose and time were checked.

        Raises NotTrusted with a sentence that says what is wrong; WrongTime when it is the time alone.
        """
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError as error:
            raise NotTrusted(f"this is not a token: {error}") from error
        key = self._keys.get(str(header.get("kid")))
        if key is None:
            raise NotTrusted(f"the token is signed with the unknown key {header.get('kid')}")
        if header.get("typ") != f"netdiag-{purpose}":
            raise NotTrusted(f"the token is for {header.get('typ')}, not for netdiag-{purpose}")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                options={"verify_exp": False, "verify_iat": False, "verify_aud": False, "require": ["exp", "iat"]},
            )
        except jwt.InvalidTokenError as error:
            raise NotTrusted(f"the token does not verify: {error}") from error
        if claims["exp"] + LEEWAY < now:
            raise WrongTime(f"the token expired {now - claims['exp']:.0f} s ago")
        if claims["iat"] - LEEWAY > now:
            raise WrongTime(f"the token is from {claims['iat'] - now:.0f} s in the future: the clocks differ")
        return claims

    def check(self, data: bytes, signature: str, kid: str) -> None:
        """Raises NotTrusted unless `signature` is over `data` by the key `kid` of this ring."""
        key = self._keys.get(kid)
        if key is None:
            raise NotTrusted(f"signed with the unknown key {kid}")
        try:
            raw = base64.b64decode(signature, validate=True)
            key.verify(raw, data)
        except (InvalidSignature, ValueError) as error:
            raise NotTrusted("the signature does not fit") from error
        # Base64 leaves four unused bits in the last digit: only one spelling is the one that was stored.
        if base64.b64encode(raw).decode() != signature:
            raise NotTrusted("the signature is not spelled as it was stored")


def signer_from_pem(pem: bytes) -> Signer:
    """A signer from a PEM file's bytes. Raises NotTrusted when they hold no unencrypted Ed25519 private key."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise NotTrusted(f"this is not a private key in PEM form: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise NotTrusted("this private key is not an Ed25519 key")
    return Signer(key)


def public_from_pem(pem: bytes) -> Ed25519PublicKey:
    """A public key from a PEM file's bytes. Raises NotTrusted when they hold no Ed25519 public key."""
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NotTrusted(f"this is not a public key in PEM form: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise NotTrusted("this public key is not an Ed25519 key")
    return key


def answer_bytes(nonce: str, node_uid: str, body: bytes) -> bytes:
    """What an agent signs: the caller's nonce, its node's uid and the SHA-256 of the answer's body."""
    return rfc8785.dumps({"body": hashlib.sha256(body).hexdigest(), "node": node_uid, "nonce": nonce})
