"""A view of a snapshot and its scene, which can be drawn on the side before it is to be seen.

A step is asked for at once after somebody has read the one before, and drawing what it shows takes
longer than sending it. So that is done ahead, and taken if it is then that scene that is shown.
"""

import copy
from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.session.snapshot import Snapshot

from .line_view import Change, Line, LineView
from .scene import Scene

State = tuple[object, ...]


class Varying:
    """What a view changes in place: to be kept it is copied, and it is compared by its values."""


class Drawn(Struct, frozen=True):
    """What a view will look like: for which scene, from and to which state, and in which look.

    `changes` are what differs of `lines` from the lines that are on the screen, `base`.
    """

    scene: Scene
    before: State
    after: State
    look: State
    base: list[Line]
    lines: list[Line]
    changes: list[Change]


class SceneView(LineView):
    """The base of what shows snapshots: a subclass takes them in `show`."""

    # The attributes that say what is shown, and by which two moments can be told apart. Nothing is
    # drawn ahead of a view that names none.
    STATE: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._ahead: Drawn | None = None
        # What is drawn already of what is to be seen now.
        self._ready: Drawn | None = None
        self._is_aside = False

    def show(self, snapshot: Snapshot, scene: Scene) -> None:
        """Draw a snapshot, and what there is to see around it."""
        raise NotImplementedError

    def give(self, snapshot: Snapshot, scene: Scene) -> None:
        """Show a snapshot and its scene, as it was drawn ahead if it was."""
        ahead, self._ahead = self._ahead, None
        if ahead is None or ahead.scene is not scene or not self._stands(ahead):
            self.show(snapshot, scene)
            return
        self._put(ahead.after)
        self.redraw()
        self._ready = ahead

    def look_ahead(self, snapshot: Snapshot, scene: Scene) -> None:
        """Draw on the side what there will be to see; nothing on the screen changes."""
        self._ahead, size = None, self.outer_size
        if not (self.STATE and self.display and size and size == self._painted):
            return
        before, self._is_aside = self._state(), True
        try:
            self.show(snapshot, scene)
            lines = self.paint_in(size)
            changes = [
                replace(change, sent=self.sent(change.pieces))
                for change in self.differences(self._lines, lines)
            ]
            self._ahead = Drawn(
                scene, before, self._state(), self.look, self._lines, lines, changes
            )
        finally:
            self._put(before)
            self._is_aside = False

    @property
    def look(self) -> State:
        """What the drawing depends on besides the state."""
        return self.outer_size, self.palette, self.has_focus, self.edge

    def _state(self) -> State:
        values = (getattr(self, name) for name in self.STATE)
        return tuple([copy.copy(each) if isinstance(each, Varying) else each for each in values])

    def _put(self, state: State) -> None:
        for name, value in zip(self.STATE, state, strict=True):
            setattr(self, name, value)

    def _stands(self, ahead: Drawn) -> bool:
        """Tell whether this is as it was when something was drawn ahead."""
        return (
            self._lines is ahead.base
            and self.look == ahead.look
            and tuple([getattr(self, name) for name in self.STATE]) == ahead.before
        )

    def redraw(self) -> None:
        """Have this painted again, unless it is drawn on the side."""
        self._ready = None
        if not self._is_aside:
            super().redraw()

    def renew(self) -> list[Change]:
        """Take what is drawn already, or paint."""
        ready, self._ready = self._ready, None
        if ready is None or ready.base is not self._lines:
            return super().renew()
        return self.accept(ready.lines, ready.changes)
