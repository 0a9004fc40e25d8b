"""The audit trail: what verify says of a whole one, and of one that somebody touched."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import audit_cli
from tests.bot.kit import Kit
from workers.core.errors import NetdiagError

COLUMNS = ("text", "hash", "signature", "kid")


class House:
    """A ledger with some entries, and a copy of it to spoil."""

    def __init__(self, folder: Path) -> None:
        kit = Kit(folder)
        for _ in range(3):
            kit.done()
        self.entries = len(kit.events())
        kit.ledger.close()
        self.folder = folder
        self.whole = kit.path.read_bytes()
        (folder / "keys").mkdir()
        pem = kit.signer.public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (folder / "keys" / "bot.pub").write_bytes(pem)
        self.spoilt = folder / "spoilt.db"
        self.restore()

    def restore(self) -> None:
        """The copy is whole again."""
        for suffix in ("-wal", "-shm"):
            Path(f"{self.spoilt}{suffix}").unlink(missing_ok=True)
        self.spoilt.write_bytes(self.whole)

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Do to the copy what somebody with the file can do: first away with the triggers."""
        connection = sqlite3.connect(self.spoilt)
        for verb in ("update", "delete", "replace"):
            connection.execute(f"DROP TRIGGER IF EXISTS audit_no_{verb}")
        rows = connection.execute(statement, values).fetchall()
        connection.commit()
        connection.close()
        return rows

    def run(self, *arguments: str) -> tuple[int, str]:
        """One `netdiag audit` command over the copy."""
        environment = {
            "NETDIAG_DATABASE_URL": f"sqlite:///{self.spoilt}",
            "NETDIAG_KEYS_DIR": str(self.folder / "keys"),
        }
        result = CliRunner(env=environment).invoke(audit_cli.command, list(arguments), catch_exceptions=False)
        return result.exit_code, result.output

    def verify(self, *arguments: str) -> dict[str, Any]:
        """What `verify --json` says; its exit code fits."""
        code, output = self.run("verify", "--json", *arguments)
        answer: dict[str, Any] = json.loads(output)
        assert code == (0 if answer["ok"] else 1)
        return answer


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """One ledger for all tests of this file."""
    return House(tmp_path_factory.mktemp("audit"))


@pytest.fixture(autouse=True)
def whole(house: House) -> None:
    """Each test begins with a whole copy."""
    house.restore()


def test_a_whole_trail_verifies(house: House) -> None:
    """Nothing is bad, and the head is the last entry's hash."""
    answer = house.verify()
    assert set(answer) == {"ok", "entries", "head", "first_bad", "reason"}
    assert (answer["ok"], answer["entries"], answer["first_bad"]) == (True, house.entries, None)
    assert house.sql("SELECT hash FROM audit ORDER BY seq DESC LIMIT 1") == [(answer["head"],)]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_one_changed_byte_anywhere_is_named(house: House, data: st.DataObject) -> None:
    """Whichever byte of whichever column is another: verify names that entry (or the next, which links to it)."""
    house.restore()
    seq = data.draw(st.integers(1, house.entries))
    column = data.draw(st.sampled_from(COLUMNS))
    ((value,),) = house.sql(f"SELECT CAST({column} AS BLOB) FROM audit WHERE seq = ?", seq)  # noqa: S608 - from COLUMNS
    raw = bytearray(value)
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    house.sql(f"UPDATE audit SET {column} = CAST(? AS TEXT) WHERE seq = ?", bytes(raw), seq)  # noqa: S608 - from COLUMNS
    answer = house.verify()
    assert not answer["ok"]
    assert answer["first_bad"] == seq


@pytest.mark.parametrize(
    ("statement", "first_bad", "reason"),
    [
        ("DELETE FROM audit WHERE seq = 3", 3, "gap"),
        ("DELETE FROM audit WHERE seq = 1", 1, "gap"),
        ("UPDATE audit SET seq = 99 WHERE seq = 2", 2, "gap"),
    ],
)
def test_a_missing_entry_is_named(house: House, statement: str, first_bad: int, reason: str) -> None:
    """An entry that was taken away or moved leaves a gap."""
    house.sql(statement)
    answer = house.verify()
    assert (answer["first_bad"], answer["reason"]) == (first_bad, reason)


def test_a_cut_tail_is_seen_by_its_anchor(house: House) -> None:
    """Without the last entry the rest is whole; who noted its number and hash elsewhere sees that it is gone."""
    head = house.verify()["head"]
    anchor = f"{house.entries}:{head}"
    assert house.verify("--anchor", anchor)["ok"]
    house.sql("DELETE FROM audit WHERE seq = ?", house.entries)
    assert house.verify()["ok"]
    answer = house.verify("--anchor", anchor)
    assert (answer["first_bad"], answer["reason"]) == (house.entries, "tail")


def test_another_tail_is_seen_by_its_anchor(house: House) -> None:
    """An entry that is not the one that was noted is named."""
    answer = house.verify("--anchor", f"2:{'0' * 64}")
    assert (answer["first_bad"], answer["reason"]) == (2, "tail")


def test_verify_speaks_plainly(house: House) -> None:
    """Without --json a person reads which entry is bad, and why."""
    assert house.run("verify")[1].startswith(f"ok: {house.entries} entries")
    house.sql("UPDATE audit SET text = replace(text, 'alice', 'mally') WHERE seq = 1")
    code, output = house.run("verify")
    assert code == 1
    assert "entry 1 is bad (hash)" in output
    assert house.run("verify", "--anchor", "x")[0] == 2


def test_a_damaged_file_is_not_called_whole(house: House) -> None:
    """Where the database itself cannot be read, that is said."""
    house.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    raw = bytearray(house.spoilt.read_bytes())
    ((page,),) = house.sql("SELECT rootpage FROM sqlite_master WHERE name = 'audit'")
    raw[(page - 1) * 4096 : (page - 1) * 4096 + 16] = b"\xff" * 16
    house.spoilt.write_bytes(bytes(raw))
    try:
        assert not house.verify()["ok"]
    except NetdiagError as error:
        assert "ledger" in str(error)  # noqa: PT017 - either way it is not called whole


def test_list_show_and_export(house: House) -> None:
    """A person can read the trail, and take it elsewhere."""
    code, output = house.run("list", "--last", "2")
    assert code == 0
    assert "run-done" in output
    assert "run-asked" in output
    listed = json.loads(house.run("list", "--json", "--about", "r-1")[1])
    assert [entry["event"] for entry in listed] == ["run-done", "run-asked"]
    shown = json.loads(house.run("show", "1")[1])
    assert (shown["event"], shown["actor"], shown["data"]["typed"]) == ("run-asked", "alice", "svc shop/checkout")
    lines = house.run("export")[1].splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, house.entries + 1))
