"""Commands that only look: at values, at the listing, at the past."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nnstep.engine.arrays import DIGITS, Array, one_line
from nnstep.engine.files import write_whole
from nnstep.engine.language.parsed import expression
from nnstep.engine.language.typed import Typed
from nnstep.engine.program.program import Instruction
from nnstep.engine.session.snapshot import Snapshot
from nnstep.engine.text import cell_name, printable

from .command import (
    INTERRUPTED,
    Answer,
    Command,
    Progress,
    finished,
    part,
    place_lines,
    says,
    takes_long,
    watch_lines,
)
from .moving import go
from .reading import cell, value_of

if TYPE_CHECKING:
    from nnstep.engine.session.queries import Series
    from nnstep.engine.session.session import Session

_MOST_LOGGED = 200
_LAST_CHANGED = re.compile(r"^last\s+changed(?!\S)")
_LINE_WIDTH = 80
# A curve is told in words by so many of its values.
_TOLD = 10
# Of an array with many numbers, so many are written at both ends of an axis.
_EDGE = 3
# So many tell every number of 64 bits from every other.
_MOST_DIGITS = 17


def _print(session: "Session", text: Typed) -> Answer:
    from nnstep.engine.stops.trigger import tensors_in

    array = value_of(text, session)
    names = tensors_in([expression(text, session.program.tensors)], session.program)
    lines = array_lines(text.text, array, session.digits)
    if of := session.of_iteration(names):
        lines[0] += f", {of}"
    if not session.stale.isdisjoint(names):
        lines.append("Stale: it was computed before a change, and not again since.")
    return Answer(tuple(lines))


def array_lines(name: str, array: Array, digits: int | None = None) -> list[str]:
    """Write an array under its name, the rows of a matrix with their numbers.

    With None, all digits are written that its dtype has.
    """
    if array.ndim == 0:
        value = str(array[()]) if digits is None else one_line(array, digits)
        return [f"{name} = {value} ({array.dtype})"]
    lines = _written(array, digits).splitlines()
    if array.ndim == 2:
        lines = list(_numbered(lines, len(array)))
    return [f"{name}: shape {array.shape}, {array.dtype}", *lines]


def _written(array: Array, digits: int | None) -> str:
    """Write an array, in columns of one width; of one with many numbers, the corners."""
    margin = len(str(len(array) - 1)) - 1 if array.ndim == 2 else 0

    write: Callable[..., str] = partial(
        np.array2string,
        array,
        max_line_width=_LINE_WIDTH - margin,
        floatmode="unique",
        suppress_small=False,
        separator=" ",
        threshold=1000,
        edgeitems=_EDGE,
    )
    if digits is None:
        return write()
    written: list[str] = []

    def short(value: float) -> str:
        written.append(f"{value:.{digits}g}")
        return written[-1]

    write(formatter={"float_kind": short})
    width = max(map(len, written), default=0)
    return write(formatter={"float_kind": lambda value: f"{value:>{width}.{digits}g}"})


def _numbered(lines: Sequence[str], rows: int) -> Iterator[str]:
    """Yield the lines of a matrix without its outer brackets, each row with its number."""
    width, row = len(str(rows - 1)), 0
    for line in lines:
        inner = line[1:]
        if inner.strip() == "...":
            row = rows - _EDGE
        begins = inner.startswith("[")
        number = str(row) if begins else ""
        yield f"{number:>{width}} {inner.replace(']]', ']')}"
        row += begins


def _digits(session: "Session", text: Typed) -> Answer:
    if text.text == "all":
        session.digits = None
    elif text:
        digits = text.number("the number of digits, or all,")
        if not 1 <= digits <= _MOST_DIGITS:
            raise text.error(f"there are 1 to {_MOST_DIGITS} digits, not {digits}")
        session.digits = digits
    if session.digits is None:
        return says(f"print writes all digits, and other answers {DIGITS}.")
    return says(f"Answers write {session.digits} digit{'s' if session.digits > 1 else ''}.")


def _about(session: "Session", text: Typed) -> Answer:
    text.nothing()
    scenario = session.scenario
    lines = [scenario.title, *filter(None, [scenario.source])]
    if description := scenario.description.strip():
        lines += ["", *description.splitlines()]
    if scenario.warnings:
        lines += ["", "Warnings:", *scenario.warnings]
    return Answer(tuple(lines))


def _who(session: "Session", text: Typed) -> Answer:
    asked = text.part(0, len(text.text.rstrip("? ")))
    if found := asked.cut(_LAST_CHANGED):
        asked = found[1]
    name, index = cell(asked, session)

    def look_back(_: object) -> Answer:
        change = session.last_change(name, index)
        if session.interrupted:
            return INTERRUPTED
        if change is None:
            return says(f"{cell_name(name, index)} has not changed since the start.")
        if change.place != session.place:
            session.trail.leave(session.place)
        return finished(go(session, text, change.place, f"{change}."), session)

    return takes_long(text, look_back, "looking back")


_INTO = re.compile(r"\s>\s*(?=\S)")


def _copy(session: "Session", text: Typed) -> Answer:
    found = text.cut(_INTO)
    if found is None:
        raise text.end.error("a cell is copied into a file as in: copy dW2[0, 1] > value.txt")
    target, into = found
    name, index = cell(target, session)
    path = Path(os.path.expanduser(into.text))  # noqa: PTH111 - never raises
    if os.path.lexists(path):  # never raises, however long the name is
        raise into.error("there is such a file already; choose another name")
    value = session.value(name)[index]
    try:
        write_whole(path, f"{value}\n".encode())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "this cannot be a file's name"
        raise into.error(f"it cannot be written: {reason}") from None
    of = session.of_iteration({name})
    said = f"{cell_name(name, index)} = {value}{f', {of},' if of else ''}"
    return says(f"{said} is in {printable(str(path))}.")


def _where(session: "Session", text: Typed) -> Answer:
    text.nothing()
    snapshot = session.snapshot()
    return Answer(
        (*place_lines(snapshot, session.digits), *watch_lines(snapshot.watches, session.digits))
    )


def _list(session: "Session", text: Typed) -> Answer:
    text.nothing()
    snapshot = session.snapshot()
    lines = session.program.instructions
    parts = [part(line) for line in lines]
    width = max(map(len, parts))
    written = max((len(line.code) for line in lines if _told_source(line)), default=0)
    return Answer(
        tuple(
            f"{_marks(snapshot, i)} {parts[i]:<{width}}  {line.code:<{written}}  # of {source}"
            if (source := _told_source(line))
            else f"{_marks(snapshot, i)} {parts[i]:<{width}}  {line.code}"
            for i, line in enumerate(lines)
        )
    )


def _told_source(line: Instruction) -> str:
    """Return of which line a backward line is the derivative, where no layer says so."""
    return line.source if line.layer is None else ""


def _marks(snapshot: Snapshot, position: int) -> str:
    """Write the number of a line; `>` is next to run, `*` has a breakpoint, `o` a disabled one."""
    here = ">" if position == snapshot.position and not snapshot.finished else " "
    enabled = snapshot.breakpoints.get(position)
    point = " " if enabled is None else "*" if enabled else "o"
    return f"{here}{point}{position + 1:>4}"


def _tensors(session: "Session", text: Typed) -> Answer:
    text.nothing()
    values, tensors = session.values(), session.program.tensors
    width = max(map(len, tensors))
    lines = []
    for name, tensor in tensors.items():
        array = values.get(name)
        about = "no value yet" if array is None else f"shape {array.shape}, {array.dtype}"
        if of := session.of_iteration({name}):
            about += f", {of}"
        lines.append(f"{name:<{width}}  {tensor.role}, {about}")
    return Answer(tuple(lines))


def _plot(session: "Session", text: Typed) -> Answer:
    expression(text, session.program.tensors)

    def compute(_: object) -> Answer:
        series = session.series(text.text)
        return Answer(lambda: _told(series), plot=series, interrupted=not series.complete)

    return takes_long(text, compute)


def _told(series: "Series") -> list[str]:
    """Tell a curve in words: where it is lowest and highest, and some of its values."""
    values, count = series.values, len(series.values)
    if not count:
        return [f"{series.text} has not been computed in any iteration yet."]
    lines = [f"{series.text} in {count} iteration{'s' if count > 1 else ''}"]
    finite = np.flatnonzero(np.isfinite(values))
    if len(finite):
        low, high = finite[np.argmin(values[finite])], finite[np.argmax(values[finite])]
        lines[0] += (
            f": lowest {values[low]:.6g} in iteration {low}, "
            f"highest {values[high]:.6g} in iteration {high}"
        )
    if len(finite) < count:
        lines.append(f"In {count - len(finite)} of them it is not a finite number.")
    told = np.unique(np.linspace(0, count - 1, min(count, _TOLD)).round().astype(int))
    lines += (f"Iteration {at}: {values[at]:.6g}" for at in told)
    if not series.complete:
        lines.append("Interrupted: there are more iterations.")
    return lines


def _verify(session: "Session", text: Typed) -> Answer:
    from nnstep.engine.verification.report import report_lines

    text.nothing()

    def verify(progress: Progress | None) -> Answer:
        verification = session.verify(progress)
        return Answer(
            lambda: report_lines(verification),
            title="The gradients, verified",
            verification=verification,
            interrupted=verification.cancelled,
        )

    return takes_long(text, verify, "verifying")


def _faults(session: "Session", text: Typed) -> Answer:
    text.nothing()
    lines = [
        f"{number}. {fault.level.capitalize()}: {fault}. {fault.advice}"
        for number, fault in enumerate(session.faults, 1)
    ]
    return Answer(tuple(lines)) if lines else says("No fault has been found.")


def _log(session: "Session", text: Typed) -> Answer:
    text.nothing()
    lines = [f"Step {line.step}: {line.text}" for line in session.log[-_MOST_LOGGED:]]
    if earlier := len(session.log) - len(lines):
        lines.insert(0, f"{earlier} earlier ones are left out.")
    return Answer(tuple(lines) or ("No breakpoint has printed anything.",))


COMMANDS = (
    Command(
        "print",
        "EXPRESSION",
        "show the value of an expression, all digits of it",
        "print dW2 * 2",
        _print,
        ("p",),
        "The rows of a matrix have their numbers before them. digits 4 has fewer digits written.",
    ),
    Command(
        "digits",
        "[N | all]",
        "say how many digits answers write, or set it",
        "digits 4",
        _digits,
        (),
        f"N is from 1 to {_MOST_DIGITS}. Without a number it says what it is; with all, print "
        f"writes all digits again, and other answers {DIGITS}. The panes show what there is room "
        "for.",
        kept=True,
    ),
    Command("about", "", "say what the scenario is about", "about", _about),
    Command(
        "who",
        "CELL",
        "find what last changed a cell, and go there",
        "who W1[0, 2]",
        _who,
        (),
        "Also as a question: who last changed W1[0, 2]?",
    ),
    Command(
        "copy",
        "CELL > FILE",
        "write the value of a cell into a new file",
        "copy dW2[0, 1] > value.txt",
        _copy,
        writes=True,
    ),
    Command("where", "", "show where the run is, and what is watched", "where", _where),
    Command(
        "list",
        "",
        "show the program: > is next to run, * a breakpoint",
        "list",
        _list,
        ("l",),
    ),
    Command("tensors", "", "list the tensors, with shapes", "tensors", _tensors),
    Command(
        "plot",
        "EXPRESSION",
        "show an expression over all iterations so far",
        "plot norm(dW1)",
        _plot,
    ),
    Command(
        "verify", "", "compare the gradients with difference quotients", "verify", _verify, ("v",)
    ),
    Command("faults", "", "list the faults found, and what to do about them", "faults", _faults),
    Command("log", "", "show what breakpoints with a log have printed", "log", _log),
)
