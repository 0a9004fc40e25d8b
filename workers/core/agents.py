"""What an agent publishes about itself, so that a worker can find it and believe its answers."""

import base64

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from workers.core.errors import NotTrusted
from workers.core.tokens import Keyring, key_id

LABEL = "netdiag.io/agent"  # on the ConfigMap of every card, with the value "true"
DATA_KEY = "card"  # where the card's JSON is in the ConfigMap's data
SIGNATURE = "X-Netdiag-Signature"  # header of an answer: over tokens.answer_bytes(nonce, node uid, body), base64
KEY = "X-Netdiag-Key"  # header of an answer: the id of the key that signed it


def config_map_name(node: str) -> str:
    """The ConfigMap that holds this node's card."""
    return f"netdiag-agent-{node}"


class AgentCard(msgspec.Struct, frozen=True):
    """One agent: where it listens, and the keys of its present life (it makes new ones at every start).

    address: the node's IP that it listens on. key: the raw Ed25519 public key, base64, and `kid` its id.
    cert_sha256: of its TLS certificate in DER form, hex. started: Unix seconds.
    """

    node: str
    node_uid: str
    address: str
    port: int
    key: str
    kid: str
    cert_sha256: str
    release: str
    started: float

    @property
    def keyring(self) -> Keyring:
        """The key that signs this agent's answers. Raises NotTrusted when the card's key is not one, or not `kid`."""
        try:
            key = Ed25519PublicKey.from_public_bytes(base64.b64decode(self.key, validate=True))
        except ValueError as error:
            raise NotTrusted(f"the card of {self.node} holds no Ed25519 key") from error
        if key_id(key) != self.kid:
            raise NotTrusted(f"the card of {self.node} names the key {self.kid} and holds another")
        return Keyring([key])

    @property
    def fingerprint(self) -> bytes:
        """The certificate's SHA-256. Raises NotTrusted when the card's is none."""
        try:
            raw = bytes.fromhex(self.cert_sha256)
        except ValueError as error:
            raise NotTrusted(f"the card of {self.node} holds no certificate fingerprint") from error
        if len(raw) != 32:  # noqa: PLR2004 - SHA-256
            raise NotTrusted(f"the card of {self.node} holds no certificate fingerprint")
        return raw


def card_from_json(text: str | bytes) -> AgentCard:
    """Raises NotTrusted for what is not a card of this release's form."""
    try:
        return msgspec.json.decode(text, type=AgentCard)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotTrusted(f"this is not an agent's card: {error}") from error
