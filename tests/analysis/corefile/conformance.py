"""The Corefiles and directives of CoreDNS's own tests."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

CONFORMANCE = Path(os.environ.get("NETDIAG_CONFORMANCE", "../shared/conformance")) / "corefile"


def cases(name: str) -> list[dict[str, Any]]:
    """The cases of a file; none where the data is not there."""
    path = CONFORMANCE / name
    return json.loads(path.read_text())["cases"] if path.exists() else []


def params(name: str) -> list[Any]:
    """The cases as test parameters; one that is skipped where the data is not there."""
    found = [pytest.param(one, id=one["id"]) for one in cases(name)]
    missing = f"no conformance data at {CONFORMANCE / name} (NETDIAG_CONFORMANCE)"
    return found or [pytest.param(None, marks=pytest.mark.skip(reason=missing))]


def wrapped(case: dict[str, Any]) -> str:
    """A directive in a server block. Upstream's tests of cache give the options only."""
    plugin = "prometheus" if case["plugin"] == "metrics" else case["plugin"]
    snippet = case["snippet"]
    if plugin == "cache" and not snippet.lstrip().startswith("cache"):
        snippet = f"cache {{\n{snippet}\n}}"
    return f".:53 {{\n{snippet}\n}}\n"
