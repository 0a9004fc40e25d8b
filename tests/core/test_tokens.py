"""A token proves one purpose, for a short time, by a known key."""

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from workers.core.errors import NotTrusted
from workers.core.tokens import LEEWAY, Keyring, Signer, answer_bytes, digest

KEY = Ed25519PrivateKey.generate()
SIGNER = Signer(KEY)
RING = Keyring([SIGNER.public])
NOW = 1_800_000_000.0


def test_what_was_signed_comes_back() -> None:
    """The claims are what was put in, with the times."""
    claims = RING.claims("probe", SIGNER.token("probe", {"probe": "connect"}, now=NOW, ttl=30), now=NOW + 29)
    assert (claims["probe"], claims["exp"] - claims["iat"]) == ("connect", 30)


@pytest.mark.parametrize(
    ("purpose", "now", "says"),
    [
        ("grant", NOW, "not for netdiag-grant"),
        ("probe", NOW + 30 + LEEWAY + 2, "expired"),
        ("probe", NOW - LEEWAY - 2, "future"),
    ],
)
def test_a_token_for_something_else_or_another_time_is_refused(purpose: str, now: float, says: str) -> None:
    """The refusal says what is wrong with it."""
    token = SIGNER.token("probe", {}, now=NOW, ttl=30)
    with pytest.raises(NotTrusted, match=says):
        RING.claims(purpose, token, now=now)


def test_a_token_of_a_stranger_is_refused() -> None:
    """A key that is not in the ring proves nothing, whatever key id it claims."""
    stranger = Signer(Ed25519PrivateKey.generate())
    with pytest.raises(NotTrusted, match="unknown key"):
        RING.claims("task", stranger.token("task", {}, now=NOW, ttl=30), now=NOW)
    stranger.kid = SIGNER.kid
    with pytest.raises(NotTrusted, match="does not verify"):
        RING.claims("task", stranger.token("task", {}, now=NOW, ttl=30), now=NOW)


@pytest.mark.parametrize("token", ["", "a.b.c", "no token at all"])
def test_nonsense_is_refused(token: str) -> None:
    """Anything else is not a token."""
    with pytest.raises(NotTrusted, match="not a token"):
        RING.claims("task", token, now=NOW)


def test_the_none_algorithm_is_refused() -> None:
    """An unsigned token that names our key id is refused."""
    headers = {"kid": SIGNER.kid, "typ": "netdiag-task"}
    forged = jwt.encode({"iat": int(NOW), "exp": int(NOW + 9)}, key="", algorithm="none", headers=headers)
    with pytest.raises(NotTrusted):
        RING.claims("task", forged, now=NOW)


def test_an_answer_is_bound_to_question_node_and_body() -> None:
    """Another nonce, another node or another body is another answer."""
    signature = SIGNER.sign(answer_bytes("n1", "uid-1", b"{}"))
    RING.check(answer_bytes("n1", "uid-1", b"{}"), signature, SIGNER.kid)
    for other in [
        answer_bytes("n2", "uid-1", b"{}"),
        answer_bytes("n1", "uid-2", b"{}"),
        answer_bytes("n1", "uid-1", b"[]"),
    ]:
        with pytest.raises(NotTrusted, match="does not fit"):
            RING.check(other, signature, SIGNER.kid)
    with pytest.raises(NotTrusted, match="unknown key"):
        RING.check(b"", signature, "0" * 16)
    with pytest.raises(NotTrusted, match="does not fit"):
        RING.check(b"", "not base64!", SIGNER.kid)


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    """RFC 8785 sorts them."""
    assert digest({"a": 1, "b": (1, 2)}) == digest({"b": [1, 2], "a": 1})
