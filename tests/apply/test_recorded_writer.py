"""The recorded twin answers as the live writer does (tests/apply/test_rights.py), and remembers between processes."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from tests.change.scene import NEW, OLD, STEP, bundle
from workers.apply.recorded import FLIPPED, RecordedWriter
from workers.apply.writer import Claim, Moved, Refused, Taken

CLAIM = Claim("a-1", "d1", "w-1", 1.0, ("pending",))


@pytest.fixture
def writer(tmp_path: Path) -> RecordedWriter:
    """Before the change."""
    return again(tmp_path)


def again(folder: Path) -> RecordedWriter:
    """As another process opens it."""
    return RecordedWriter(folder, before=bundle(OLD), after=bundle(NEW))


async def test_a_rehearsal_changes_nothing(writer: RecordedWriter, tmp_path: Path) -> None:
    """The world stays the one before."""
    await writer.apply(STEP, dry_run=True)
    assert await writer.standing(STEP) == "there"
    assert not (tmp_path / FLIPPED).exists()
    assert not await writer.settled(STEP)


async def test_a_change_is_seen_by_every_process_and_happens_once(writer: RecordedWriter, tmp_path: Path) -> None:
    """The successor has another uid, so that a second call cannot meet it."""
    await writer.apply(STEP, dry_run=False)
    assert await again(tmp_path).standing(STEP) == "gone"
    assert await again(tmp_path).settled(STEP)
    with pytest.raises(Moved):
        await again(tmp_path).apply(STEP, dry_run=False)


async def test_another_uid_is_another_pod(writer: RecordedWriter) -> None:
    """In a rehearsal as well."""
    with pytest.raises(Moved, match="uid-x"):
        await writer.apply(msgspec.structs.replace(STEP, old="uid-x"), dry_run=True)


async def test_of_many_racers_one_gets_the_claim(tmp_path: Path) -> None:
    """Each with its own writer."""
    racers = [msgspec.structs.replace(CLAIM, holder=f"w-{number}") for number in range(10)]
    made = await asyncio.gather(*(again(tmp_path).create_claim(one) for one in racers))
    winners = [one for one in made if one]
    assert len(winners) == 1
    assert await again(tmp_path).read_claim("a-1") == winners[0]


async def test_of_two_writers_the_later_is_told(writer: RecordedWriter, tmp_path: Path) -> None:
    """Compare and swap by version; a claim that was never made cannot be written."""
    made = await writer.create_claim(CLAIM)
    assert made
    written = await again(tmp_path).write_claim(made)
    with pytest.raises(Taken):
        await writer.write_claim(made)
    assert await writer.read_claim("a-1") == written
    assert await writer.read_claim("a-2") is None
    with pytest.raises(Taken):
        await writer.write_claim(msgspec.structs.replace(CLAIM, approval="a-2"))


async def test_an_approval_that_is_a_path_is_refused(writer: RecordedWriter) -> None:
    """Nothing is written outside the folder."""
    with pytest.raises(Refused):
        await writer.create_claim(msgspec.structs.replace(CLAIM, approval="../x"))
