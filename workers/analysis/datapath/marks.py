"""What is known of a packet's mark? It is 32 bits, each of which is known or not."""

import msgspec

ALL = 0xFFFFFFFF


class Mark(msgspec.Struct, frozen=True):
    """value: the bits that `known` names; the others are 0 here and unknown."""

    value: int = 0
    known: int = 0

    def holds(self, value: int, mask: int) -> bool | None:
        """Is `mark & mask == value`? One known bit that differs says no; None: bits that matter are not known."""
        seen = mask & self.known
        if self.value & seen != value & (self.known | ALL ^ mask):
            return False
        return True if seen == mask else None

    def changed(self, value: int, mask: int) -> "Mark":
        """After `--set-xmark value/mask`: the bits of `mask` are cleared, then those of `value` are flipped."""
        known = self.known | mask
        return Mark((self.value & ~mask ^ value) & known, known)

    def either(self, other: "Mark") -> "Mark":
        """It is this one or the other, and nobody knows which: what both agree on is known."""
        known = self.known & other.known & ~(self.value ^ other.value)
        return Mark(self.value & known, known)


UNMARKED = Mark(0, ALL)  # a packet that has just arrived or been made


def parse(text: str) -> tuple[int, int] | None:
    """`0x4000/0x4000` as (value, mask); without a mask all bits count. None: it is nothing like that."""
    value, slash, mask = text.partition("/")
    try:
        return int(value, 0) & ALL, int(mask, 0) & ALL if slash else ALL
    except ValueError:
        return None
