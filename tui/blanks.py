"""What a key's command has blanks for: `break {line}`, `watch {cell}`, filled in as keys take turn.

A key that was typed ahead means what is under the cursor when its turn comes.
"""

import random
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from nnstep.engine.driver import Driver
from nnstep.engine.language.typed import TextError

if TYPE_CHECKING:
    from nnstep.engine.faults.fault import Fault

_BLANK = r"\{(\w+)\}"
NO_VALUE = "There is no value here yet."


class Blanks:
    """Fills in the blanks of a line of the prompt.

    `line` gives the position of the line of the program under the cursor, `cell` the cell in
    question, `asked` the same with a step if it is a value of another time, and `watched` the
    expression under the cursor of the watch pane, if that has the keys.
    """

    def __init__(
        self,
        driver: Driver,
        *,
        line: Callable[[], int],
        cell: Callable[[], str | None],
        asked: Callable[[], str | None],
        watched: Callable[[], str | None],
    ) -> None:
        self._driver = driver
        self._last_fault: Fault | None = None
        self._blanks: Mapping[str, Callable[[], str | None]] = {
            "line": lambda: str(line() + 1),
            "code": lambda: self._to_change(line()),
            "cell": cell,
            "asked": asked,
            "watched": lambda: watched() or cell(),
            "seed": lambda: str(random.randrange(10_000)),
            "fault": self._next_fault,
        }

    def filled(self, line: str) -> str:
        """Return a line with its blanks filled in.

        Raises `TextError` if there is no cell to fill in, or no line of one's own can be.
        """
        blanks = {name: self._blanks[name]() for name in re.findall(_BLANK, line)}
        if None in blanks.values():
            raise TextError(NO_VALUE)
        return line.format(**blanks) if blanks else line

    def _to_change(self, line: int) -> str:
        """Return a line of the program as an override of it begins."""
        from nnstep.engine.override.override import OverrideError, to_change

        try:
            return to_change(self._driver.snapshot.program, line)
        except OverrideError as error:
            raise TextError(str(error)) from None

    def _next_fault(self) -> str:
        """Return the number of the next fault of the branch, after the last of the first."""
        snapshot = self._driver.snapshot
        faults = snapshot.branch.faults
        if not faults:
            return ""
        later = [fault for fault in faults if fault.place > snapshot.place]
        here = [fault for fault in faults if fault.place == snapshot.place]
        if self._last_fault in here:
            # Several may show at one step.
            later = here[here.index(self._last_fault) + 1 :] + later
        self._last_fault = (later or faults)[0]
        return str(faults.index(self._last_fault) + 1)
