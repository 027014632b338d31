"""From the keys of a session file to the session that was saved, if they make sense together."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from msgspec.structs import asdict

from nnstep.engine.limits import MAX_TABLES
from nnstep.engine.machine.edit import Edit
from nnstep.engine.stops.points import Breakpoint, Point, Watchpoint
from nnstep.engine.text import printable, quoted

from . import schema
from .errors import SessionFileError
from .state import SavedBranch, SavedSession

_MOST_EDITS = 10_000_000
"""Edits of all branches together, those counted again that a branch has from its parent."""


def saved_session(file: schema.File) -> SavedSession:
    """Return the session of a file; raise `SessionFileError` for what cannot be one.

    A branch leaves an earlier one, at a place which that has reached; its edits are in order.
    """
    branches = _branches(file)
    for name in (file.current, file.left):
        _check(name is None or name in branches, f"there is no branch {quoted(name or '')}")
    return SavedSession(
        iterations=file.iterations,
        current=file.current,
        left=file.left,
        branches=tuple(branches.values()),
        points=_points(file),
        watches=tuple(map(_shown, file.watches)),
    )


def _branches(file: schema.File) -> Mapping[str, SavedBranch]:
    count = len(file.branches)
    _check(1 <= count <= MAX_TABLES, f"it has {count} branches, not 1 to {MAX_TABLES}")
    edits: dict[str, list[Edit]] = {table.name: [] for table in file.branches}
    for edit in file.edits:
        _check(edit.branch in edits, f"an edit is on {quoted(edit.branch)}, which is no branch")
        edits[edit.branch].append(Edit(edit.place, edit.tensor, edit.index, float(edit.value)))
    branches: dict[str, SavedBranch] = {}
    room = _MOST_EDITS
    for table in file.branches:
        _check(table.name not in branches, f"there are two branches {quoted(table.name)}")
        branch = _branch(table, edits[table.name], branches)
        branches[branch.name] = branch
        room -= len(branch.edits)
        _check(room >= 0, "it has more edits than can be taken up")
    return branches


def _branch(
    table: schema.Branch, own: Sequence[Edit], earlier: Mapping[str, SavedBranch]
) -> SavedBranch:
    """Return a branch with all its edits."""
    name = quoted(table.name)
    inherited: tuple[Edit, ...] = ()
    if table.parent is None:
        _check(not table.fork and not table.inherited, f"{name} has a fork, but leaves no branch")
    else:
        left = quoted(table.parent)
        _check(table.parent in earlier, f"{name} leaves {left}, which is no earlier branch")
        inherited = _inherited(table, earlier[table.parent])
    _check(table.place <= table.newest, f"{name} is at a place beyond its newest one")
    places = [table.fork, *(edit.place for edit in own), table.newest]
    in_order = all(one <= other for one, other in pairwise(places))
    _check(in_order, f"{name} is not in order: its fork, its edits, and its newest place")
    return SavedBranch(
        name=table.name,
        seed=table.seed,
        parent=table.parent,
        fork=table.fork,
        newest=table.newest,
        place=table.place,
        edits=(*inherited, *own),
    )


def _inherited(table: schema.Branch, parent: SavedBranch) -> tuple[Edit, ...]:
    """Return the edits that a branch has from its parent: all before the fork, and some at it."""
    name, count = quoted(table.name), table.inherited
    _check(table.seed == parent.seed, f"{name} has another seed than the branch that it leaves")
    _check(table.fork <= parent.newest, f"{name} leaves its parent where that never was")
    places = [edit.place for edit in parent.edits]
    in_order = [*places[:count][-1:], table.fork, *places[count : count + 1]]
    sound = count <= len(places) and in_order == sorted(in_order)
    _check(sound, f"{name} does not have the edits from before its fork")
    return parent.edits[:count]


def _points(file: schema.File) -> tuple[Point, ...]:
    """Return the breakpoints and watchpoints in the order of their numbers."""
    points: list[Point] = [Breakpoint(**asdict(table)) for table in file.breakpoints]
    for table in file.watchpoints:
        points += (Watchpoint(**{**asdict(table), "value": float(table.value)}),)
    points.sort(key=lambda point: point.number)
    for point, following in pairwise(points):
        same = point.number == following.number
        _check(not same, f"two breakpoints have the number {point.number}")
    for point in points:
        _shown(str(point))
    return tuple(points)


def _check(sound: bool, problem: str) -> None:
    if not sound:
        raise SessionFileError(problem)


def _shown(text: str) -> str:
    """Return a text that will be shown; raise `SessionFileError` if it could act on a terminal."""
    safe = printable(text, keep_newlines=True) == text
    _check(safe, f"{quoted(text)} holds a character that cannot be shown")
    return text
