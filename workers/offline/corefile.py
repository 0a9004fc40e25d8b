"""Would CoreDNS load this Corefile, and what in it will hurt? Without a cluster."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec
import yaml
from tabulate import tabulate

from workers.analysis.corefile.lint import lint
from workers.analysis.corefile.report import Report, Severity
from workers.core.errors import TypedWrongly
from workers.parsers.corefile.outline import Server
from workers.parsers.corefile.outside import Files, Unseen

LARGEST = 4 * 1024 * 1024  # bytes; a ConfigMap holds 1 MiB at most


@click.command(name="corefile")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As JSON, on one line.")
@click.pass_context
def command(ctx: click.Context, file: Path, *, as_json: bool) -> None:
    """Say whether CoreDNS would load FILE, a Corefile or the ConfigMap that holds one, and what in it will hurt.

    Variables are taken from netdiag's own environment. Exit code: 0 nothing above info, 1 a problem, 3 no problem but
    only something that is not judged could decide whether it loads.
    """
    text, files = opened(file)
    report = lint(text, os.environ, files)
    click.echo(json.dumps(as_data(report), ensure_ascii=False) if as_json else as_text(report, file.name))
    ctx.exit(exit_code(report))


def opened(path: Path) -> tuple[str, Files]:
    """The Corefile in a file, and the files it may import. Raises TypedWrongly with a sentence that names the file."""
    try:
        if path.stat().st_size > LARGEST:
            raise TypedWrongly(f"{path} is larger than {LARGEST // 1024 // 1024} MiB: no Corefile is")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise TypedWrongly(f"{path} is no text: a Corefile is expected") from error
    except OSError as error:
        raise TypedWrongly(f"{path} cannot be read: {error.strerror}") from error
    if "\0" in text:
        raise TypedWrongly(f"{path} is no text: a Corefile is expected")
    data = config_map(text)
    if data is None:
        return text, Beside(path.parent)
    if not isinstance(data.get("Corefile"), str):
        raise TypedWrongly(f"{path} is no Corefile, and no ConfigMap with one under data.Corefile")
    return data["Corefile"], Keys(data)


def config_map(text: str) -> Mapping[str, Any] | None:
    """The data of a ConfigMap in YAML or JSON (empty: another kind); None where the text is no such document."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    if not isinstance(document, dict):
        return None
    if isinstance(document.get("items"), list):  # `kubectl get configmap -o yaml` with a selector
        document = next((one for one in document["items"] if "Corefile" in ((one or {}).get("data") or {})), document)
    if "data" not in document and "kind" not in document and "apiVersion" not in document:
        return None
    data = document.get("data")
    return data if isinstance(data, dict) else {}


class Beside:
    """The files beside a Corefile."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def matching(self, pattern: str, origin: str) -> list[str]:
        """The files that match, beside the one that imports. Raises Unseen where there is none."""
        folder = Path(origin).parent if origin else self.folder
        given = Path(pattern)
        try:
            anchor = Path(given.anchor) if given.is_absolute() else folder
            found = sorted(str(one) for one in anchor.glob(str(given.relative_to(given.anchor))) if one.is_file())
        except (OSError, ValueError, NotImplementedError) as error:
            raise Unseen(pattern) from error
        if not found:
            raise Unseen(pattern)
        return found

    def read(self, name: str) -> str:
        """The text of one. Raises Unseen where it is none."""
        try:
            return Path(name).read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise Unseen(name) from error


class Keys:
    """The other keys of a ConfigMap: its volume shows each as a file."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data

    def matching(self, pattern: str, origin: str) -> list[str]:
        """The keys that match. Raises Unseen where there is none."""
        del origin
        if "/" in pattern.removeprefix("./").removeprefix("/etc/coredns/"):
            raise Unseen(pattern)
        bare = pattern.removeprefix("./").removeprefix("/etc/coredns/")
        found = sorted(key for key in self.data if Path(key).match(bare) and isinstance(self.data[key], str))
        if not found:
            raise Unseen(pattern)
        return found

    def read(self, name: str) -> str:
        """The text under a key."""
        return str(self.data[name])


def exit_code(report: Report) -> int:
    """0 nothing above info, 1 a problem, 3 no problem but it is not known whether it loads."""
    if any(problem.severity != Severity.INFO for problem in report.problems):
        return 1
    return 0 if report.loads else 3


def as_data(report: Report) -> dict[str, Any]:
    """The report as DESIGN lays it down."""
    return {
        "loads": report.loads,
        "servers": [_server(one) for one in report.servers],
        "problems": msgspec.to_builtins(report.problems),
        "not_judged": report.not_judged,
    }


def _server(server: Server) -> dict[str, Any]:
    plugins = [
        {
            "name": plugin.name,
            "args": list(plugin.args),
            "options": [{"name": option.name, "args": list(option.args)} for option in plugin.options],
        }
        for plugin in server.plugins
    ]
    return {"keys": list(server.keys), "plugins": plugins}


def as_text(report: Report, name: str) -> str:
    """The verdict as a sentence, then a table of what there is to say."""
    verdict = {
        True: f"CoreDNS 1.14.7 loads {name}.",
        False: f"CoreDNS 1.14.7 does not load {name}.",
        None: f"Whether CoreDNS 1.14.7 loads {name} is not known: it hangs on what is not judged.",
    }[report.loads]
    rows = [(one.sentence, one.severity.value, one.line, one.plugin, one.id) for one in report.problems]
    table = tabulate(
        rows, headers=("problem", "severity", "line", "plugin", "id"), maxcolwidths=[80, None, None, None, None]
    )
    judged = f"Not judged: {', '.join(report.not_judged)}." if report.not_judged else ""
    return "\n\n".join(part for part in (verdict, table if rows else "Nothing to say against it.", judged) if part)
