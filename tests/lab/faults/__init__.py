"""Ways to break the lab: one small file each, named like its fault, ending with `FAULT = LabFault(...)`.

A new fault is a new file here and no other change; copy one. `tests/lab/breaking.py` has what most are made of.
"""

import contextlib
import dataclasses
import importlib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.lab.cell import Mode

if TYPE_CHECKING:
    from tests.lab.cluster import Lab

Broken = Callable[["Lab"], contextlib.AbstractAsyncContextManager[None]]


@dataclasses.dataclass(frozen=True)
class LabFault:
    """A fault as the lab knows it.

    id: the fault that must be named first. command: what an engineer would type. broken: breaks the lab on the way in,
    and is in when a client, too, sees it broken; on the way out it undoes that, whatever happened meanwhile (a remedy
    may have healed it). beside: ids of findings that may stand beside it. folded: ids that must be folded under it.
    healed_by: the remedy that must heal it; None: none may be offered. refuses: a remedy that must refuse to plan.
    node: where it is broken; remedies are asked about this node. modes: in which it can happen; empty: all.
    """

    id: str
    command: str
    broken: Broken
    node: str = ""
    beside: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()
    healed_by: str | None = None
    refuses: str | None = None
    modes: tuple[Mode, ...] = ()


class Injected:
    """A fault and the lab that it is for. Several may be in one lab at once."""

    def __init__(self, fault: LabFault, lab: "Lab") -> None:
        self.fault = fault
        self.lab = lab
        self._stack = contextlib.AsyncExitStack()

    async def inject(self) -> None:
        """Break the lab; returns when it is broken."""
        await self._stack.enter_async_context(self.fault.broken(self.lab))

    async def undo(self) -> None:
        """Take back what was broken; the lab may need a moment more."""
        await self._stack.aclose()

    async def recover(self) -> None:
        """Undo it; returns when the lab is healthy again."""
        await self.undo()
        await self.lab.healthy()


def load() -> dict[str, LabFault]:
    """Every fault by id. Raises ValueError for a file whose name is not its fault's."""
    faults = {}
    for module in pkgutil.iter_modules(__path__):
        fault: LabFault = importlib.import_module(f"{__name__}.{module.name}").FAULT
        if fault.id.replace("-", "_") != module.name:
            raise ValueError(f"tests/lab/faults/{module.name}.py declares {fault.id}")
        faults[fault.id] = fault
    return faults
