"""Commands that change the course of the run: set, undo, redo, and those about branches."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from nnstep.engine.language.typed import Typed, blaming
from nnstep.engine.session.branches import Difference
from nnstep.engine.session.edits import changed_lines
from nnstep.engine.session.snapshot import BranchView, Snapshot
from nnstep.engine.text import cell_name, listed, several

from .command import Answer, Command, Journey, says, takes_long
from .reading import cell, value
from .stopping import delete_point

if TYPE_CHECKING:
    from nnstep.engine.session.session import Session

_EQUALS = re.compile(r"(?<![=!<>])=(?!=)")
_MOST_STALE = 8


def _set(session: "Session", text: Typed) -> Answer:
    found = text.cut(_EQUALS)
    if found is None:
        raise text.end.error("a cell gets a value as in: set W1[0, 1] = 0.5")
    target, new = found
    name, index = cell(target, session)
    number = value(new, session)
    before, branch = session.value(name)[index], session.branches.current
    program = session.program
    with blaming(new):
        session.edit(name, index, number)
    said = [f"{cell_name(name, index)} = {session.value(name)[index]!s} (was {before!s})"]
    said += branch_begun(session, branch)
    if formulas := changed_lines(program, session.program):
        said.append(
            f"A row of {name} no longer sums to 1: from here on {listed(formulas)}, "
            "which is the derivative of the loss for such rows, too."
        )
    if stale := [*session.stale]:
        more = [f"{len(stale) - _MOST_STALE} more"] if stale[_MOST_STALE:] else []
        names = listed([*stale[:_MOST_STALE], *more])
        said.append(f"Stale until computed again: {names}.")
    told = " ".join(line if line.endswith(".") else f"{line}." for line in said)
    return Answer(tuple(said), told=told if said[1:] else said[0], moved=True)


def branch_begun(session: "Session", before: str) -> list[str]:
    """Say so if a change in the past has begun a branch; it was made on the one `before`."""
    now = session.branches.current
    if now == before:
        return []
    return [f"A new branch, {now}, begins here; what came after stays on {before}."]


def _undo(session: "Session", text: Typed) -> Answer:
    return _taken_back(session, text, session.undo, "is undone")


def _redo(session: "Session", text: Typed) -> Answer:
    return _taken_back(session, text, session.redo, "is made again")


def _taken_back(session: "Session", text: Typed, do: Callable[[], str], done: str) -> Answer:
    text.nothing()
    journey = Journey(session)
    return takes_long(text, lambda _: journey.answer(f"The change of {do()} {done}.", quiet=True))


_MOST_EDITS = 3


def _branches(session: "Session", text: Typed) -> Answer:
    text.nothing()
    snapshot = session.snapshot()
    roots = [view for view in snapshot.branches if view.parent is None]
    return Answer(tuple(line for root in roots for line in _tree(snapshot, root, ())))


def _tree(snapshot: Snapshot, view: BranchView, above: tuple[BranchView, ...]) -> Iterator[str]:
    """Yield a line for a branch and, indented, one for each that has left it."""
    here = " (here)" if view.name == snapshot.branch.name else ""
    facts = ", ".join(_facts(view, above[-1] if above else None))
    yield f"{'  ' * len(above)}{view.name}{here}: {facts}"
    for child in snapshot.branches:
        if child.parent == view.name:
            yield from _tree(snapshot, child, (*above, view))


def _facts(view: BranchView, parent: BranchView | None) -> Iterator[str]:
    """Yield where a branch comes from, how far it has come, and what was changed on it."""
    yield f"left {parent.name} before step {view.fork}" if parent else f"seed {view.seed}"
    yield f"reaches step {view.newest}"
    if len(view.losses):
        yield f"loss {view.losses[-1]:.6g}"
    own = [edit for edit in view.edits if parent is None or edit not in parent.edits]
    for edit in own[:_MOST_EDITS]:
        yield f"{edit} before step {edit.place}"
    if len(own) > _MOST_EDITS:
        yield f"{len(own) - _MOST_EDITS} more changes"


def _switch(session: "Session", text: Typed) -> Answer:
    if not text:
        raise text.error(f"say which branch to go to: {several(session.branches.names)}")
    journey = Journey(session)

    def switch(_: object) -> Answer:
        session.branches.switch(text.text)
        return journey.answer(quiet=True)

    return takes_long(text, switch)


def _rename(session: "Session", text: Typed) -> Answer:
    if not 1 <= len(text.words) <= 2:
        raise text.error("a branch gets a name as in: rename b1 warmer")
    old, new = session.branches.current, text.words[-1]
    if len(text.words) == 2:
        old = text.first.text
    with blaming(new if old in session.branches.names else text):
        session.branches.rename(old, new.text)
    return says(f"The branch {old} is now called {new.text}.")


def _delete(session: "Session", text: Typed) -> Answer:
    if not text:
        raise text.error("say what to delete: the number of a breakpoint, or the name of a branch")
    if text.is_number:
        return delete_point(session, text)
    with blaming(text):
        session.branches.delete(text.text)
    return says(f"The branch {text.text} is deleted.")


def _diff(session: "Session", text: Typed) -> Answer:
    match [word.text for word in text.words]:
        case [first, second]:
            pass
        case [second]:
            first = session.branches.current
        case _:
            raise text.error("name the branches to compare, as in diff main b1")

    def compare(_: object) -> Answer:
        place, found = session.branches.diff(first, second)
        title = f"{first} and {second} before step {place}"
        if not found:
            return says(f"{title} do not differ.")
        return Answer((f"{title}:", *map(_difference, found)))

    return takes_long(text, compare)


def _difference(found: Difference) -> str:
    if found.index is None:
        return f"{found.name} is only on one of them, or in another shape"
    if found.size == 1:
        return f"{found.name}: {found.first} and {found.second}"
    most = f"most {cell_name(found.name, found.index)}: {found.first} and {found.second}"
    return f"{found.name}: {found.cells} of {found.size} cells, {most}"


COMMANDS = (
    Command(
        "set",
        "CELL = VALUE",
        "change a value, from here on; in the past, on a new branch",
        "set W1[0, 1] = 0.5",
        _set,
        (),
        "VALUE is a number (nan, inf and -inf too) or an expression: set W1[0, 1] = W1[0, 1] * 2. "
        "A tensor of one number has no index: set lr = 0.1.",
        kept=True,
    ),
    Command("undo", "", "take the last change back", "undo", _undo, ("u",), kept=True),
    Command("redo", "", "make the change that was undone again", "redo", _redo, kept=True),
    Command(
        "branches",
        "",
        "list the branches that changes in the past have made",
        "branches",
        _branches,
    ),
    Command(
        "switch",
        "BRANCH",
        "go to a branch, to where it was left",
        "switch main",
        _switch,
        kept=True,
    ),
    Command(
        "rename",
        "[BRANCH] NAME",
        "give a branch, or the present one, another name",
        "rename b1 warmer",
        _rename,
        kept=True,
    ),
    Command(
        "delete",
        "N | BRANCH",
        "delete a breakpoint by its number, or a branch by its name",
        "delete 1",
        _delete,
        kept=True,
    ),
    Command("diff", "[BRANCH] BRANCH", "compare two branches at this step", "diff main b1", _diff),
)
