"""`netdiag corefile FILE`: a verdict and a table for people, JSON for programs, an exit code for shells."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.analysis.corefile.test_rules import KUBEADM
from workers.cli import main


def run(file: Path, *options: str) -> Result:
    """The command on a file."""
    return CliRunner().invoke(main, ["corefile", str(file), *options])


def written(folder: Path, text: str, name: str = "Corefile") -> Path:
    """A file with a text."""
    file = folder / name
    file.write_text(text)
    return file


def test_json_is_as_agreed(tmp_path: Path) -> None:
    """The fields of the agreement, nothing else."""
    result = run(written(tmp_path, ". {\n cache 30 {\n  denial 1000 5\n }\n etcd\n}\n"), "--json")
    said = json.loads(result.output)
    (problem,) = said.pop("problems")
    option = {"name": "denial", "args": ["1000", "5"]}
    plugins = [
        {"name": "cache", "args": ["30"], "options": [option]},
        {"name": "etcd", "args": [], "options": []},
    ]
    assert said == {"loads": None, "servers": [{"keys": ["."], "plugins": plugins}], "not_judged": ["etcd"]}
    assert list(problem) == ["id", "severity", "line", "plugin", "sentence"]
    assert (problem["id"], problem["severity"], problem["line"], problem["plugin"]) == (
        "cache-shrunk",
        "warning",
        3,
        "cache",
    )
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (KUBEADM, 0, "CoreDNS 1.14.7 loads Corefile."),
        (". {\n whoami x\n}\n", 1, "CoreDNS 1.14.7 does not load Corefile."),
        (". {\n etcd\n}\n", 3, "Not judged: etcd."),
        (". {\n import custom/*.override\n whoami\n}\n", 3, "is not known"),
    ],
)
def test_people_get_a_verdict_first(tmp_path: Path, text: str, code: int, said: str) -> None:
    """And shells its exit code."""
    result = run(written(tmp_path, text))
    assert result.exit_code == code, result.output
    assert said in result.output


@pytest.mark.parametrize("name", ["cm.yaml", "cm.json"])
def test_a_config_map_is_opened(tmp_path: Path, name: str) -> None:
    """YAML and JSON; another key of it can be imported."""
    document = {"kind": "ConfigMap", "data": {"Corefile": ". {\n import x.override\n}\n", "x.override": "whoami y\n"}}
    result = run(written(tmp_path, json.dumps(document), name), "--json")
    assert [one["id"] for one in json.loads(result.output)["problems"]] == ["bad-argument"]


def test_a_list_of_config_maps_is_opened(tmp_path: Path) -> None:
    """As kubectl prints it for a selector."""
    document = {"kind": "List", "items": [{"data": {"a": "b"}}, {"data": {"Corefile": KUBEADM}}]}
    assert run(written(tmp_path, json.dumps(document))).exit_code == 0


def test_files_beside_it_are_imported(tmp_path: Path) -> None:
    """One by name, and those that match a pattern."""
    written(tmp_path, "whoami\n", "one.conf")
    written(tmp_path, "log x {\n nonsense\n}\n", "two.override")
    result = run(written(tmp_path, ". {\n import one.conf\n import *.override\n}\n"), "--json")
    (problem,) = json.loads(result.output)["problems"]
    assert (problem["id"], problem["line"]) == ("bad-argument", 2)
    assert problem["sentence"].endswith("two.override)")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00", "is no text"),
        (b"a\0b", "is no text"),
        (b"kind: ConfigMap\ndata: {a: b}\n", "no ConfigMap with one under data.Corefile"),
        (b"apiVersion: v1\nkind: Pod\n", "is no Corefile"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_corefile_gets_a_sentence(tmp_path: Path, content: bytes | None, said: str) -> None:
    """Typed wrongly: exit code 2."""
    file = tmp_path / "Corefile"
    if content is not None:
        file.write_bytes(content)
    result = run(file)
    assert result.exit_code == 2
    assert said in result.output


def test_variables_are_those_of_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set here is put in."""
    monkeypatch.setenv("COREFILE_TEST_PORT", "x")
    result = run(written(tmp_path, ".:{$COREFILE_TEST_PORT} {\n whoami\n}\n"), "--json")
    assert [one["id"] for one in json.loads(result.output)["problems"]] == ["bad-zone"]
