"""How much may a container use? Kubernetes quantities as the numbers of a control group, computed as a kubelet does."""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

PERIOD = 100_000  # microseconds: the stretch of time within which a CPU quota holds
LEAST_QUOTA = 1_000  # microseconds: the kernel refuses less
SUFFIXES = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    **{letter: Fraction(10 ** (3 * power)) for power, letter in enumerate(("", "k", "M", "G", "T"))},
    **{f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGT", start=1)},
}


@dataclasses.dataclass(frozen=True)
class Limits:
    """cpu: microseconds in each PERIOD; memory: bytes. None: no limit."""

    cpu: int | None = None
    memory: int | None = None


def quantity(text: str) -> Fraction:
    """The number that a quantity such as `500m`, `64Mi` or `1e3` stands for. Raises ValueError for another text."""
    found = re.fullmatch(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)([numkMGT]|[KMGT]i)?", text)
    if found is None:
        raise ValueError(f"{text} is no quantity that is known here")
    return Fraction(found[1]) * SUFFIXES[found[2] or ""]


def of_container(spec: Mapping[str, Any]) -> Limits:
    """The limits in a container's `resources`."""
    said = spec.get("resources", {}).get("limits", {})
    cpu, memory = said.get("cpu"), said.get("memory")
    return Limits(
        None if cpu is None else max(LEAST_QUOTA, int(quantity(str(cpu)) * PERIOD)),
        None if memory is None else int(quantity(str(memory))),
    )


def of_pod(pod: Mapping[str, Any]) -> Limits:
    """Together its containers may use the sum of theirs, and no more than a lone init container; one without a limit
    leaves the pod without.
    """
    each = [of_container(spec) for spec in pod["spec"]["containers"]]
    first = [of_container(spec) for spec in pod["spec"].get("initContainers", ())]
    return Limits(
        _together((one.cpu for one in each), (one.cpu for one in first)),
        _together((one.memory for one in each), (one.memory for one in first)),
    )


def _together(each: Iterable[int | None], first: Iterable[int | None]) -> int | None:
    numbers, before = [*each], [*first]
    if None in numbers or None in before:
        return None
    return max(sum(filter(None, numbers)), *(number or 0 for number in before), 0)
