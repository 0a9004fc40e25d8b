"""Whose tokens are believed, and for which classes of probes?

A folder of public keys (PEM): `look-*.pub` of the look workers, `act-*.pub` of the change workers. Read at start.
"""

from pathlib import Path
from typing import Any

import jwt

from workers.core.errors import NotTrusted, TypedWrongly
from workers.core.tokens import Keyring, key_id, public_from_pem

# A change worker looks again before it changes anything. Nobody may take an `act` probe by a token alone: that needs
# the bot's signed order as well.
CLASSES = frozenset({"look", "load"})
KINDS = ("look", "act")
LONGEST = 300  # seconds a token may live: its nonce is remembered for as long


class Callers:
    """The public keys that are believed; `kinds` tells by key id whose each is."""

    def __init__(self, folder: Path) -> None:
        self.kinds: dict[str, str] = {}
        keys = []
        for kind in KINDS:
            for path in sorted(folder.glob(f"{kind}-*.pub")):
                try:
                    key = public_from_pem(path.read_bytes())
                except (OSError, NotTrusted) as error:
                    raise TypedWrongly(f"{path}: {error}") from error
                keys.append(key)
                self.kinds[key_id(key)] = kind
        if not keys:
            raise TypedWrongly(f"{folder} holds no look-*.pub and no act-*.pub: nobody could ask this agent anything")
        self._ring = Keyring(keys)

    def claims(self, token: str, *, now: float) -> tuple[str, dict[str, Any]]:
        """(whose key, the claims) of a probe token. Raises NotTrusted; WrongTime when it is the time alone."""
        claims = self._ring.claims("probe", token, now=now)
        if claims["exp"] - claims["iat"] > LONGEST:
            raise NotTrusted(f"the token lives longer than {LONGEST} s")
        kid = str(jwt.get_unverified_header(token)["kid"])  # verified: the ring found its key by it
        return f"{self.kinds[kid]} {kid}", claims
