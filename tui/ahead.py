"""The next step is drawn before anybody asks for it, while what was typed last is read.

What a step shows takes longer to find out and to draw than to send. So it is found out and drawn on
the side, and taken if the step then leads to the very same.
"""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import Struct

from nnstep.engine.driver import AT_ONCE, Driver
from nnstep.engine.insight import Insight
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.panes.scene import Cell, Scene
from nnstep.tui.panes.scene_view import SceneView

from .pointer import Pointer
from .trees import Trees

if TYPE_CHECKING:
    from nnstep.engine.survey.layers import Survey


class Moment(Struct, frozen=True, eq=False):
    """A snapshot, the places that have just run, and what there is to say of the cell in question.

    With `follow`, what was written is to come into view. `survey` has the layers in numbers, if
    there is a pane that shows them.
    """

    snapshot: Snapshot
    ran: range
    cell: Cell | None
    insight: Insight
    follow: bool
    survey: "Survey | None"


class Ahead:
    """What there will be to see after the next step, if that is known."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        # By the line that was next: how many seconds this took the processor.
        self._took: dict[int, float] = {}
        # What was shown when this was found out.
        self.here: Snapshot | None = None
        self._scene: Scene | None = None

    def look(
        self, pointer: Pointer, trees: Trees, *, surveys: bool, is_read: bool
    ) -> Moment | None:
        """Find out what there will be; None if that was tried from here before, or is not known.

        Nor is what keys would wait for too long, by how long it took the last time, unless the step
        shown `is_read`: then no key is likely to come meanwhile.
        """
        here = self._driver.snapshot
        if self.here is here or (self._took.get(here.position, 0.0) > AT_ONCE and not is_read):
            return None
        self.here, self._scene, began = here, None, time.thread_time()
        found = self._found(pointer, trees, surveys=surveys)
        self._took[here.position] = time.thread_time() - began
        return found

    def _found(self, pointer: Pointer, trees: Trees, *, surveys: bool) -> Moment | None:
        """Find out what there will be.

        The cell in question will be that of the tree on the screen, or else what the `pointer`
        points at.
        """
        if (ahead := self._driver.look_ahead()) is None:
            return None
        snapshot, cell, of = ahead.snapshot, pointer.cell(ahead.snapshot), None
        if root := trees.ahead(ahead):
            cell, of = (root.name, root.index), root.place if root.has_run else None
        if (insight := ahead.insight(cell, of)) is None:
            return None
        ran, follow = range(snapshot.place - 1, snapshot.place), bool(snapshot.written)
        survey = self._driver.survey(ahead) if surveys else None
        return Moment(snapshot, ran, cell, insight, follow, survey)

    def draw(self, snapshot: Snapshot, scene: Scene, views: Iterable[SceneView]) -> None:
        """Have views draw on the side what there will be to see."""
        self._scene, began = scene, time.thread_time()
        for view in views:
            view.look_ahead(snapshot, scene)
        self._took[self._driver.snapshot.position] += time.thread_time() - began

    def or_drawn(self, scene: Scene) -> Scene:
        """Return the scene that was drawn ahead, if it is just like this one."""
        ahead, self._scene = self._scene, None
        return ahead if ahead is not None and ahead.is_like(scene) else scene
