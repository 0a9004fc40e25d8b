"""Which probes can this agent take? Every file of this folder is one, named like its query's tag."""

import importlib
import pkgutil
from collections.abc import Iterable

from workers.core.declare import Probe
from workers.core.errors import BadDeclaration
from workers.core.query import NodeQuery


def load() -> dict[str, Probe]:
    """Tag -> probe. Raises BadDeclaration, naming the file, for one that is declared wrongly."""
    return checked(
        (info.name, getattr(importlib.import_module(f"{__name__}.{info.name}"), "PROBE", None))
        for info in pkgutil.iter_modules(__path__)
    )


def checked(declared: Iterable[tuple[str, object]]) -> dict[str, Probe]:
    """(file's name, its PROBE) as tag -> probe; see `load`."""
    probes: dict[str, Probe] = {}
    for name, probe in declared:
        where = f"workers/agent/probes/{name}.py"
        if not isinstance(probe, Probe):
            raise BadDeclaration(f"{where} does not end with PROBE = Probe(...)")
        if not issubclass(probe.query, NodeQuery):
            raise BadDeclaration(f"{where} answers {probe.query.__name__}, which is not asked of a node")
        tag = str(probe.query.__struct_config__.tag)
        if tag.replace("-", "_") != name:
            raise BadDeclaration(f"{where} answers {tag}: its file must be named {tag.replace('-', '_')}.py")
        probes[tag] = probe
    return probes
