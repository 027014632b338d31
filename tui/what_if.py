"""What if a cell were another: its value under the arrow keys, and what the loss would be."""

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from nnstep.engine.arrays import Shape
from nnstep.engine.driver import Driver
from nnstep.engine.text import cell_name

from .numbers import to_significant
from .overlay import LowDialog

if TYPE_CHECKING:
    from nnstep.engine.explain.what_if import WhatIf

# A key changes a value by so much of its size, and of 1 where it is 0.
_SHARE = 0.1


class WhatIfValue(LowDialog[None]):
    """Shows the loss as it is, as the gradient predicts it, and as it comes out."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,x", "dismiss", show=False),
        Binding("up,k", "change(1)", show=False),
        Binding("down,j", "change(-1)", show=False),
        Binding("right,l", "change(10)", show=False),
        Binding("left,h", "change(-10)", show=False),
    ]

    def __init__(self, driver: Driver, name: str, index: Shape, value: np.generic) -> None:
        super().__init__()
        self._driver = driver
        self._tensor, self._index = name, index
        self._first: Any = value.item()
        self._steps = 0
        self._is_asking = False

    def compose(self) -> ComposeResult:
        """Show the value and the three losses."""
        with Vertical():
            yield Static(id="title")
            yield Static(id="losses")
            yield Static(
                Content("↑ ↓ change the value, ← → by much. Escape leaves: the run is untouched."),
                id="close",
            )

    def on_mount(self) -> None:
        """Begin with the value as it is."""
        self._ask()

    @property
    def value(self) -> float:
        """The value that is asked about."""
        if isinstance(self._first, int):
            return max(0, self._first + self._steps)
        size = _SHARE * (abs(self._first) if self._first and np.isfinite(self._first) else 1.0)
        return float(f"{self._first + self._steps * size:.12g}") if self._steps else self._first

    def action_change(self, steps: int) -> None:
        """Change the value up or down."""
        self._steps += steps
        self._ask()

    def on_unmount(self) -> None:
        """Have nothing computed that nobody waits for."""
        if self._is_asking:
            self._driver.pause()

    def _ask(self) -> None:
        self.query_one("#title", Static).update(
            Content(f"What if {cell_name(self._tensor, self._index)} = {self.value:.6g}?")
        )
        if self._is_asking:
            self._driver.pause()
            return
        name, index, value = self._tensor, self._index, self.value
        asked = self._driver.run_aside(
            lambda session: session.what_if(name, index, value), "running the pass"
        )
        if asked is None:
            self._say("Something is under way.")
        elif asked.done():
            self._say(*_told(asked))
        else:
            asked.add_done_callback(_told)  # whoever waits may have left
            self._say("Running the pass…")
            self._say_later(asked, value)

    @work
    async def _say_later(self, asked: "asyncio.Future[WhatIf]", value: float) -> None:
        """Say what came of a long pass, or ask anew if the value has changed meanwhile."""
        self._is_asking = True
        await asyncio.wait({asked})
        self._is_asking = False
        if value == self.value:
            self._say(*_told(asked))
        else:
            self._ask()

    def _say(self, *lines: str) -> None:
        self.query_one("#losses", Static).update(Content("\n".join(lines)))


def _told(asked: "asyncio.Future[WhatIf]") -> list[str]:
    from nnstep.engine.explain.what_if import GivenUpError

    try:
        return [] if asked.cancelled() else _lines(asked.result())
    except GivenUpError:
        return ["Interrupted."]
    except ValueError as error:
        return [str(error)]


def _lines(found: "WhatIf") -> list[str]:
    predicted = "–  no derivative by a class"
    if found.predicted is not None:
        change = found.predicted - found.before
        predicted = f"{found.predicted:.8g}   {to_significant(change, 4, '+')}"
        if found.slope:
            by = to_significant(found.value - found.old, 4, "+")
            predicted += f" = {to_significant(found.slope, 4)} × ({by})"
    moved = to_significant(found.exact - found.before, 4, "+")
    return [
        f"loss as it is             {found.before:.8g}",
        f"as the gradient predicts  {predicted}",
        f"as it comes out           {found.exact:.8g}   {moved}",
        found.sentence,
    ]
