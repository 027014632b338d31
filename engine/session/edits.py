"""What may be edited: a live tensor, a cell that it has, a value that fits; undo and redo."""

import operator
from collections.abc import Mapping

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.history.branch import Branch
from nnstep.engine.history.timeline import Timeline
from nnstep.engine.machine.edit import Change, Edit
from nnstep.engine.operations.losses import adds_up
from nnstep.engine.program.compile import program_of, weighted_program_of
from nnstep.engine.program.program import Instruction, Program, Role
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.text import did_you_mean, outside, quoted

_WANTED = "{}[…] = … takes whole numbers and a number"


class EditError(ValueError):
    """An edit that makes no sense; the message says why, and is fit to show."""


class UndoError(ValueError):
    """There is nothing to undo, or to make again; the message says so, and is fit to show."""


class PlaceError(ValueError):
    """A place that the run does not have; the message says which ones it has."""


def checked_edit(
    scenario: Scenario,
    program: Program,
    tensors: Mapping[str, Array],
    place: int,
    name: str,
    index: Shape,
    value: float,
) -> Edit:
    """Return the edit that gives a cell a value; raise `EditError` if any of them does not fit."""
    array = checked_tensor(name, program, tensors)
    below = None
    holds_classes = program.tensors[name].role is Role.DATA and array.dtype.kind == "i"
    if holds_classes and scenario.network is not None:
        below = scenario.network.layers[-1].units
    edit = Edit(place, name, *_cell(array, name, index, value, below))
    return replace(edit, lines=_general_lines(scenario, program, tensors, edit))


def _general_lines(
    scenario: Scenario, program: Program, tensors: Mapping[str, Array], edit: Edit
) -> tuple[tuple[int, Instruction], ...]:
    """Return the lines that allow for target rows that no longer sum to 1, by position.

    There are none where `a - y` is no derivative of the loss, or is one still. A person's own line
    stays what it is.
    """
    network, array = scenario.network, tensors[edit.name]
    if network is None or edit.name != "y" or array.dtype.kind != "f" or array.ndim != 2:
        return ()
    edited = dict(tensors)
    edit.apply(edited)
    if adds_up(edited[edit.name]):
        return ()
    lines = zip(
        program.instructions,
        program_of(scenario).instructions,
        weighted_program_of(scenario).instructions,
        strict=True,
    )
    return tuple(
        (position, general)
        for position, (line, own, general) in enumerate(lines)
        if line.code == own.code != general.code
    )


def changed_lines(before: Program, after: Program) -> list[str]:
    """Return the lines of a program that another one does not have."""
    if after is before:
        return []
    both = zip(before.instructions, after.instructions, strict=True)
    return [new.code for old, new in both if old.code != new.code]


def checked_tensor(name: str, program: Program, tensors: Mapping[str, Array]) -> Array:
    """Return a live tensor by its name, or raise `EditError` saying why there is none."""
    if name in tensors:
        return tensors[name]
    if name in program.tensors:
        writer = next(i for i in program.instructions if name in i.writes)
        part = writer.phase if writer.layer is None else f"{writer.phase}, layer {writer.layer}"
        raise EditError(f"{name} has no value yet; it gets one in {part}: {writer.code}")
    hint = did_you_mean(name, program.tensors)
    raise EditError(f"there is no tensor {quoted(name)}{hint}")


def _cell(
    array: Array, name: str, index: Shape, value: float, below: int | None
) -> tuple[Shape, float]:
    """Return the index and the value of an edit; raise `EditError` if they do not fit.

    A tensor of whole numbers counts from 0; `below` limits one that holds class indices.
    """
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise EditError(_WANTED.format(name)) from None
    whole = array.dtype.kind == "i"
    cell = checked_index(array, name, index)
    return cell, _counted(name, number, below) if whole else _fitting(array, number)


def checked_index(array: Array, name: str, index: Shape) -> Shape:
    """Return the index of a cell, counted from 0; raise `EditError` if there is no such cell."""
    try:
        place = tuple(map(operator.index, index))
    except TypeError:
        raise EditError(_WANTED.format(name)) from None
    if len(place) != array.ndim:
        wanted = f"{array.ndim} indices" if array.ndim != 1 else "1 index"
        raise EditError(f"{name} has shape {array.shape} and takes {wanted}, not {len(place)}")
    for axis, (item, size) in enumerate(zip(place, array.shape, strict=True)):
        if not -size <= item < size:
            raise EditError(outside(item, axis, name, size))
    return tuple(item % size for item, size in zip(place, array.shape, strict=True))


