"""Which private key does each process hold, and where do the files lie?

`bot` signs tasks, grants and audit entries; `look-<cluster>` and `act-<cluster>` ask the agents, and sign what the
workers say to the bot. A process needs its
own private file only, and the public files of those whom it believes.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import click
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from workers.core.errors import NotTrusted, TypedWrongly
from workers.core.tokens import Keyring, Signer, public_from_pem, signer_from_pem

T = TypeVar("T")
PRIVATE_MODE = 0o600
FOLDER_MODE = 0o700


def names(clusters: Iterable[str]) -> list[str]:
    """The names of all keys of an installation."""
    return ["bot", *(f"{role}-{cluster}" for cluster in clusters for role in ("look", "act"))]


def generate(folder: Path, clusters: Iterable[str]) -> list[str]:
    """Make the keys that are not there yet; what is there stays as it is. The names of those that were made."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    return [name for name in names(clusters) if _make(folder, name)]


def _make(folder: Path, name: str) -> bool:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    try:
        # Exclusive and with its mode from the first byte: never readable by others, never written over.
        handle = os.open(folder / f"{name}.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE)
    except FileExistsError:
        return False
    with os.fdopen(handle, "wb") as file:
        file.write(private)
    (folder / f"{name}.pub").write_bytes(public)
    return True


def load_signer(path: Path) -> Signer:
    """The signer whose private key is at `path`. Raises NotTrusted with the path in the sentence."""
    return _read(path, signer_from_pem)


def load_keyring(paths: Iterable[Path]) -> Keyring:
    """The ring of the public keys at `paths`. Raises NotTrusted with the path in the sentence."""
    return Keyring([_read(path, public_from_pem) for path in paths])


def _read(path: Path, parse: Callable[[bytes], T]) -> T:
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise NotTrusted(f"cannot read the key {path}: {error.strerror}") from error
    except NotTrusted as error:
        raise NotTrusted(f"{path}: {error}") from error


@click.group()
def command() -> None:
    """Make the keys of bot and workers."""


@command.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--cluster", "clusters", multiple=True, required=True, help="A cluster's name; may be given repeatedly.")
def init(folder: Path, clusters: tuple[str, ...]) -> None:
    """Make the keys in FOLDER for the bot and the workers of each cluster; existing ones are kept."""
    try:
        made = generate(folder, clusters)
    except OSError as error:
        raise TypedWrongly(f"cannot write keys to {folder}: {error.strerror}") from error
    for name in made:
        click.echo(f"{folder / name}.key")
    if not made:
        click.echo("all keys were there already")
