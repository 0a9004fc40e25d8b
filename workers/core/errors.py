"""What can go wrong, named by what the caller does next. A class's docstring is its message."""


class NetdiagError(Exception):
    """netdiag failed."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class TypedWrongly(NetdiagError):
    """What was typed cannot be understood; the message says what to type instead."""


class NotAllowed(NetdiagError):
    """This person may not do this; `reason` is the id under which it is audited."""

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class NotTrusted(NetdiagError):
    """A token, a signature or a key does not prove what it has to prove; do nothing with what came with it."""


class WrongTime(NotTrusted):
    """A token that is genuine and out of its time: it came too late, or two clocks differ."""


class TryAgain(NetdiagError):
    """Something outside is away for now; the same call may succeed later."""


class BadDeclaration(NetdiagError):
    """A check, remedy, probe, query or fault file is declared wrongly; the message names the file."""
