"""How a program stands in a pane: its labels, and which row shows which part of which line.

Where there is room for it, long lines are continued on the next row. Else every line has one row,
cut at the edge. Only the program and the size of the pane decide, never the step.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from nnstep.engine.program.instruction import Phase, Program

# From this width on, the phases are written in full, and from this one on with a blank before.
WIDTH_FOR_WORDS = 44
WIDTH_FOR_GAP = 36
# Before every line: a column for breakpoints, a mark, and a blank after the label.
GUTTER = 3

# What stays together on a line: up to a blank, or up to and with an opening bracket.
_WORD = re.compile(r"[^\s(]*\(|[^\s(]+\s*|\s+")

_SHORT = {Phase.FORWARD: "fwd", Phase.BACKWARD: "back"}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the listing: the number of the line, and what of its code stands here."""

    line: int
    code: str
    begins: bool


@dataclass(frozen=True)
class Rows:
    """The rows of a program; `starts` has the first one of each line, and how many there are."""

    rows: tuple[Row, ...]
    starts: tuple[int, ...]
    labels: tuple[str, ...]
    code_width: int

    def __len__(self) -> int:
        return len(self.rows)

    def of_line(self, line: int) -> tuple[int, int]:
        """Return the first row of a line, and the one after its last."""
        return self.starts[line], self.starts[line + 1]

    @cached_property
    def overhang(self) -> int:
        """How many columns of the longest row do not fit."""
        return max(0, max((len(row.code) for row in self.rows), default=0) - self.code_width)


def rows_of(program: Program, width: int, height: int) -> Rows:
    """Lay a program out in a pane with so many columns and lines."""
    labels = label_column(program, wide=width >= WIDTH_FOR_WORDS)
    gap = " " if width >= WIDTH_FOR_GAP else ""
    labels = tuple(gap + label for label in labels)
    code_width = max(1, width - GUTTER - len(labels[0]))
    codes = [[instruction.code] for instruction in program.instructions]
    wrapped = [wrapped_code(code, code_width) for (code,) in codes]
    if sum(map(len, wrapped)) <= height:
        codes = wrapped
    rows = tuple(
        Row(line, code, part == 0)
        for line, parts in enumerate(codes)
        for part, code in enumerate(parts)
    )
    begins = tuple(y for y, row in enumerate(rows) if row.begins)
    return Rows(rows, (*begins, len(rows)), labels, code_width)


def natural_width(program: Program) -> int:
    """Return the width at which no line of a program is cut."""
    labels = label_column(program, wide=True)
    longest = max(len(instruction.code) for instruction in program.instructions)
    return max(WIDTH_FOR_WORDS, GUTTER + 1 + len(labels[0]) + longest + 1)


def label_column(program: Program, *, wide: bool) -> tuple[str, ...]:
    """Return the phase and layer of each line, in words or shorter, all equally wide."""
    labels: list[str] = []
    for instruction in program.instructions:
        phase = instruction.phase
        name = phase.value if wide else _SHORT.get(phase, phase.value)
        labels.append(name if instruction.layer is None else f"{name} {instruction.layer}")
    width = max(map(len, labels), default=0)
    return tuple(label.ljust(width) for label in labels)


def wrapped_code(code: str, width: int) -> list[str]:
    """Break a line of code at blanks and after brackets; what continues it is indented."""
    indent = "  " if width > 8 else ""
    lines = [""]
    for word in _WORD.findall(code):
        if len(lines[-1]) + len(word.rstrip()) <= width:
            lines[-1] += word
            continue
        left = indent + word
        while len(left.rstrip()) > width:
            lines.append(left[:width])
            left = indent + left[width:]
        lines.append(left)
    return [line.rstrip() for line in lines if line.strip()]


def shortened(code: str, left: int, width: int) -> str:
    """Return the part of a line from column `left` on that fits, `…` where more is."""
    shown = code[left : left + width]
    if left:
        shown = f"…{shown[1:]}"
    return f"{shown[: width - 1]}…" if left + width < len(code) else shown
