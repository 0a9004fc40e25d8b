"""Keys are made once, private ones are private, and a wrong file is said with its path."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from workers.cli import main
from workers.core.errors import NotTrusted
from workers.keys import believed, generate, load_keyring, load_signer, rotate

NOW = 1_800_000_000.0


def test_keys_are_made_for_every_cluster(tmp_path: Path) -> None:
    """One for the bot, two for each cluster."""
    made = generate(tmp_path / "keys", ["lab", "prod"])
    assert made == ["bot", "look-lab", "act-lab", "look-prod", "act-prod"]
    for path in (tmp_path / "keys").glob("*.key"):
        assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_what_was_signed_verifies(tmp_path: Path) -> None:
    """With the public file of the same name, and with no other."""
    generate(tmp_path, ["lab"])
    token = load_signer(tmp_path / "bot.key").token("task", {"x": 1}, now=NOW, ttl=9)
    ring = load_keyring([tmp_path / "look-lab.pub", tmp_path / "bot.pub"])
    assert ring.claims("task", token, now=NOW)["x"] == 1
    with pytest.raises(NotTrusted):
        load_keyring([tmp_path / "look-lab.pub"]).claims("task", token, now=NOW)


def test_existing_keys_stay(tmp_path: Path) -> None:
    """A second call adds what is missing."""
    first = CliRunner().invoke(main, ["keys", "init", str(tmp_path), "--cluster", "lab"])
    before = (tmp_path / "bot.key").read_bytes()
    second = CliRunner().invoke(main, ["keys", "init", str(tmp_path), "--cluster", "lab", "--cluster", "prod"])
    third = CliRunner().invoke(main, ["keys", "init", str(tmp_path), "--cluster", "lab"])
    assert (first.exit_code, second.exit_code, third.exit_code) == (0, 0, 0)
    assert (tmp_path / "bot.key").read_bytes() == before
    assert "look-prod.key" in second.output
    assert "look-lab.key" not in second.output
    assert "all keys were there already" in third.output


def other_key() -> bytes:
    """A private key of another kind."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN NOTHING-----", other_key()])
def test_a_wrong_file_is_said_with_its_path(tmp_path: Path, content: bytes | None) -> None:
    """Missing, empty, nonsense, or a key of another kind."""
    path = tmp_path / "x.key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NotTrusted, match=r"x\.key"):
        load_signer(path)
    with pytest.raises(NotTrusted, match=r"x\.key"):
        load_keyring([path])


def test_a_folder_that_cannot_be_written_is_typed_wrongly(tmp_path: Path) -> None:
    """A file stands in its place."""
    (tmp_path / "file").touch()
    said = CliRunner().invoke(main, ["keys", "init", str(tmp_path / "file" / "keys"), "--cluster", "lab"])
    assert said.exit_code == 2
    assert "Traceback" not in said.output


def test_a_rotated_key_signs_anew_and_what_it_signed_stays_believed(tmp_path: Path) -> None:
    """Old and new are believed until the old public file is deleted; then the new one alone."""
    generate(tmp_path, ["lab"])
    old = load_signer(tmp_path / "bot.key")
    rotate(tmp_path, ["lab"])
    new = load_signer(tmp_path / "bot.key")
    tokens = [signer.token("task", {}, now=NOW, ttl=9) for signer in (old, new)]
    ring = load_keyring(believed(tmp_path, "bot"))
    assert [ring.claims("task", token, now=NOW)["exp"] for token in tokens] == [NOW + 9, NOW + 9]
    assert (tmp_path / "bot.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / f"bot-{old.kid}.pub").unlink()
    ring = load_keyring(believed(tmp_path, "bot"))
    assert ring.claims("task", tokens[1], now=NOW)
    with pytest.raises(NotTrusted):
        ring.claims("task", tokens[0], now=NOW)


def test_each_process_gets_its_own_private_file_alone(tmp_path: Path) -> None:
    """What `--print` prints can be applied; after a rotation every public file is there twice."""
    said = CliRunner().invoke(main, ["keys", "init", str(tmp_path), "--cluster", "lab", "--print"])
    objects = {one["metadata"]["name"]: one for one in yaml.safe_load_all(said.stdout)}
    private = {
        name: [file for file in one.get("stringData", one.get("data")) if file.endswith(".key")]
        for name, one in objects.items()
    }
    assert private == {
        "netdiag-bot-keys": ["bot.key"],
        "netdiag-look-keys": ["look-lab.key"],
        "netdiag-change-keys": ["act-lab.key"],
        "netdiag-callers": [],
    }
    said = CliRunner().invoke(main, ["keys", "rotate", str(tmp_path), "--cluster", "lab", "--print"])
    rotated = {one["metadata"]["name"]: one for one in yaml.safe_load_all(said.stdout)}
    assert len(rotated["netdiag-callers"]["data"]) == 4
    assert set(objects["netdiag-callers"]["data"].values()) < set(rotated["netdiag-callers"]["data"].values())


def test_what_is_not_there_cannot_be_rotated(tmp_path: Path) -> None:
    """A folder without keys, or a cluster that was misspelt: nothing is replaced."""
    generate(tmp_path, ["lab"])
    before = (tmp_path / "bot.key").read_bytes()
    said = CliRunner().invoke(main, ["keys", "rotate", str(tmp_path), "--cluster", "lba"])
    assert said.exit_code == 4
    assert "look-lba.key" in said.output
    assert (tmp_path / "bot.key").read_bytes() == before
