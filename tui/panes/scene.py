"""What there is to see around a snapshot: what has just run, and which cell is in question."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Set
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.arrays import Shape, has_cell
from nnstep.engine.insight import NO_INSIGHT, Insight
from nnstep.engine.machine.edit import Change, Edit
from nnstep.engine.program.program import Program
from nnstep.engine.session.snapshot import Snapshot
from nnstep.engine.text import cell_name

if TYPE_CHECKING:
    from nnstep.engine.explain.explanation import Explanation
    from nnstep.engine.survey.layers import Survey
    from nnstep.engine.verification.verdict import Verification

Cell = tuple[str, Shape]


class Asked(Struct, frozen=True):
    """The cell in question, on which keys act and of which the strip speaks.

    `sources` are the cells that it was computed from, and `foremost` those that count most.
    """

    name: str
    index: Shape
    sources: frozenset[Cell] = frozenset()
    foremost: tuple[Cell, ...] = ()

    @property
    def cell(self) -> Cell:
        """The name of the tensor and the index in it."""
        return self.name, self.index

    @property
    def text(self) -> str:
        """The cell as it is written."""
        return cell_name(self.name, self.index)


def followed(index: Shape, shape: Shape) -> Shape:
    """Return the cell of a tensor that stands for the index followed: the same, or else the first.

    Of a tensor with fewer axes it is that of the last ones, of one with more the first on the
    others.
    """
    if not shape:
        return ()
    aligned = (*(0,) * len(shape), *index)[-len(shape) :]
    return aligned if has_cell(shape, aligned) else (0,) * len(shape)


WRITTEN, READ = "●", "○"
STALE, EDITED, FAULTY = "≈", "e", "!"
MISPRINTED = "?"


class Standing(Struct, frozen=True, eq=False):
    """How the tensors of a snapshot stand: written, read, old, stale, edited, at fault.

    Of `misprinted` cells another number is printed than they have.
    """

    written: frozenset[str]
    read: frozenset[str]
    old: Set[str]
    stale: Set[str]
    edited: Mapping[str, frozenset[Shape]]
    misprinted: Mapping[str, frozenset[Shape]]
    faulty: frozenset[str]

    def history(self, name: str) -> str:
        """Return the mark of what has become of a tensor, a blank for none."""
        if name in self.faulty:
            return FAULTY
        return EDITED if name in self.edited else STALE if name in self.stale else " "


class Scene(Struct, frozen=True, eq=False):
    """What the last key has run, how the tensors stand after it, and what it is about.

    `ran` are the places of the instructions that have just run, none after a jump. `asked` is the
    cell in question, which all panes of tensors show while `is_shown`. With `follow`, what was
    written is to come into view. `insight` has the line that has just run, laid out, and how the
    cell in question got its value, where that is known. `verified` is what came of the gradients
    of this pass, if somebody has had them verified. `survey` has the layers in numbers, if
    there is a pane that shows them.
    """

    standing: Standing
    ran: range = range(0)
    asked: Asked | None = None
    is_shown: bool = False
    follow: bool = False
    insight: Insight = NO_INSIGHT
    verified: "Verification | None" = None
    survey: "Survey | None" = None

    def is_like(self, other: "Scene") -> bool:
        """Tell whether there is the very same to see.

        With one insight, snapshots are the same, and so is how the tensors stand in them.
        """
        return (
            self.insight is other.insight
            and self.verified is other.verified
            and self.survey is other.survey
            and (self.ran, self.asked) == (other.ran, other.asked)
            and (self.is_shown, self.follow) == (other.is_shown, other.follow)
        )


Pieces = tuple[tuple[str, str], ...]
"""Texts, each with the name of its style in a palette."""


class Topic(Struct, frozen=True):
    """What the strip has to say in place of a cell's explanation.

    On a narrow screen these are lines, on a wide one each has a label.
    """

    head: str
    right: str
    narrow: tuple[Pieces, ...]
    wide: tuple[tuple[str, Pieces], ...]


def _misprinted(snapshot: Snapshot) -> Mapping[str, frozenset[Shape]]:
    """Return the cells whose values are not what is printed of them."""
    found: dict[str, frozenset[Shape]] = {}
    for one in snapshot.unmet:
        name = one.expectation.at
        found[name] = found.get(name, frozenset()) | {one.cell}
    return found


class Scenes:
    """Tells how the tensors of a program stand, and so what there is to see, at its places."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._writers: dict[str, list[int]] = {}
        for position, line in enumerate(program.instructions):
            for name in line.writes:
                self._writers.setdefault(name, []).append(position)
        self._edits: tuple[Change, ...] = ()
        # By name: their places, and the cells.
        self._edits_of: dict[str, tuple[list[int], list[Shape]]] = {}

    def scene(
        self,
        snapshot: Snapshot,
        ran: range = range(0),
        asked: Asked | None = None,
        *,
        is_shown: bool = False,
        follow: bool = False,
        insight: Insight = NO_INSIGHT,
        verified: "Verification | None" = None,
        survey: "Survey | None" = None,
    ) -> Scene:
        """Return what there is to see around a snapshot."""
        if asked is not None and insight.why is not None:
            cells = frozenset((each.name, each.index) for each in insight.why.sources)
            asked = replace(asked, sources=cells, foremost=_foremost(insight.why))
        standing = self._standing(snapshot, ran)
        return Scene(standing, ran, asked, is_shown, follow, insight, verified, survey)

    def _standing(self, snapshot: Snapshot, ran: range) -> Standing:
        lines, count = self._program.instructions, len(self._program)
        unit = [lines[place % count] for place in ran[-count:]]
        written = {name for line in unit for name in line.writes} or {*snapshot.written}
        read = {name for line in unit for name in line.reads} if unit else {*snapshot.read}
        return Standing(
            written=frozenset(written),
            read=frozenset(read - written if len(unit) > 1 else read),
            old=snapshot.old.but(written),
            stale=snapshot.stale,
            edited=self._edited(snapshot),
            misprinted=_misprinted(snapshot),
            faulty=frozenset(
                fault.tensor
                for fault in snapshot.faults
                if fault.level != "info" and fault.place == self._renewed(fault.tensor, snapshot)
            ),
        )

    def _edited(self, snapshot: Snapshot) -> Mapping[str, frozenset[Shape]]:
        """Return the cells that have the value that somebody gave them."""
        if snapshot.branch.edits is not self._edits:
            self._edits, self._edits_of = snapshot.branch.edits, {}
            for edit in self._edits:
                if isinstance(edit, Edit):
                    places, cells = self._edits_of.setdefault(edit.name, ([], []))
                    places.append(edit.place)
                    cells.append(edit.index)
        found = {}
        for name, (places, cells) in self._edits_of.items():
            first = bisect_left(places, self._renewed(name, snapshot))
            if here := cells[first : bisect_right(places, snapshot.place)]:
                found[name] = frozenset(here)
        return found

    def _renewed(self, name: str, snapshot: Snapshot) -> int:
        """Return the place just after the step that wrote a tensor last, 0 if none has."""
        count = len(self._program)
        start = snapshot.place - snapshot.position
        places = [
            start + at + 1 - (0 if at < snapshot.position else count)
            for at in self._writers.get(name, ())
        ]
        return max(0, *places) if places else 0


def _foremost(why: "Explanation") -> tuple[Cell, ...]:
    """Return the factors of the largest term of a sum that has several, else the sources."""
    known = {source.cell: (source.name, source.index) for source in why.sources}
    if len(why.terms) > 1:
        factors = (factor.cell for factor in why.terms[0].factors)
        return tuple(known[cell] for cell in factors if cell in known)
    return tuple(known.values())[:_FOREMOST]


# Of what is no sum, so many sources are looked at.
_FOREMOST = 8