def _counted(name: str, value: float, below: int | None) -> int:
    """Return a value for a tensor that counts, or that holds class indices."""
    if not value.is_integer() or not 0 <= value < 2**31:
        raise EditError(f"{name} holds whole numbers from 0, not {value:g}")
    if below is not None and value >= below:
        raise EditError(f"{name} holds classes from 0 to {below - 1}, not {value:g}")
    return int(value)


def _fitting(array: Array, value: float) -> float:
    with np.errstate(over="ignore"):
        if np.isfinite(value) and not np.isfinite(array.dtype.type(value)):
            raise EditError(f"{value:g} is too large for {array.dtype}")
    return value


class _MadeEdit(Struct, frozen=True):
    """An edit: the branch it was made on, how many edits there were, and the branch it led to."""

    edit: Change
    left: Branch
    before: int
    entered: Branch


class _Undone(Struct, frozen=True):
    """An edit that was taken back, and the branch with it if anything had come of it.

    `place` is where that branch was left, and `left_place` where the one was left that the edit
    was made on: taking it back leads there, to the edit's own place.
    """

    change: _MadeEdit
    kept: Branch | None
    place: int
    left_place: int


class Changes:
    """Makes edits on a timeline, takes them back, and makes them again."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._done: list[_MadeEdit] = []
        self._undone: list[_Undone] = []

    def clear(self) -> None:
        """Forget what could be undone or redone."""
        self._done.clear()
        self._undone.clear()

    def forget(self, branch: Branch) -> None:
        """Forget the edits that a deleted branch had to do with."""
        self._done = [c for c in self._done if branch not in (c.left, c.entered)]
        self._undone = [
            u for u in self._undone if branch not in (u.change.left, u.change.entered, u.kept)
        ]

    def make(self, edit: Change) -> None:
        """Make an edit at the place of the timeline."""
        self._undone.clear()
        self._make(edit)

    def _make(self, edit: Change) -> None:
        timeline = self._timeline
        left, before = timeline.current, timeline.current.number_until(edit.place)
        timeline.edit(edit)
        self._done.append(_MadeEdit(edit, left, before, timeline.current))

    def undo(self) -> Change:
        """Go back to the last edit and take it back; raise `UndoError` if there is none."""
        if not self._done:
            raise UndoError("there is no edit to undo")
        change, timeline = self._done.pop(), self._timeline
        branch = change.entered
        place, left_place = self._place_on(branch), self._place_on(change.left)
        timeline.switch(branch, change.edit.place)
        unused = self._is_unused(change)
        if change.left is not branch:
            timeline.switch(change.left, change.edit.place)
            if unused:
                timeline.delete(branch)
        elif unused:
            timeline.take_back(change.before)
        else:
            timeline.fork(change.before)
        branch.place = place
        # To undo it once more, after it was made again, is to come back here.
        change = replace(change, left=timeline.current)
        self._undone.append(_Undone(change, None if unused else branch, place, left_place))
        return change.edit

    def _place_on(self, branch: Branch) -> int:
        """Return where a branch is, or was left."""
        timeline = self._timeline
        return timeline.place if timeline.current is branch else branch.place

    def _is_unused(self, change: _MadeEdit) -> bool:
        """Tell whether nothing has come of an edit: no step, no other edit, no branch."""
        branch, timeline = change.entered, self._timeline
        is_last = len(branch.edits) == change.before + 1 and branch.edits[-1] is change.edit
        at_end = branch.newest == change.edit.place and is_last
        return at_end and not timeline.has_children(branch)

    def redo(self) -> Change:
        """Make the edit that was undone last once more; raise `UndoError` if there is none."""
        if not self._undone:
            raise UndoError("there is no edit to make again")
        undone, timeline = self._undone.pop(), self._timeline
        change = undone.change
        stayed = (timeline.current, timeline.place) == (change.left, change.edit.place)
        if undone.kept is not None:
            timeline.switch(undone.kept, undone.place)
            self._done.append(change)
        else:
            timeline.switch(change.left, change.edit.place)
            self._make(change.edit)
            if timeline.current is not change.left:
                timeline.name_again(timeline.current, change.entered.name)
            self._follow(change.entered, timeline.current)
        if stayed and timeline.current is not change.left:
            change.left.place = undone.left_place
        return change.edit

    def _follow(self, old: Branch, new: Branch) -> None:
        """Have the edits that are still undone made where the one before them has led to now."""

        def followed(branch: Branch) -> Branch:
            return new if branch is old else branch

        for i, undone in enumerate(self._undone):
            change = undone.change
            left, entered = followed(change.left), followed(change.entered)
            change = replace(change, left=left, entered=entered)
            self._undone[i] = replace(undone, change=change)
