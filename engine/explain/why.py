"""Why a cell has its value: the chain of what it was computed from, followed to its cause.

At each cell one of those that it was computed from is followed, by the rules of `follow`. The chain
ends where there is something to say that no further number would explain: an edit, a person's own
line, the step that made a number that is not finite, a ReLU that is off, a saturated slope, a
frozen parameter, a learning rate of 0, the data, a first value.
"""

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.arrays import Shape
from nnstep.engine.operations.activations import ACTIVATIONS
from nnstep.engine.program.program import Instruction, Phase, Role
from nnstep.engine.text import cell_name

from .carried import carried_from
from .digits import to_digits
from .explain import Walk
from .follow import Followed, Follower
from .nodes import Cell, Node, value_of
from .not_finite import made_here
from .origin import Written, origin_of
from .sentences import number, of_first, percent
from .slope import largest_slope

if TYPE_CHECKING:
    from nnstep.engine.history.timeline import Timeline

Kind = Literal[
    "edit", "override", "non-finite", "off", "saturated", "frozen", "rate", "data", "first value",
    "constant",
]  # fmt: skip
MOST_HOPS = 12
_FIRST_HOPS = 7
_SATURATED = 0.01


class Hop(Struct, frozen=True):
    """A cell of a chain and its value; `step` wrote it, None for what was typed in or is a first.

    `text` says by which line it was computed, and why the next cell is the one followed.
    """

    cell: str
    value: float
    step: int | None
    text: str
    name: str
    index: Shape


class Cause(Struct, frozen=True):
    """Where a chain ends. `step` is the one that wrote the cell, or before which an edit stands."""

    kind: Kind
    cell: str
    step: int | None
    text: str
    name: str
    index: Shape


class Why(Struct, frozen=True):
    """A chain of at most a dozen hops, the first of them the cell asked for, and its cause.

    `left_out` counts the hops in the middle that there was no room for.
    """

    hops: tuple[Hop, ...]
    cause: Cause
    left_out: int = 0

    @property
    def sentence(self) -> str:
        """The cell asked for and the cause, in one sentence."""
        first = self.hops[0]
        asked = f"{first.cell} = {number(first.value)}"
        return f"{asked}: {self.cause.text}"


def why(timeline: "Timeline", name: str, index: Shape, place: int) -> Why:
    """Return why a cell has the value that it has at a place that the branch has reached."""
    chain = _Chain(timeline)
    with np.errstate(all="ignore"):
        cause = chain.follow(name, index, place)
    hops = chain.hops
    left_out = max(0, len(hops) - MOST_HOPS)
    if left_out:
        cut = hops[_FIRST_HOPS - 1]
        more = f"{cut.text}; {left_out:,} hops further on"
        kept = hops[len(hops) - (MOST_HOPS - _FIRST_HOPS) :]
        hops = [*hops[: _FIRST_HOPS - 1], replace(cut, text=more), *kept]
    return Why(tuple(hops), cause, left_out)


