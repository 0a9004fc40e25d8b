"""Which private key does each process hold, and where do the files lie?

`bot` signs tasks, grants and audit entries; `look-<cluster>` and `act-<cluster>` ask the agents, and sign what the
workers say to the bot. A process needs its
own private file only, and the public files of those whom it believes.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from workers.core.errors import NotTrusted, TypedWrongly
from workers.core.tokens import KID, Keyring, Signer, public_from_pem, signer_from_pem

T = TypeVar("T")
PRIVATE_MODE = 0o600
FOLDER_MODE = 0o700
NAMESPACE = "netdiag"


def names(clusters: Iterable[str]) -> list[str]:
    """The names of all keys of an installation."""
    return ["bot", *(f"{role}-{cluster}" for cluster in clusters for role in ("look", "act"))]


def generate(folder: Path, clusters: Iterable[str]) -> list[str]:
    """Make the keys that are not there yet; what is there stays as it is. The names of those that were made."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    return [name for name in names(clusters) if _make(folder, name)]


def rotate(folder: Path, clusters: Iterable[str]) -> list[str]:
    """Replace every key. The old public half stays beside the new one as `NAME-KID.pub`, and is believed as before.

    Raises NotTrusted when a key that is there cannot be read. Cut off half-way, it can be called again.
    """
    wanted = names(clusters)
    old = {name: load_signer(folder / f"{name}.key") for name in wanted}
    for name in wanted:
        (folder / f"{name}-{old[name].kid}.pub").write_bytes(_public_pem(old[name].public))
        key = Ed25519PrivateKey.generate()
        private = folder / f"{name}.key.new"
        private.unlink(missing_ok=True)
        _write_private(private, key)
        private.replace(folder / f"{name}.key")
        (folder / f"{name}.pub").write_bytes(_public_pem(key.public_key()))
    return wanted


def believed(folder: Path, name: str) -> list[Path]:
    """The public files of `name`: of its key, and of those that it replaced."""
    return [folder / f"{name}.pub", *sorted(folder.glob(f"{name}-{KID}.pub"))]


def _make(folder: Path, name: str) -> bool:
    key = Ed25519PrivateKey.generate()
    try:
        _write_private(folder / f"{name}.key", key)
    except FileExistsError:
        return False
    (folder / f"{name}.pub").write_bytes(_public_pem(key.public_key()))
    return True


def _write_private(path: Path, key: Ed25519PrivateKey) -> None:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # Exclusive and with its mode from the first byte: never readable by others, never written over.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE), "wb") as file:
        file.write(private)


def _public_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


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


def manifests(folder: Path, clusters: Iterable[str]) -> str:
    """The Secrets and ConfigMaps that bring each process its own private file, and the public files that it believes.

    Raises NotTrusted when a file is missing.
    """
    bot = believed(folder, "bot")
    workers = {
        cluster: [*believed(folder, f"look-{cluster}"), *believed(folder, f"act-{cluster}")] for cluster in clusters
    }
    heard = [file for files in workers.values() for file in files]
    parts = [("where the bot runs", [_object("Secret", "netdiag-bot-keys", [folder / "bot.key", *bot, *heard])])]
    for cluster, callers in workers.items():
        look, act = f"look-{cluster}", f"act-{cluster}"
        objects = [
            _object("Secret", "netdiag-look-keys", [folder / f"{look}.key", *bot]),
            _object("Secret", "netdiag-change-keys", [folder / f"{act}.key", *bot]),
            _object("ConfigMap", "netdiag-callers", callers),
        ]
        parts.append((f"in the cluster {cluster}", objects))
    return "".join(f"---\n# {where}\n{yaml.safe_dump(one)}" for where, objects in parts for one in objects)


def _object(kind: str, name: str, files: Iterable[Path]) -> dict[str, Any]:
    field = "stringData" if kind == "Secret" else "data"
    texts = {path.name: _read(path, bytes.decode) for path in files}
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, field: texts}


FOLDER = click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
CLUSTERS = click.option(
    "--cluster", "clusters", multiple=True, required=True, help="A cluster's name; may be given repeatedly."
)
PRINT = click.option("--print", "shown", is_flag=True, help="Print the Kubernetes objects, private keys included.")


@click.group()
def command() -> None:
    """Make, replace and hand out the keys of bot and workers."""


@command.command()
@FOLDER
@CLUSTERS
@PRINT
def init(folder: Path, clusters: tuple[str, ...], shown: bool) -> None:
    """Make the keys in FOLDER for the bot and the workers of each cluster; existing ones are kept."""
    _say(folder, clusters, _writing(folder, lambda: generate(folder, clusters)), shown=shown)


@command.command("rotate")
@FOLDER
@CLUSTERS
@PRINT
def rotate_command(folder: Path, clusters: tuple[str, ...], shown: bool) -> None:
    """Replace the keys in FOLDER; the old public files stay, and are believed until you delete them.

    Bring the objects to the clusters. Restart the agents; stop the workers; restart the bot; start the workers: a
    bot that does not know a worker's new key yet does not believe what it says, and would drop it. What is asked
    meanwhile waits. Keep bot-*.pub for as long as you keep the audit that they verify.
    """
    _say(folder, clusters, _writing(folder, lambda: rotate(folder, clusters)), shown=shown)


def _writing(folder: Path, work: Callable[[], list[str]]) -> list[str]:
    try:
        return work()
    except OSError as error:
        raise TypedWrongly(f"cannot write keys to {folder}: {error.strerror}") from error


def _say(folder: Path, clusters: Iterable[str], made: list[str], *, shown: bool) -> None:
    # With --print, standard output is for `kubectl apply -f -` alone.
    for name in made:
        click.echo(f"{folder / name}.key", err=shown)
    if not made:
        click.echo("all keys were there already", err=shown)
    if shown:
        click.echo(manifests(folder, clusters), nl=False)
