"""A session is on the disk a moment later, and can be gone on with; without an app."""

import asyncio
from pathlib import Path

import pytest
from built_in import built_in

from nnstep.engine.driver import Driver
from nnstep.engine.session.session import Session
from nnstep.tui import autosave as module
from nnstep.tui.autosave import Autosave


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOMENT", 0.0)
    monkeypatch.setattr(module, "_AGAIN", 0.01)


class Kept:
    """A session of `mazur` that is kept, as the screen does it."""

    def __init__(self) -> None:
        session = Session(built_in("mazur"))
        self.has_written = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.driver = Driver(session, lambda: self.autosave.note())
        self.autosave = Autosave(
            session,
            self.driver,
            lambda work: self._tasks.append(asyncio.get_running_loop().create_task(work())),
            self.has_written.set,
        )

    async def do(self, text: str) -> None:
        """Do something, and wait for an attempt to write it."""
        self.has_written.clear()
        await self.driver.do(text)
        await asyncio.wait_for(self.has_written.wait(), 10)

    async def ended(self) -> None:
        self.autosave.end(keep=True)
        await asyncio.gather(*self._tasks)


async def test_nothing_is_kept_of_nothing() -> None:
    kept = Kept()
    assert not kept.autosave.is_kept
    kept.autosave.begin()
    assert kept.autosave.is_kept
    await kept.ended()
    assert kept.autosave.where_kept() == "Nothing was done in the session."
    assert Kept().autosave.find_offer() is None


async def test_a_place_is_written_offered_and_brought_back() -> None:
    kept, other = Kept(), Kept()
    kept.autosave.begin()
    await kept.do("step 3")
    await kept.do("goto 7")
    assert other.autosave.find_offer() is None  # it is still open
    await kept.ended()
    said = kept.autosave.where_kept()
    assert said.startswith("The session is kept. To go on with it:\n\n    nnstep ")
    offer = other.autosave.find_offer()
    assert offer is not None
    assert str(offer.path) in said
    opened, taken = other.autosave.take_up_offer()
    replayed, goes_on_in = await other.autosave.replay(opened, taken)
    assert (replayed.session.place, replayed.problem) == (7, "")
    assert goes_on_in is taken
    taken.claim.release()


async def test_what_is_left_out_stays_in_its_file() -> None:
    kept, other = Kept(), Kept()
    kept.autosave.begin()
    await kept.do("goto 7")
    await kept.ended()
    offer = other.autosave.find_offer()
    assert offer is not None
    offer.path.write_bytes(offer.path.read_bytes() + b"no command\n")
    opened, taken = other.autosave.take_up_offer()
    replayed, goes_on_in = await other.autosave.replay(opened, taken)
    assert replayed.session.place == 7
    assert replayed.problem
    assert goes_on_in is None
    assert other.autosave.find_offer() is not None  # nobody keeps it from others any more


async def test_without_an_offer_there_is_nothing_to_take_up() -> None:
    with pytest.raises(ValueError, match=r"^There is no earlier session to take up\.$"):
        Kept().autosave.take_up_offer()


async def test_what_cannot_be_written_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.write_text("a file where a folder is to be")
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    kept = Kept()
    kept.autosave.begin()
    await kept.do("step")
    assert kept.autosave.problem.startswith("not saved: ")
    assert not kept.autosave.is_kept
    home.unlink()
    async with asyncio.timeout(10):
        while kept.autosave.problem:
            kept.has_written.clear()
            await kept.has_written.wait()
    assert kept.autosave.is_kept
    await kept.ended()
    assert str(home) in kept.autosave.where_kept()
