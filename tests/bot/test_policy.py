"""The policy file: who is who, and what is wrong with a bad one."""

from pathlib import Path

import pytest

from bot import policy
from tests.bot.kit import POLICY
from workers.core.errors import TypedWrongly


def test_people_roles_and_languages() -> None:
    """An account is a person, a person has roles and a language."""
    known = policy.parse(POLICY)
    assert known.name_of("U2BOB") == "bob"
    assert known.name_of("U7EVE") == ""
    assert known.has("approve", "carol")
    assert not known.has("audit", "carol")
    assert not known.has("look", "")
    assert (known.speaks("alice"), known.speaks("bob"), known.speaks("")) == ("en", "zh", "en")


def test_the_requester_is_no_approver_of_their_own() -> None:
    """Those who may approve are all with the role but the one who asked."""
    assert policy.parse(POLICY).approvers(without="alice") == ("U2BOB", "U3CAROL")


def test_a_cluster_may_belong_to_channels() -> None:
    """A cluster that names channels is asked about only there."""
    known = policy.parse(POLICY.replace("[lab]", "{lab: {channels: [C1INC]}, prod: {}}"))
    assert known.clusters_in("C1INC") == ("lab", "prod")
    assert known.clusters_in("C5") == ("prod",)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version: 1", "version: 2", "2"),
        ("look: [alice, bob, carol]", "look: [mallory]", "mallory"),
        ("slack: U2BOB", "slack: U1ALICE", "U1ALICE"),
        ("quorum: 1", "quorum: 0", "quorum"),
        ("expires_minutes: 15", "expires_minutes: 0", "expires_minutes"),
        ("clusters: [lab]", "clusters: []", "clusters"),
        ("roles:", "rolls:", "rolls"),
        ("approve:", "grant:", "grant"),
        ("language: zh", "language: fr", "fr"),
        ("version: 1", "{", "YAML"),
    ],
)
def test_a_bad_policy_says_what_is_wrong(old: str, new: str, said: str) -> None:
    """The sentence names the word that is wrong."""
    with pytest.raises(TypedWrongly, match=said):
        policy.parse(POLICY.replace(old, new, 1))


def test_the_file_is_named(tmp_path: Path) -> None:
    """Setting and path are in the sentence, be the file missing or wrong."""
    with pytest.raises(TypedWrongly, match=r"NETDIAG_POLICY.*none\.yaml"):
        policy.read(tmp_path / "none.yaml")
    (tmp_path / "p.yaml").write_text("- 1")
    with pytest.raises(TypedWrongly, match=r"NETDIAG_POLICY.*p\.yaml.*mapping"):
        policy.read(tmp_path / "p.yaml")