class _Chain:
    """The hops of a chain so far."""

    def __init__(self, timeline: "Timeline") -> None:
        self.hops: list[Hop] = []
        self._timeline = timeline
        self._program = timeline.program

    def follow(self, name: str, index: Shape, place: int) -> Cause:
        """Follow the value that a cell has at a place to its cause."""
        while True:
            written = origin_of(self._timeline, name, index, place)
            value = self._timeline.tensors_at(place)[name][index]
            if cause := self._given(name, index, value, written, place):
                return cause
            assert written.step is not None
            step = written.step
            walk = Walk(self._timeline, name, index, value, step)
            if isinstance(walk.node, Cell) and walk.node.name and self.hops:
                copied = self._follower(walk).follow(walk.node, walk.where)
                assert copied is not None, "a cell leads to itself"
                name, index, place = copied.name, copied.index, step
                continue
            found = self._next(walk)
            if isinstance(found, Cause):
                return found
            place = step
            if (found.name, found.index) == (name, index):
                place = self._over_updates(found, walk)
            name, index = found.name, found.index

    def _hop(self, name: str, index: Shape, value: Any, step: int | None, text: str) -> None:
        cell = cell_name(name, index)
        self.hops.append(Hop(cell, np.asarray(value).item(), step, text, name, index))

    def _cause(self, kind: Kind, name: str, index: Shape, step: int | None, text: str) -> Cause:
        return Cause(kind, cell_name(name, index), step, text, name, index)

    # What no calculation has made

    def _given(
        self, name: str, index: Shape, value: Any, written: Written, place: int
    ) -> Cause | None:
        """End the chain where a value was typed in, is a first one, or is from the data."""
        if written.edit is not None:
            at = written.edit.place
            self._hop(name, index, value, None, f"typed in before step {at}")
            text = f"{cell_name(name, index)} was set to {_short(value)} before step {at}."
            return self._cause("edit", name, index, at, text)
        if written.step is None:
            return self._first(name, index, value)
        if written.origin == "data":
            of = self._row(index, written.step)
            self._hop(name, index, value, written.step, of)
            text = f"{cell_name(name, index)} = {_short(value)} is {of}."
            return self._cause("data", name, index, written.step, text)
        line = self._timeline.line_of(written.step)
        if line.rule is not None:
            at = self._overridden_at(written.step)
            self._hop(name, index, value, written.step, f"{line.code}, a line of your own")
            text = f"{line.code} runs in place of {line.rule.code}, from step {at} on."
            return self._cause("override", name, index, at, text)
        return None

    def _first(self, name: str, index: Shape, value: Any) -> Cause:
        tensor, cell = self._program.tensors[name], cell_name(name, index)
        zero = ", zero" if value == 0 else ""
        if tensor.role is Role.RATE and value == 0:
            self._hop(name, index, value, None, f"a first value{zero}")
            text = f"{cell}, the learning rate, is 0: no update changes anything."
            return self._cause("rate", name, index, None, text)
        if tensor.frozen:
            self._hop(name, index, value, None, f"a first value{zero}, frozen")
            said = f"{cell} = {_short(value)} is a first value{zero}"
            text = f"{said}, and frozen: no update changes it."
            return self._cause("frozen", name, index, None, text)
        self._hop(name, index, value, None, f"a first value{zero}")
        text = f"{cell} = {_short(value)} is a first value{zero}."
        drawn = of_first(tensor, self._timeline.current.seed)
        return self._cause("first value", name, index, None, f"{text} {drawn}".rstrip())

    def _row(self, index: Shape, step: int) -> str:
        """Say which row of the data a value of a batch is from."""
        row = row_of(index, rows_taken(self._timeline, step))
        return f"from {row} of the data" if row else "from the data"

    def _overridden_at(self, step: int) -> int:
        """Return the place from which on the line of a step is a person's own; 0 for the file's."""
        position = step % len(self._program)
        overrides = self._timeline.current.overrides_until(step)
        made = [each for each in overrides if each.position == position]
        return made[-1].place if made else 0

    # What a line has made

    def _next(self, walk: Walk) -> Followed | Cause:
        """Note the hop of a cell that a line has computed; return the next cell, or the cause."""
        found = self._follower(walk).follow(expression_followed(walk), walk.where)
        finite = bool(np.isfinite(walk.value))
        if finite and (rate := self._rate(walk)):
            self._hop_of(walk, "lr is 0")
            return rate
        if found is None:
            self._hop_of(walk, "")
            text = f"{walk.line.code} takes no number of the run."
            return self._cause("constant", walk.name, walk.index, walk.step, text)
        if not finite and bool(np.isfinite(found.value)):
            made = made_here(walk.node, walk.where)
            self._hop_of(walk, made)
            text = (
                f"{cell_name(walk.name, walk.index)} = {_short(walk.value)} is made here: {made}."
            )
            return self._cause("non-finite", walk.name, walk.index, walk.step, text)
        if finite and found.is_off:
            return self._off(walk, found)
        if finite and (saturated := self._saturated(walk)):
            return saturated
        self._hop_of(walk, _then(found))
        return found

    def _hop_of(self, walk: Walk, text: str) -> None:
        _, _, code = walk.line.code.partition(" = ")
        said = ": ".join(filter(None, (code, text)))
        self._hop(walk.name, walk.index, walk.value, walk.step, said)

    def _follower(self, walk: Walk) -> Follower:
        return follower_of(self._timeline, walk)

    def _rate(self, walk: Walk) -> Followed | None:
        """Return the learning rate, where an update has it and it is 0."""
        if walk.line.phase is not Phase.UPDATE:
            return None
        for name in walk.line.reads:
            value = walk.before[name]
            if self._program.tensors[name].role is Role.RATE and not value.ndim and value == 0:
                return Followed(name, (), value[()])
        return None

    def _off(self, walk: Walk, found: Followed) -> Followed | Cause:
        """End the chain at the z that has a ReLU off, unless somebody has made it so."""
        self._hop_of(walk, f"{found.cell} is not above 0")
        text = f"{found.cell} = {_short(found.value)} is not above 0: its ReLU is off."
        return self._at_z("off", walk, found, text)

    def _saturated(self, walk: Walk) -> Followed | Cause | None:
        """End the chain at the z where the slope of an activation is under 1 % of its most."""
        of, slope = self._program.tensors[walk.name].of, slope_at(walk)
        if slope is None or of is None or of not in walk.before:
            return None
        most = largest_slope(walk.line.operation)
        if most is None or abs(slope) >= _SATURATED * most:
            return None
        z = Followed(of, walk.index, walk.before[of][walk.index])
        share = "0" if slope == 0 else percent(abs(slope) / most)
        said = f"the slope of {walk.line.operation} at {z.cell} = {_short(z.value)} is"
        self._hop_of(walk, f"{said} {number(slope)}")
        share = share if slope == 0 else f"{number(slope)}, {share} of its most"
        return self._at_z("saturated", walk, z, f"{said} {share}.".replace("the", "The", 1))

    def _at_z(self, kind: Kind, walk: Walk, z: Followed, text: str) -> Followed | Cause:
        written = origin_of(self._timeline, z.name, z.index, walk.step)
        step = written.step
        if written.edit or step is None or self._timeline.line_of(step).rule:
            return z
        if not np.isfinite(z.value):
            return z
        _, _, code = self._timeline.line_of(step).code.partition(" = ")
        self._hop(z.name, z.index, z.value, step, code)
        return self._cause(kind, z.name, z.index, step, text)

    def _over_updates(self, found: Followed, walk: Walk) -> int:
        """Pass over the updates of one cell that its own value before them is the most of."""
        place, updates = carried_from(self._timeline, found.name, found.index, walk.step)
        if updates > 1:
            last = self.hops[-1]
            text = f"{last.text}; so through {updates:,} updates before it"
            self.hops[-1] = replace(last, text=text)
        return place


