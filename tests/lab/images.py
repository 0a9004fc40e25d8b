"""Which real process stands for a container? There are no images here: the image's name says so, or its command's."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

APPS = Path(__file__).parent / "apps"
PREFIX = "netdiag.test/"  # `netdiag.test/http` is apps/http.py


class NoSuchImageError(Exception):
    """Nothing on this machine stands for the image."""


def argv(container: Mapping[str, Any], expanded: Sequence[str], binaries: Path) -> list[str]:
    """The process of a container; `expanded` is its command and arguments with `$(NAME)` replaced."""
    image = container["image"].partition("@")[0].rpartition(":")[0] or container["image"]
    if image.startswith(PREFIX):
        app = APPS / f"{image.removeprefix(PREFIX)}.py"
        if app.exists():
            return [sys.executable, "-I", "-S", str(app), *expanded]
    command = Path(expanded[0]).name if expanded else ""
    if command == "netdiag":
        return [str(Path(sys.executable).with_name("netdiag")), *expanded[1:]]
    if command and (binaries / command).exists():
        return [str(binaries / command), *expanded[1:]]
    raise NoSuchImageError(f"no app, binary or command of netdiag stands for image {container['image']}")
