"""Commands that change a value, and take that back."""

import re
from typing import TYPE_CHECKING

from nnstep.engine.text import cell_name, listed

from .command import Answer, Command
from .journey import Journey
from .reading import blaming, cell, value
from .typed import Typed

if TYPE_CHECKING:
    from nnstep.engine.session.session import Session

_EQUALS = re.compile(r"(?<![=!<>])=(?!=)")
_MOST_STALE = 8


def _set(session: "Session", text: Typed) -> Answer:
    found = text.cut(_EQUALS)
    if found is None:
        raise text.end.error("a cell gets a value as in: set W1[0, 1] = 0.5")
    target, new = found
    name, index = cell(target, session)
    number = value(new, session)
    before, branch = session.value(name)[index], session.branches.current
    with blaming(new):
        session.edit(name, index, number)
    lines = [f"{cell_name(name, index)} = {session.value(name)[index]} (was {before})"]
    if session.branches.current != branch:
        lines.append(
            f"A new branch, {session.branches.current}, begins here; "
            f"what came after stays on {branch}."
        )
    if session.stale:
        stale = [each for each in session.program.tensors if each in session.stale]
        more = [f"{len(stale) - _MOST_STALE} more"] if stale[_MOST_STALE:] else []
        names = listed([*stale[:_MOST_STALE], *more])
        lines.append(f"Stale until computed again: {names}.")
    return Answer(tuple(lines), told=" ".join(lines[:2]), moved=True)


def _undo(session: "Session", text: Typed) -> Answer:
    text.nothing()
    journey = Journey(session)
    undone = session.undo()
    return journey.answer(f"The change of {undone} is undone.", quiet=True)


def _redo(session: "Session", text: Typed) -> Answer:
    text.nothing()
    journey = Journey(session)
    redone = session.redo()
    return journey.answer(f"The change of {redone} is made again.", quiet=True)


COMMANDS = (
    Command(
        "set",
        "CELL = VALUE",
        "change a value, from here on; in the past, on a new branch",
        "set W1[0, 1] = 0.5",
        _set,
        (),
        "VALUE is a number (nan, inf and -inf too) or an expression: set W1[0, 1] = W1[0, 1] * 2. "
        "A tensor of one number has no index: set lr = 0.1.",
    ),
    Command("undo", "", "take the last change back", "undo", _undo, ("u",)),
    Command("redo", "", "make the change that was undone again", "redo", _redo),
)
