"""The next step is drawn before anybody asks for it, while what was typed last is read.

What a step shows takes longer to find out and to draw than to send. So it is found out and drawn on
the side, and taken if the step then leads to the very same.
"""

from collections.abc import Iterable
from typing import Protocol

from nnstep.engine.driver import Driver
from nnstep.engine.insight import Insight
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.panes.scene import Cell, Scene
from nnstep.tui.panes.scene_view import SceneView

from .pointer import Pointer


class SceneOf(Protocol):
    """Tells what there is to see around a snapshot."""

    def __call__(
        self, snapshot: Snapshot, ran: range, cell: Cell | None, insight: Insight, *, follow: bool
    ) -> Scene:
        """Return the scene, with the places that have just run and the cell in question."""


class Ahead:
    """What there will be to see after the next step, if that is known."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        # What was shown when this was found out.
        self.here: Snapshot | None = None
        self._scene: Scene | None = None

    def look(
        self,
        pointer: Pointer,
        scene_of: "SceneOf",
        views: Iterable[SceneView],
    ) -> None:
        """Have views draw what the next step will show, unless that was tried from here before.

        `pointer` tells which cell is in question after a step.
        """
        if self.here is self._driver.snapshot:
            return
        self.here, self._scene = self._driver.snapshot, None
        foresight = self._driver.look_ahead(pointer.cell)
        if foresight is None:
            return
        snapshot, place = foresight.snapshot, foresight.snapshot.place
        self._scene = scene_of(
            snapshot,
            range(place - 1, place),
            foresight.cell,
            foresight.insight,
            follow=bool(snapshot.written),
        )
        for view in views:
            view.look_ahead(snapshot, self._scene)

    def or_drawn(self, scene: Scene) -> Scene:
        """Return the scene that was drawn ahead, if it is just like this one."""
        ahead, self._scene = self._scene, None
        return ahead if ahead is not None and ahead.is_like(scene) else scene
