"""The map: the whole network as blocks, or an expression as a graph; and the layers as bars.

It has no cursor among the tensors: the cell in question stands in it, and arrows ask about another.
What draws it is imported when it is first seen.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual.message import Message

from nnstep.engine.arrays import Shape
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.actions import bindings

from .line_view import Line, Piece, columns
from .pane import Pane, Tab
from .scene import Scene, Topic, followed

if TYPE_CHECKING:
    from nnstep.engine.survey.layers import Survey

    from .map_drawing import Drawing

MAP, LAYERS = "map", "layers"
# From so many columns on the status line has the title of the scenario.
WIDE = 120


class MapPane(Pane):
    """Shows the map or the layers; alone it has all the room, beside others the blocks at work."""

    shows_layers = True
    BINDINGS = bindings("map")
    STATE = ("subject", "_view", "_snapshot", "_scene", "_layer", "_drawn", "_scroll")

    class Chosen(Message):
        """Someone asks about a cell; `goes` tells that they want to go where it was written."""

        def __init__(self, name: str, index: Shape, *, goes: bool) -> None:
            super().__init__()
            self.name, self.index, self.goes = name, index, goes

    def __init__(self, tab: Tab, *, id: str | None = None) -> None:
        super().__init__(tab, id=id)
        self._view = MAP
        self._snapshot: Snapshot | None = None
        self._scene: Scene | None = None
        # The layer that is chosen, by its line from the top; None for the last line.
        self._layer: int | None = None
        self._drawn: Drawing | None = None
        # Whether all blocks of a program fit in so many columns.
        self._fits: tuple[object, int, bool] = None, 0, True

    def show(self, snapshot: Snapshot, scene: Scene) -> None:
        """Draw a snapshot."""
        self._snapshot, self._scene = snapshot, scene
        self.redraw()

    def ask(self, scene: Scene) -> None:
        """Draw another cell in question."""
        self._scene = scene
        self.redraw()

    # Which of its two views

    def begin(self) -> None:
        """Show the map."""
        self._view = MAP

    def turn(self) -> bool:
        """Go on from the map to the layers; False if these are shown already."""
        if self.is_layers:
            return False
        self._view = LAYERS
        self.redraw()
        return True

    @property
    def is_layers(self) -> bool:
        """Whether the layers are shown: asked for, or because not all blocks fit."""
        return self._view == LAYERS or (self._is_alone and not self._all_fit())

    @property
    def _is_alone(self) -> bool:
        """Whether it has the whole width, and not a place beside other panes."""
        return self.id == MAP

    def _all_fit(self) -> bool:
        if self._snapshot is None or not self.display:
            return True
        from .map_drawing import all_fit

        program, width = self._snapshot.program, self.app.size.width
        if self._fits[:2] != (program, width):
            self._fits = program, width, all_fit(self._snapshot, width)
        return self._fits[2]

    @property
    def footer(self) -> str:
        """What keys the last line tells of."""
        if self.is_layers:
            return LAYERS
        snapshot = self._snapshot
        is_network = snapshot is not None and any(
            line.layer is not None for line in snapshot.program.instructions
        )
        return MAP if is_network else "graph"

    @property
    def _survey(self) -> "Survey | None":
        return self._scene.survey if self._scene else None

    @property
    def _chosen(self) -> int:
        last = len(self._survey.lines) - 1 if self._survey else 0
        return last if self._layer is None else min(self._layer, last)

    @property
    def topic(self) -> Topic | None:
        """What the strip has to say of the layer that is chosen, in place of a cell."""
        snapshot, survey = self._snapshot, self._survey
        if snapshot is None or survey is None or not survey.lines or not self.is_layers:
            return None
        from .map_layers import topic

        return topic(survey, self._chosen, snapshot)

    # Painting

    def title(self, width: int, hint: str = "") -> Iterator[Piece]:
        """Paint the two views, the one shown standing out, and of what this is the map."""
        if not self._is_alone:
            yield from super().title(width, hint)
            return
        palette, left = self.palette, width
        shown = palette.focused_title if self.has_focus else palette.active_tab
        for view, text in ((MAP, "m map"), (LAYERS, "layers")):
            is_shown = (view == LAYERS) == self.is_layers
            tab = f"[{text}]" if is_shown else f" {text} "
            yield tab, shown if is_shown else palette.tab
            left -= len(tab)
        subject = hint or (self.subject if width < WIDE else "")
        if columns(subject) + 2 <= left:
            yield f"{' ' * (left - columns(subject) - 1)}{subject} ", palette.tab

    def fit_body(self, width: int, height: int) -> None:
        """Draw the whole, and bring into view what has just been written."""
        if self._snapshot is None or self._scene is None:
            return
        from .map_drawing import draw

        self._drawn = draw(
            self._snapshot,
            self._scene,
            self.palette,
            width,
            height,
            layer=self._chosen if self.is_layers else None,
        )
        self.scrolled.fit(len(self._drawn.lines), height)
        if (line := self._drawn.reveal) is not None:
            self.scrolled.reveal(line, line + 1)

    def body(self, width: int, height: int) -> Iterator[Line]:
        """Return the lines drawn that are visible."""
        yield from self._drawn.lines[self.scrolled.visible] if self._drawn else ()

    # Keys

    def action_go(self, across: int, down: int) -> None:
        """Ask about what stands beside the tensor in question, or choose another layer."""
        if self._snapshot is None or self._scene is None or self._drawn is None:
            return
        if self.is_layers:
            if down and self._survey:
                self._layer = min(max(self._chosen + down, 0), len(self._survey.lines) - 1)
                self._choose(self._survey.lines[self._chosen].gradient_name)
            return
        from .map_places import beside

        asked, tensors = self._scene.asked, self._snapshot.tensors
        live = {name: place for name, place in self._drawn.places.items() if name in tensors}
        if name := beside(live, asked.name if asked else None, across, down):
            self._choose(name)

    def action_enter(self) -> None:
        """Go to the step that wrote what is in question, or the gradient of the layer."""
        asked = self._scene.asked if self._scene else None
        if self.is_layers and self._survey:
            self._choose(self._survey.lines[self._chosen].gradient_name, goes=True)
        elif asked is not None:
            self.post_message(self.Chosen(asked.name, asked.index, goes=True))

    def _choose(self, name: str, *, goes: bool = False) -> None:
        array = self._snapshot.tensors.get(name) if self._snapshot else None
        asked = self._scene.asked if self._scene else None
        index = followed(asked.index if asked else (), () if array is None else array.shape)
        self.post_message(self.Chosen(name, index, goes=goes and array is not None))

    def clicked(self, x: int, y: int) -> None:
        """Ask about the tensor that was clicked."""
        if self._drawn is None or self._snapshot is None:
            return
        line = y + self.scrolled.top
        places = self._drawn.places.items()
        near = [(x - at, name) for name, (at, row) in places if row == line and at <= x]
        if near and min(near)[1] in self._snapshot.tensors:
            self._choose(min(near)[1])
