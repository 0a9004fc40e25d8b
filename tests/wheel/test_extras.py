"""Does the wheel start each role with that role's extra alone?

Import contracts cannot see what a dependency drags in.
"""

import fcntl
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.service, pytest.mark.timeout(300)]

STRANGERS = {
    "bot": ["kubernetes"],
    "worker": ["slack_bolt", "sqlalchemy"],
    "agent": ["celery", "redis", "slack_bolt"],
}
"""What an extra must not bring: the bot holds no cluster client, the agent no broker's."""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as it would be published."""
    out = tmp_path_factory.mktemp("wheel")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
    ]
    subprocess.run([*pip, "--no-build-isolation", "--no-index", "-w", str(out), str(ROOT)], check=True)
    return next(out.glob("*.whl"))


def environment(extra: str, wheel: Path) -> Path:
    """A clean environment with the wheel and one extra, at the locked versions; kept while the lock stays the same."""
    lock = (ROOT / "requirements.lock").read_text() + (ROOT / "pyproject.toml").read_text()
    folder = ROOT / ".cache" / "extras" / f"{extra}-{hashlib.sha256(lock.encode()).hexdigest()[:12]}"
    pip = [str(folder / "bin/python"), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock_file:
        # Two tests want the agent's environment, and may run in two processes.
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        if not (folder / ".ready").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            pins = folder / "constraints.txt"
            pins.write_text("\n".join(line for line in re.findall(r"^[a-zA-Z].*==[^\\\n]*", lock, re.MULTILINE)))
            subprocess.run([*pip, "-c", str(pins), f"{wheel}[{extra}]"], check=True)
            (folder / ".ready").touch()
        subprocess.run([*pip, "--no-deps", "--no-index", "--force-reinstall", str(wheel)], check=True)
    return folder


@pytest.mark.parametrize("extra", ["bot", "worker", "agent"])
def test_one_extra_starts_its_role(extra: str, wheel: Path, tmp_path: Path) -> None:
    """The role starts as far as its settings and names the first that it misses; nothing of other roles is there."""
    folder = environment(extra, wheel)
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    options = {"bot": [], "worker": ["--role", "look", "--cluster", "lab"], "agent": []}[extra]
    started = subprocess.run(
        [folder / "bin/netdiag", extra, *options],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = started.stdout + started.stderr
    assert started.returncode == 2, said
    assert "Traceback" not in said
    assert "is not set" in said or "--" in said
    for stranger in STRANGERS[extra]:
        found = subprocess.run([folder / "bin/python", "-c", f"import {stranger}"], capture_output=True, check=False)
        assert found.returncode, f"the extra {extra} brings {stranger}"


def test_a_missing_extra_is_named(wheel: Path, tmp_path: Path) -> None:
    """A role whose extra is not installed says which one to install."""
    folder = environment("agent", wheel)
    started = subprocess.run([folder / "bin/netdiag", "bot"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert started.returncode == 2
    assert "netdiag-bot[bot]" in started.stdout + started.stderr
