"""What a person may change at a place of the run: a cell of a tensor, or a line of the program."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from msgspec import Struct

from nnstep.engine.arrays import Array, Shape, sealed
from nnstep.engine.program.program import Instruction, Phase
from nnstep.engine.text import cell_name


class Edit(Struct, frozen=True):
    """One cell gets another value; `place` counts the instructions executed before it.

    `lines` are those that take the place of others from there on, by position: with targets that no
    longer sum to 1, the derivative of the loss is one that allows for it.
    """

    place: int
    name: str
    index: Shape
    value: float
    lines: tuple[tuple[int, Instruction], ...] = ()

    @property
    def cell(self) -> str:
        """The cell as a listing would write it: `W1[0, 1]`."""
        return cell_name(self.name, self.index)

    def __str__(self) -> str:
        return f"{self.cell} = {self.value:g}"

    def apply(self, tensors: dict[str, Array]) -> None:
        """Put an edited copy in the place of the tensor."""
        array = tensors[self.name].copy()
        array[self.index] = self.value
        tensors[self.name] = sealed(array)


class Override(Struct, frozen=True, eq=False):
    """From a place on, a person's own line runs in place of one of the rule's, or no longer does.

    `line` is what runs, the `nth` of its phase, from 1, that writes its tensor; `instruction` is
    that line, at a `position` of the program: the rule's own again once it has been switched off.
    """

    line: str
    phase: Phase
    nth: int
    place: int
    position: int
    instruction: Instruction

    @property
    def name(self) -> str:
        """The tensor that the line writes."""
        return self.instruction.writes[0]

    @property
    def cell(self) -> str:
        """What has been changed, for a message: no cell, but a line."""
        return f"the line {self.line}"

    @property
    def lines(self) -> tuple[tuple[int, Instruction], ...]:
        """The line that takes the place of another from there on, by its position."""
        return ((self.position, self.instruction),)

    @property
    def is_off(self) -> bool:
        """Whether the rule's own line runs again."""
        return self.instruction.rule is None

    def __str__(self) -> str:
        return f"override {self.name} off" if self.is_off else f"override {self.line}"

    def apply(self, tensors: dict[str, Array]) -> None:
        """Leave all values as they are: only what is computed from here on is another."""


Change = Edit | Override


def edited_copies(edits: Iterable[Change], tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Return an edited copy of each tensor that some edits change."""
    copies: dict[str, Array] = {}
    for edit in edits:
        if isinstance(edit, Edit):
            if edit.name not in copies:
                copies[edit.name] = tensors[edit.name].copy()
            copies[edit.name][edit.index] = edit.value
    return {name: sealed(array) for name, array in copies.items()}


class Coming:
    """What is edited on the way of a machine, in order of the places; `place` is the next one's."""

    def __init__(self, edits: Sequence[Change] = (), made: int = 0) -> None:
        # The first of them are made already; who has this goes on having it as it is.
        self._edits, self._made = edits, made
        self.place: float = edits[made].place if made < len(edits) else math.inf

    def due(self, place: int) -> tuple[Sequence[Change], "Coming"]:
        """Return the edits at a place, and what comes after them."""
        edits, end = self._edits, self._made
        while end < len(edits) and edits[end].place == place:
            end += 1
        return edits[self._made : end], Coming(edits, end)


def lines_of(edits: Iterable[Change]) -> Mapping[int, Instruction]:
    """Return the lines that edits put in place of others, by position; the last one counts."""
    return dict(chain.from_iterable(edit.lines for edit in edits))
