"""What is asked for is done in turn: one thing at a time, the rest waits in line."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from msgspec import Struct

from .language.typed import TextError
from .text import quoted

Rest = Callable[[], Coroutine[Any, Any, None]]
"""What is left to do: begun by whoever does it, so that none is begun that nobody does."""

# Of the steps that a held key asks for while one is under way, no more than these wait.
MOST_WAITING = 8


class Turn(Struct):
    """A line, or something else, that is to be done with the session when nothing else is.

    `begin` does what takes no time; what it returns is left to do. `done` is for whoever waits.
    `interrupts` tells whether what is under way is given up for it, if that has no end of its own
    or changes nothing.
    """

    begin: Callable[[], Rest | None]
    done: asyncio.Future[Any]
    text: str = ""
    interrupts: bool = True


class Turns:
    """Those that wait, and the one that is under way in the background.

    `start` has something done in the background; what it returns is held on to until that has
    ended. `stop` has what is under way end soon. `ended` is called when one thing is done, and
    `rested` when none is left.
    """

    def __init__(
        self,
        start: Callable[[Rest], object],
        stop: Callable[[], None],
        ended: Callable[[], None],
        rested: Callable[[], None],
    ) -> None:
        self._start = start
        self._end_soon = stop
        self._ended = ended
        self._rested = rested
        self._queue: deque[Turn] = deque()
        self._task: object = None
        self._is_left_for: Callable[[Turn], bool] = never
        self.is_stopping = False

    @property
    def is_busy(self) -> bool:
        """Whether something goes on in the background."""
        return self._task is not None

    def repeated(self, text: str) -> "asyncio.Future[Any] | None":
        """Return what waits already for a line that is asked for faster than it can be done."""
        waiting = [turn.text for turn in self._queue]
        held = waiting[-MOST_WAITING:] == [text] * MOST_WAITING
        return self._queue[-1].done if held else None

    def line_up(self, turn: Turn) -> Any:
        """Have something done now, or when all before it is; return what becomes of it."""
        if self.is_busy:
            self._queue.append(turn)
            if self._is_left_for(turn):
                self.stop()
        elif rest := _begun(turn):
            self._task = self._start(lambda: self._through(rest, turn))
        return turn.done

    def give_up(self, answer: object) -> None:
        """Have all that is under way, or was asked for meanwhile, end; lines have this answer."""
        while self._queue:
            turn = self._queue.popleft()
            if turn.text:
                resolve(turn.done, answer)
            else:
                turn.done.cancel()
        self.stop()

    def leave_for(self, leaves: Callable[[Turn], bool], *, waiting: bool) -> None:
        """Have what begins now given up for those turns that come, or that are `waiting` too."""
        self._is_left_for = leaves
        self.is_stopping = self.is_stopping or (waiting and any(map(leaves, self._queue)))

    def stop(self) -> None:
        """Have what is under way end soon."""
        if self.is_busy:
            self.is_stopping = True
            self._end_soon()

    async def _through(self, rest: Rest, turn: Turn) -> None:
        """Do what is left of one thing, then all that was asked for meanwhile."""
        try:
            await self._to_its_end(rest, turn)
            while self._queue:
                await asyncio.sleep(0)  # whoever has waited says first what came of it
                if self._queue and (more := _begun(turn := self._queue.popleft())):
                    await self._to_its_end(more, turn)
        finally:
            self._task = None
        self._rested()

    async def _to_its_end(self, rest: Rest, turn: Turn) -> None:
        try:
            await rest()
        except Exception as error:  # whoever waits is to know, whatever it is
            _blame(turn, error)
            if turn.done.done():
                raise
            turn.done.set_exception(error)
        finally:
            self.is_stopping, self._is_left_for = False, never
            self._ended()


def never(turn: Turn) -> bool:
    """Give nothing up."""
    return False


def always(turn: Turn) -> bool:
    """Give up for whatever comes."""
    return True


def resolve(done: "asyncio.Future[Any]", result: object) -> None:
    """Hand a result over, unless nobody waits for it any more."""
    if not done.done():
        done.set_result(result)


def _begun(turn: Turn) -> Rest | None:
    """Do what of a turn takes no time, and return the rest; whoever waits is told of an error."""
    try:
        return turn.begin()
    except Exception as error:
        _blame(turn, error)
        turn.done.set_exception(error)
        return None


def _blame(turn: Turn, error: Exception) -> None:
    """Note what has failed in an error that is a mistake of the program, not of the line."""
    if turn.text and not isinstance(error, TextError):
        error.add_note(f"The command {quoted(turn.text)}")
