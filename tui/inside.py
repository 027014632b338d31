"""Inside a cell: its calculation, one part after the other replaced by its value, in the strip."""

from typing import TYPE_CHECKING

from .panes.scene import Topic

if TYPE_CHECKING:
    from nnstep.engine.explain.explanation import Explanation

# The columns that a line of the strip has on a narrow and on a wide screen, without its label.
NARROW, LABEL = 78, 12


class Inside:
    """The way through the calculation of a cell at a place; `at` has both, to know them again."""

    def __init__(self, why: "Explanation", place: int) -> None:
        from nnstep.engine.explain.stages import Stages

        assert why.calculation is not None, "somebody has asked whether there is one"
        self.at = (why.name, why.index), place
        self._why = why
        self._stages = Stages(why.calculation)
        self._number = 0

    def go_on(self) -> bool:
        """Have the next part become its value; False if it is the value of the cell already."""
        if self._stages.stage(self._number + 1) is None:
            return False
        self._number += 1
        return True

    def topic(self, width: int) -> Topic:
        """Return what the strip says: the calculation, the part that comes next marked."""
        from nnstep.engine.explain.stages import window

        stage = self._stages.stage(self._number)
        assert stage is not None
        why = self._why
        shown = window(stage, width - LABEL if width >= 100 else NARROW - 4)
        numbers = (
            ("= ", "strong"),
            (shown.text[: shown.start], "strong"),
            (f"[{shown.next}]" if shown.next else "", "selected"),
            (shown.text[shown.end :], "strong"),
        )
        becomes = f"{stage.next} = {stage.becomes}" if stage.becomes else "This is its value."
        if len(becomes) > width - LABEL - 6:
            becomes = f"it becomes {stage.becomes}"
        rule = ((why.rule or why.general, "strong"),)
        lines = (rule, numbers, ((becomes if not stage.becomes else f"next: {becomes}", "text"),))
        count = self._stages.count
        return Topic(
            head=f"inside {why.cell} = {why.value!r}",
            right=f"{self._number}{f' of {count}' if count else ''} parts done",
            narrow=lines,
            wide=(("rule", rule), ("numbers", numbers), ("next", ((becomes, "text"),))),
        )
