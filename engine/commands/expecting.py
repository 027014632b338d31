"""The command that compares a cell with a printed number, here and as long as it has its value."""

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from nnstep.engine.expectations import here, judged, stands_at, when
from nnstep.engine.language.typed import Typed
from nnstep.engine.misprints import explained_here
from nnstep.engine.scenario.additions import is_printed_number
from nnstep.engine.scenario.model import Expectation
from nnstep.engine.text import cell_name

from .command import Answer, Command, says
from .reading import cell_of_program

if TYPE_CHECKING:
    from nnstep.engine.session.session import Session

_EQUALS = re.compile(r"=")


def _expect(session: "Session", text: Typed) -> Answer:
    if not text:
        return _listed(session)
    if text.words[-1].text == "off":
        return _off(session, text.part(0, -len("off")))
    found = text.cut(_EQUALS)
    if found is None:
        raise text.end.error("a printed number is given as in: expect a1[0, 0] = 0.5933")
    target, printed = found
    name, index = cell_of_program(target, session)
    if not is_printed_number(printed.text):
        raise printed.error("a number is written as it is printed, such as 0.3775")
    iteration, phase = here(name, session.program, session.place)
    expectation = Expectation(
        name, ((index, printed.text),), iteration, None if phase is None else "backward"
    )
    _forget(session, name, index, expectation)
    session.expectations.append(expectation)
    said = f"{cell_name(name, index)} = {printed.text} is expected {when(expectation)}"
    array = session.values().get(name)
    if array is None or not stands_at(expectation, session.program, session.place):
        return says(f"{said}; it has no value there yet.")
    (found_here,) = judged(expectation, array)
    if found_here.ok:
        return says(f"{said}: right, it is {found_here.got!r}.")
    rules = explained_here(session, found_here)
    why = f". {found_here.printed} is what {rules} would give" if rules else ""
    return says(f"NOT RIGHT: {found_here}{why}.")


def _listed(session: "Session") -> Answer:
    lines = []
    for each in session.expectations:
        array = session.values().get(each.at)
        stands = array is not None and stands_at(each, session.program, session.place)
        if array is not None and stands:
            lines += [
                ("right: " if one.ok else "NOT RIGHT: ") + str(one) for one in judged(each, array)
            ]
        else:
            for cell, printed in each.printed:
                lines.append(f"{cell_name(each.at, cell)} = {printed} is expected {when(each)}")
    return Answer(tuple(lines) or ("No printed number is compared; as in: expect CELL = 0.3775.",))


def _off(session: "Session", text: Typed) -> Answer:
    name, index = cell_of_program(text, session)
    if not _forget(session, name, index):
        raise text.error(f"no printed number of {cell_name(name, index)} is compared")
    return says(f"{cell_name(name, index)} is no longer compared with a printed number.")


def _forget(
    session: "Session", name: str, index: tuple[int, ...], at: Expectation | None = None
) -> bool:
    """Forget what is printed of a cell, at the time of another expectation or at any."""
    kept: list[Expectation] = []
    for each in session.expectations:
        same_time = at is None or (each.iteration, each.phase) == (at.iteration, at.phase)
        rest = each.printed
        if each.at == name and same_time:
            rest = tuple(one for one in rest if one[0] != index)
        if rest == each.printed:
            kept.append(each)
        elif rest:
            kept.append(replace(each, printed=rest, shape=None))
    changed = kept != session.expectations
    session.expectations[:] = kept
    return changed


COMMANDS = (
    Command(
        "expect",
        "[CELL = VALUE | CELL off]",
        "compare a cell with a printed number; alone, list all that are",
        "expect a1[0, 0] = 0.5933",
        _expect,
        (),
        "VALUE is written as it is printed: the cell is right within half a unit of the last "
        "digit. It is compared with the value that it has here, that of the last iteration which "
        "has computed it, and shows ? as long as it has this value and differs.",
        kept=True,
    ),
)
