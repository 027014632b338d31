"""Undo and redo of edits; neither loses what was run in between.

To undo an edit is to go back to where it was made, without it. If the run has gone on since, that
future stays on its branch, and to redo the edit is to return there.
"""

from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.edit import Edit
from nnstep.engine.history.branch import Branch
from nnstep.engine.history.timeline import Timeline

from .edits import UndoError


class _MadeEdit(Struct, frozen=True):
    """An edit: the branch it was made on and the edits there were, and the branch it led to."""

    edit: Edit
    left: Branch
    before: tuple[Edit, ...]
    entered: Branch

    @property
    def after(self) -> tuple[Edit, ...]:
        return (*self.before, self.edit)


class _Undone(Struct, frozen=True):
    """An edit that was taken back, and the branch with it if anything had come of it.

    `place` is where that branch was left.
    """

    change: _MadeEdit
    kept: Branch | None
    place: int


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

    def make(self, edit: Edit) -> None:
        """Make an edit at the place of the timeline."""
        self._undone.clear()
        self._make(edit)

    def _make(self, edit: Edit) -> None:
        timeline = self._timeline
        left, before = timeline.current, timeline.current.edits_until(edit.place)
        timeline.edit(edit)
        self._done.append(_MadeEdit(edit, left, before, timeline.current))

    def undo(self) -> Edit:
        """Go back to the last edit and take it back; raise `UndoError` if there is none."""
        if not self._done:
            raise UndoError("there is no edit to undo")
        change, timeline = self._done.pop(), self._timeline
        branch = change.entered
        place = timeline.place if timeline.current is branch else branch.place
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
        self._undone.append(_Undone(change, None if unused else branch, place))
        return change.edit

    def _is_unused(self, change: _MadeEdit) -> bool:
        """Tell whether nothing has come of an edit: no step, no other edit, no branch."""
        branch, timeline = change.entered, self._timeline
        at_end = branch.newest == change.edit.place and branch.edits == change.after
        return at_end and not timeline.has_children(branch)

    def redo(self) -> Edit:
        """Make the edit that was undone last once more; raise `UndoError` if there is none."""
        if not self._undone:
            raise UndoError("there is no edit to make again")
        undone, timeline = self._undone.pop(), self._timeline
        change = undone.change
        if undone.kept is not None:
            timeline.switch(undone.kept, undone.place)
            self._done.append(change)
        else:
            timeline.switch(change.left, change.edit.place)
            self._make(change.edit)
            self._follow(change.entered, timeline.current)
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
