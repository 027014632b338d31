"""A session is written to disk while one works on it, and an earlier one can be gone on with."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from nnstep.engine.driver import PATIENCE, Driver
from nnstep.engine.limits import HISTORY_BYTES
from nnstep.engine.session.session import Session
from nnstep.engine.turns import Rest

if TYPE_CHECKING:
    from nnstep.engine.saving.recovery import Keeping, Leftover, Taken
    from nnstep.engine.saving.replay import Opened, Replayed

# In seconds: how long nothing has to happen before a place is written, and how long it waits for
# that at most; how soon what could not be written is tried again.
_MOMENT, _MOST, _AGAIN = 0.5, 5.0, 5.0


class Autosave:
    """Keeps the session that a driver works on, and brings an earlier one back.

    `start` has something done in the background, and `written` is called after every attempt to
    write. A session that has been brought back comes with its journal, as `replayed`; if it goes on
    in the file of a leftover, that is `taken`. Nothing is kept before `begin`.
    """

    def __init__(
        self,
        session: Session,
        driver: Driver,
        start: Callable[[Rest], object],
        written: Callable[[], None],
        *,
        replayed: "Replayed | None" = None,
        taken: "Taken | None" = None,
    ) -> None:
        self.replayed = replayed
        self._session = session
        self._driver = driver
        self._start = start
        self._written = written
        self._taken = taken
        self._keeping: Keeping | None = None
        self._noted = driver.snapshot
        self._noted_at = 0.0
        self._is_writing = False
        self._offer: Leftover | None = None

    # Writing

    def begin(self) -> None:
        """Have the session kept on disk: once it is on the screen, or before anything is done."""
        if self._keeping is None:
            from nnstep.engine.saving.journal import Journal
            from nnstep.engine.saving.recovery import Keeping

            replayed = self.replayed
            journal = replayed.journal if replayed else Journal(self._session)
            taken = self._taken if replayed else None
            self._keeping = Keeping(journal, self._session.scenario, taken=taken)
            self._driver.journal = self._keeping

    def note(self) -> None:
        """Note where the session is, and have it written when nothing has happened for a moment.

        Changes are on the disk before they are shown: that is the driver's work.
        """
        if self._driver.snapshot is not self._noted and self._keeping:
            self._noted, self._noted_at = self._driver.snapshot, time.monotonic()
            self._keeping.note(self._session)
            self.write_soon()

    def write_soon(self) -> None:
        """Have what was noted written in a moment; what cannot be is tried again."""
        if self._keeping and not self._is_writing:
            self._is_writing = True
            self._start(partial(self._write_soon, self._keeping))

    async def _write_soon(self, keeping: "Keeping") -> None:
        while self._is_writing:
            await (asyncio.sleep(_AGAIN) if keeping.problem else self._quiet())
            self._is_writing = False
            written = asyncio.wrap_future(keeping.write_all())
            await asyncio.wait({written}, timeout=PATIENCE)
            self._written()
            if self._is_writing:
                return  # something was noted meanwhile, and has begun to wait by itself
            self._is_writing = bool(keeping.problem)

    async def _quiet(self) -> None:
        """Wait until nothing has happened for a moment: a key would wait for the writing."""
        latest = time.monotonic() + _MOST
        while (left := min(self._noted_at + _MOMENT, latest) - time.monotonic()) > 0:
            await asyncio.sleep(left)

    def end(self, *, keep: bool) -> None:
        """Stop, for good, and leave the session on disk, or nothing but its edits."""
        if self._keeping:
            self._keeping.end(keep=keep)

    @property
    def problem(self) -> str:
        """Why what was done last is not on the disk, in a few words; empty if it is, or will be."""
        return self._keeping.problem if self._keeping else ""

    @property
    def is_kept(self) -> bool:
        """Whether what was done is on the disk, or will be in a moment."""
        return self._keeping is not None and not self._keeping.problem

    def where_kept(self) -> str:
        """Say where the session is, once it has ended, and how it can be gone on with."""
        import shlex

        path, problem = (self._keeping.path, self._keeping.problem) if self._keeping else (None, "")
        if path is None:
            return f"The session is {problem}." if problem else "Nothing was done in the session."
        kept = "The session is kept" if not problem else "All but the last of the session is kept"
        return f"{kept}. To go on with it:\n\n    nnstep {shlex.quote(str(path))}"

    # Bringing one back

    def find_offer(self) -> "Leftover | None":
        """Return an earlier session of the scenario that can be taken up, None if there is none."""
        from nnstep.engine.saving.recovery import find_offer

        self._offer = find_offer(self._session.scenario)
        return self._offer

    def take_up_offer(self) -> "tuple[Opened, Taken]":
        """Open the session that was offered, and keep others from it; else `ValueError`."""
        from nnstep.engine.saving.replay import take_up

        if self._offer is None:
            raise ValueError("There is no earlier session to take up.")
        return take_up(self._offer.path)

    async def replay(
        self, opened: "Opened", taken: "Taken | None", *, history: int = HISTORY_BYTES
    ) -> "tuple[Replayed, Taken | None]":
        """Execute a session again that was opened, all of it or a part.

        Returns it with the leftover that it goes on in, None if it goes on in a new file. `history`
        is how many bytes of its past are kept.
        """
        driver = self._driver
        replayed = await driver.do_long(
            lambda progress: opened.replay(
                history=history, progress=progress, cancelled=lambda: driver.is_stopping
            ),
            "restoring, Escape stops",
        )
        if replayed.problem and taken:
            # What is left out is still in the file, which is not gone on with.
            taken.claim.release()
            taken = None
        return replayed, taken
