"""What is broken is put together right, and taken back whole."""

import asyncio
import socket

from tests.lab import breaking, clients
from tests.lab.processes import LabError


class _Machine:
    """Keeps what it is told to run; `fails` is a word that makes a command fail."""

    def __init__(self, fails: str = "") -> None:
        self.ran: list[str] = []
        self._fails = fails

    async def exec(self, *argv: str, limit: float = 30) -> str:
        """Nothing, or LabError."""
        del limit
        self.ran.append(" ".join(argv))
        if self._fails and self._fails in argv:
            raise LabError(self._fails)
        return ""


async def test_a_rule_taken_out_is_put_back_unless_somebody_has() -> None:
    """A comment with blanks stays one word."""
    machine = _Machine()
    async with breaking.unruled(machine, "POSTROUTING", "--comment", "two words", "-j", "X", table="nat"):
        assert machine.ran == ["sh -c iptables -w -t nat -D POSTROUTING --comment 'two words' -j X"]
    back = "POSTROUTING --comment 'two words' -j X"
    assert machine.ran[1] == f"sh -c iptables -w -t nat -C {back} || iptables -w -t nat -A {back}"


async def test_what_is_already_undone_is_no_error() -> None:
    """A remedy may have taken the table away."""
    machine = _Machine(fails="delete table inet x")
    async with breaking.filtered(machine, "inet x", forward=("drop",)):
        pass
    assert machine.ran[-1] == "nft delete table inet x"


def test_a_table_has_a_chain_for_each_hook() -> None:
    """With its rules in the order given."""
    text = breaking.nft_text("inet x", {"input": ("ct state new drop", "accept"), "forward": ("drop",)})
    assert text.splitlines() == [
        "table inet x {",
        "chain input {",
        "type filter hook input priority -10;",
        "ct state new drop",
        "accept",
        "}",
        "chain forward {",
        "type filter hook forward priority -10;",
        "drop",
        "}",
        "}",
    ]


def test_a_patch_is_taken_back_key_by_key() -> None:
    """What was not there goes away again; what the patch does not name stays out of it."""
    old = {"spec": {"a": 1, "b": 2}, "kept": True}
    assert breaking.inverse({"spec": {"a": 9, "new": 3}, "top": {"x": 1}}, old) == {
        "spec": {"a": 1, "new": None},
        "top": None,
    }


async def test_a_held_connection_is_closed_with_a_reset() -> None:
    """So that its port is free at once."""
    server = socket.create_server(("127.0.0.1", 0))
    connection = await asyncio.to_thread(clients._open, *server.getsockname())
    lingers = connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(clients.RESET))
    connection.close()
    server.close()
    assert lingers == clients.RESET
