"""The table of panes: a row says what a pane is called, where it stands, and which class it is.

The debugger composes, shows, focuses and enlarges panes from it, and the actions, the help and the
README have their digits and titles from it. It names the classes and imports none of them, so that
a list of keys costs no NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from nnstep.tui.actions import Action

    from .pane import Pane

# The regions of the screen, by what they are for: `main` has the step, and those of the three kinds
# of numbers that were asked for in its place; where there is room, these kinds also have regions of
# their own. `below` takes the last lines of another one, as many as its panes want; `bottom` has
# the whole width, and `tree` takes the place of the listing and of the step. What is in `whole`
# takes the place of all others while it has the keys; on a wide screen its blocks also stand in
# `map`.
RegionName = Literal[
    "listing",
    "main",
    "weights",
    "values",
    "gradients",
    "curve",
    "below",
    "bottom",
    "tree",
    "whole",
    "map",
]
Shown = Literal["always", "when asked for", "when filled", "with room"]


class Row(Struct, frozen=True):
    """A pane: its digit, if it has one, is its key; `kind` is its file in this folder and class.

    It stands in its `region`; panes that stand in one region take turns. One that is there only
    `with room` shows what another one of its digit shows, beside it: the digit goes to the other.
    `scope` is where its own keys are listed, and `roles` are those of the tensors that it shows.
    An expression has no layers, and so other titles.
    """

    id: str
    digit: int | None
    title: str
    kind: str
    region: RegionName
    shown: Shown = "always"
    scope: str = ""
    roles: tuple[str, ...] = ()
    expression_title: str = ""

    @property
    def kind_of_pane(self) -> "type[Pane]":
        """The class of the pane, imported now."""
        module, name = self.kind.split(".")
        found: type[Pane] = getattr(import_module(f"{__name__}.{module}"), name)
        return found

    def title_of(self, *, network: bool) -> str:
        """The title, for a network or for an expression."""
        return self.title if network else self.expression_title or self.title

    def make(self, *, network: bool, actions: "tuple[Action, ...]") -> "Pane":
        """Make the pane, for a network or for an expression."""
        return self.kind_of_pane.make(self, self.title_of(network=network), actions)


WEIGHTS = ("parameter", "buffer", "rate", "scratch")
VALUES = ("data", "constant", "value", "loss")
GRADIENTS = ("gradient",)

# fmt: off
PANES: tuple[Row, ...] = (
    Row("program", 1, "program", "program.ProgramPane", "listing", scope="program"),
    Row("step", 0, "step", "step.StepPane", "main", scope="tensors"),
    Row("weights", 2, "weights", "tensors.TensorPane", "main",
        scope="tensors", roles=WEIGHTS, expression_title="params"),
    Row("values", 3, "z/a", "tensors.TensorPane", "main",
        scope="tensors", roles=VALUES, expression_title="values"),
    Row("gradients", 4, "gradients", "tensors.TensorPane", "main",
        scope="tensors", roles=GRADIENTS),
    Row("more-weights", 2, "weights", "tensors.TensorPane", "weights", shown="with room",
        scope="tensors", roles=WEIGHTS, expression_title="params"),
    Row("more-values", 3, "z/a", "tensors.TensorPane", "values", shown="with room",
        scope="tensors", roles=VALUES, expression_title="values"),
    Row("more-gradients", 4, "gradients", "tensors.TensorPane", "gradients", shown="with room",
        scope="tensors", roles=GRADIENTS),
    Row("more-map", 8, "map", "map.MapPane", "map", shown="with room", scope="map"),
    Row("loss", 5, "loss", "curves.LossPane", "curve"),
    Row("watch", 6, "watch", "watch.WatchPane", "below", shown="when filled", scope="watches"),
    Row("timeline", 7, "timeline", "timeline.TimelinePane", "bottom",
        shown="when asked for", scope="timeline"),
    Row("tree", None, "tree", "tree.TreePane", "tree", shown="when asked for", scope="tree"),
    Row("map", 8, "map", "map.MapPane", "whole", shown="when asked for", scope="map"),
)
# fmt: on


def row_of(digit: int | None) -> Row:
    """Return the row of the table that a digit stands for."""
    return next(row for row in PANES if row.digit == digit and row.shown != "with room")


TREE = row_of(None)