def follower_of(timeline: "Timeline", walk: Walk) -> Follower:
    """Return what follows the expression of a cell, knowing what somebody has changed."""

    def touched(place: tuple[str, Shape]) -> str:
        written = origin_of(timeline, *place, walk.step)
        if written.edit is not None:
            return "edited"
        is_own = written.step is not None and timeline.line_of(written.step).rule
        return "overridden" if is_own else ""

    return Follower(timeline.program, walk.before, touched)


def expression_followed(walk: Walk) -> Node:
    """Return the expression to follow: the textbook's, where it gives the value too."""
    node = walk.opened_node
    if node is None or not np.isfinite(walk.value):
        return walk.node
    value = float(value_of(node, walk.where))
    return node if math.isclose(value, float(walk.value), rel_tol=1e-2) else walk.node


def slope_at(walk: Walk) -> float | None:
    """Return the slope of an activation that a line multiplies a gradient by, at one cell.

    None if the line does nothing like that, or mixes the cells of a row.
    """
    line: Instruction = walk.line
    da = line.names.get("da")
    if line.phase is not Phase.BACKWARD or line.operation not in ACTIVATIONS or da is None:
        return None
    if line.operation in ("softmax", "identity") or line.kernel is None:
        return None
    tensors = {**walk.before, da: np.ones_like(walk.before[da])}
    if total := line.names.get("total"):
        tensors[total] = np.zeros_like(walk.before[total])
    array = np.asarray(line.kernel(tensors))
    slope = float(array[walk.index]) if array.ndim == len(walk.index) else math.nan
    return slope if math.isfinite(slope) else None


def rows_taken(timeline: "Timeline", step: int) -> tuple[int, ...]:
    """Return the rows of the data that a batch line took, by their numbers."""
    machine = timeline.ghost(step)
    next(iter(machine.steps(step + 1)))
    return machine.rows_taken


def row_of(index: Shape, rows: tuple[int, ...]) -> str:
    """Say which row of the data a cell of a batch is from; nothing where it has no rows."""
    return f"row {rows[index[0]]}" if index and index[0] < len(rows) else ""


def _then(found: Followed) -> str:
    return found.why.strip().removesuffix(";")


def _short(value: Any) -> str:
    return to_digits(value, 6)
