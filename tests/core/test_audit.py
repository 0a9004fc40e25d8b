"""One changed byte anywhere breaks the chain, and verify names the entry."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from workers.core.audit import GENESIS, Entry, make, verify
from workers.core.tokens import Keyring, Signer

SIGNER = Signer(Ed25519PrivateKey.generate())
KEYS = Keyring([SIGNER.public])


def chain(length: int, signer: Signer = SIGNER) -> list[Entry]:
    """A good chain."""
    entries: list[Entry] = []
    for number in range(length):
        previous = entries[-1] if entries else None
        entry = make(
            previous,
            signer,
            at=1000.0 + number,
            event="granted",
            actor="bob",
            subject="A-1",
            cluster="lab",
            data={"digest": "ab" * 32, "n": number},
        )
        entries.append(entry)
    return entries


GOOD = chain(5)


def test_a_good_chain_verifies() -> None:
    """Nothing changed: every entry counts, and the head is the last hash."""
    said = verify(GOOD, KEYS)
    assert (said.ok, said.entries, said.head, said.first_bad) == (True, 5, GOOD[-1].hash, None)
    assert verify([], KEYS).head == GENESIS


@given(which=st.integers(0, 4), field=st.sampled_from(["text", "hash", "signature", "kid"]), data=st.data())
def test_one_changed_character_is_found_where_it_is(which: int, field: str, data: st.DataObject) -> None:
    """Whichever character of whichever stored field is changed, the first bad entry is that one."""
    value = getattr(GOOD[which], field)
    at = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda c: c != value[at]))
    changed = value[:at] + other + value[at + 1 :]
    entries = [*GOOD]
    entries[which] = msgspec.structs.replace(GOOD[which], **{field: changed})
    said = verify(entries, KEYS)
    assert (said.ok, said.first_bad) == (False, which + 1)
    assert said.reason in {"hash", "link", "signature"}


def test_another_spelling_of_the_same_signature_is_found() -> None:
    """The unused bits of base64's last digit are no hiding place."""
    last = GOOD[0].signature[-3]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = alphabet[alphabet.index(last) ^ 1]
    changed = msgspec.structs.replace(GOOD[0], signature=GOOD[0].signature[:-3] + other + "==")
    assert verify([changed], KEYS).reason == "signature"


def test_a_missing_entry_is_a_gap() -> None:
    """A deleted row is named by its number."""
    said = verify([GOOD[0], *GOOD[2:]], KEYS)
    assert (said.first_bad, said.reason) == (2, "gap")


def test_swapped_entries_are_found() -> None:
    """Order is part of the chain."""
    assert not verify([GOOD[1], GOOD[0], *GOOD[2:]], KEYS).ok


def test_a_rewritten_chain_needs_the_key() -> None:
    """Whoever recomputes every hash without the key is found by the signature."""
    said = verify(chain(3, Signer(Ed25519PrivateKey.generate())), KEYS)
    assert (said.first_bad, said.reason) == (1, "signature")


@pytest.mark.parametrize("tail", [(5, "f" * 64), (6, "f" * 64)])
def test_a_cut_tail_is_found_by_an_anchor(tail: tuple[int, str]) -> None:
    """An anchor elsewhere knows a number and a hash that the chain must still hold."""
    said = verify(GOOD, KEYS, tail=tail)
    assert (said.ok, said.reason, said.first_bad) == (False, "tail", tail[0])
    assert verify(GOOD, KEYS, tail=(5, GOOD[-1].hash)).ok
