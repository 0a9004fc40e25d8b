"""What one examination says."""

from typing import Literal

import msgspec

State = Literal["ok", "warning", "failed", "unknown"]


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was examined.

    what: its name. said: a sentence part about it as it is. fix: what to do, a sentence; empty when it is ok.
    """

    what: str
    state: State
    said: str
    fix: str = ""
