"""The audit chain: how an entry's text is made, hashed, linked and signed, and what makes an entry bad.

The text that is hashed is the text that is stored (RFC 8785), so that no database's idea of JSON can change it.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec
import rfc8785

from workers.core.errors import NotTrusted
from workers.core.tokens import Keyring, Signer

VERSION = 1
GENESIS = "0" * 64  # what the first entry links to


class Entry(msgspec.Struct, frozen=True):
    """One stored entry: its number (from 1), the canonical text, the text's hash, the signature over the hash, and
    the signing key's id.
    """

    seq: int
    text: str
    hash: str
    signature: str
    kid: str

    @property
    def body(self) -> dict[str, Any]:
        """The text, parsed: `v seq prev at event actor subject cluster data`."""
        body: dict[str, Any] = msgspec.json.decode(self.text)
        return body


class Verified(msgspec.Struct, frozen=True):
    """What `verify` says: `first_bad` is an entry's number, or None; `reason` is `hash`, `link`, `gap`,
    `signature`, `tail`, or empty; `head` the last hash.
    """

    ok: bool
    entries: int
    head: str
    first_bad: int | None = None
    reason: str = ""


def make(
    previous: Entry | None,
    signer: Signer,
    *,
    at: float,
    event: str,
    actor: str,
    subject: str,
    cluster: str,
    data: dict[str, Any],
) -> Entry:
    """The entry that follows `previous` (None: the first).

    actor: a person's name in the policy, or `netdiag`. subject: run or approval id. at: Unix seconds.
    """
    seq = previous.seq + 1 if previous else 1
    body: dict[str, Any] = {
        "v": VERSION,
        "seq": seq,
        "prev": previous.hash if previous else GENESIS,
        "at": round(at, 3),
        "event": event,
        "actor": actor,
        "subject": subject,
        "cluster": cluster,
        "data": data,
    }
    text = rfc8785.dumps(body)
    digest = hashlib.sha256(text).hexdigest()
    return Entry(seq=seq, text=text.decode(), hash=digest, signature=signer.sign(digest.encode()), kid=signer.kid)


def verify(entries: Iterable[Entry], keys: Keyring, *, tail: tuple[int, str] | None = None) -> Verified:
    """Walk the chain from the first entry.

    `tail`: a number and hash known from elsewhere (an anchor), which the chain must still hold.
    """
    count, head = 0, GENESIS
    for entry in entries:
        reason = _wrong(entry, count + 1, head, keys)
        if not reason and tail and entry.seq == tail[0] and entry.hash != tail[1]:
            reason = "tail"
        if reason:
            return Verified(
                ok=False, entries=count, head=head, first_bad=entry.seq if reason != "gap" else count + 1, reason=reason
            )
        count, head = count + 1, entry.hash
    if tail and count < tail[0]:
        return Verified(ok=False, entries=count, head=head, first_bad=count + 1, reason="tail")
    return Verified(ok=True, entries=count, head=head)


def _wrong(entry: Entry, expected: int, head: str, keys: Keyring) -> str:
    if entry.seq != expected:
        return "gap"
    if hashlib.sha256(entry.text.encode()).hexdigest() != entry.hash:
        return "hash"
    body = entry.body
    if body.get("seq") != entry.seq or body.get("prev") != head:
        return "link"
    try:
        keys.check(entry.hash.encode(), entry.signature, entry.kid)
    except NotTrusted:
        return "signature"
    return ""
