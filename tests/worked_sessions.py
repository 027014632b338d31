"""Sessions in which somebody has worked, at random or not, and what tells two of them apart."""

import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from building import expression, network, optimizer, shuffled
from built_in import built_in
from msgspec.structs import replace

from nnstep.engine.arrays import frozen
from nnstep.engine.commands.interpreter import Interpreter
from nnstep.engine.language.typed import TextError
from nnstep.engine.machine.clock import UNITS
from nnstep.engine.machine.edit import Change, Override
from nnstep.engine.saving.command import save
from nnstep.engine.saving.journal import Journal, script
from nnstep.engine.saving.replay import Opened, Replayed, open_session
from nnstep.engine.scenario.model import Data, Loss, Run, Scenario
from nnstep.engine.session.session import Session
from nnstep.engine.text import cell_name

NOTHING_KEPT, EVERYTHING_KEPT = 0, 1 << 40


def classes() -> Scenario:
    """A network whose targets are class indices, whole numbers."""
    case = network((2, 4, 3), rows=4, batch_size=2, loss=Loss("cross_entropy", "mean", True))
    x = case.data.x if case.data else frozen([])
    return replace(case, data=Data(x, frozen(np.array([0, 2, 1, 2])), 2, True))


def code() -> Scenario:
    return expression("d = a * a\ne = d + b", "e", optimized=optimizer("sgd", 0.1), a=2.0, b=1.0)


def of_kind(kind: int) -> Scenario:
    """One of five kinds of scenario, networks in several precisions among them."""
    dtypes = ("float64", "float32", "float16")
    match kind % 5:
        case 0:
            return classes()
        case 1:
            return code()
        case 2:
            return built_in("xor")
        case _:
            return replace(shuffled(kind, dtypes[kind % 3], Run(iterations=40)), seed=kind)


class Worked:
    """A session that is given commands, or moved, as a person would, and its journal."""

    def __init__(
        self,
        scenario: Scenario,
        history: int = EVERYTHING_KEPT,
        iterations: int | None = None,
    ) -> None:
        self.session = Session(scenario, history=history, iterations=iterations)
        self.journal = Journal(self.session)

    def give(self, *lines: str) -> None:
        """Execute commands; those that are kept are taken down."""
        for line in lines:
            Interpreter(self.session, self.journal).execute(line)

    def contents(self) -> bytes:
        self.journal.note(self.session)
        return b"".join(self.journal.laid_out())

    def lines(self) -> list[str]:
        """The commands in the file, without what stands behind them."""
        return [line.text for line in script(self.contents()).lines]

    def replayed(self, history: int = EVERYTHING_KEPT) -> Replayed:
        found = script(self.contents())
        assert not found.problem
        replayed = Opened("w.session", found, self.session.scenario).replay(history=history)
        assert (replayed.problem, replayed.warning) == ("", "")
        return replayed


def random_value(array: Any, choose: random.Random) -> str:
    if array.dtype.kind == "i":
        return str(choose.randrange(3))
    special = ["nan", "-nan", "inf", "-inf", "-0.0", "1e-300", "1/3", "0.30000000000000004"]
    return choose.choice(special) if choose.random() < 0.4 else repr(choose.uniform(-2, 2))


def an_edit(session: Session, choose: random.Random) -> str:
    name = choose.choice(sorted(session.values()))
    array = session.value(name)
    index = tuple(choose.randrange(size) for size in array.shape)
    return f"set {cell_name(name, index)} = {random_value(array, choose)}"


def an_override(session: Session, choose: random.Random) -> str:
    if session.overrides and choose.random() < 0.4:
        return f"override {choose.choice(session.overrides).name} off"
    line = choose.choice([line for line in session.program.instructions if line.kernel])
    name, code = line.code.split(" = ", 1)
    factor = "" if name == "t" else f" * {choose.uniform(0.5, 1)!r}"
    return f"override {name} = ({code}){factor} in {line.phase} 1"


def a_point(session: Session, choose: random.Random) -> str:
    name = choose.choice(session.program.parameters)
    if session.stops.points and choose.random() < 0.5:
        verb = choose.choice(["delete", "enable", "disable"])
        return f"{verb} {choose.choice(session.stops.points).number}"
    return choose.choice(
        [
            f"break backward if norm(d{name}) > 1e-3 after {choose.randrange(3)} every 2",
            f"break line {choose.randrange(len(session.program)) + 1}",
            'break if iteration == 3 log "# loss = {loss}"  # every third',
            f"watch norm({name}) crosses {choose.uniform(0, 2)!r}",
            f"watch max({name}) changes",
            f"watch norm({name})",
            f"toggle watch norm({name})",
            f"toggle line {choose.randrange(len(session.program)) + 1}",
        ]
    )


def a_branch(session: Session, choose: random.Random) -> str:
    name = choose.choice(session.branches.names)
    return choose.choice(
        [
            f"rename {name} {choose.choice('xyz')}{choose.randrange(1000)}",
            f"delete {name}",
            f"switch {name}",
            f"switch {name}",
        ]
    )


def a_move(session: Session, choose: random.Random) -> str:
    last = session.newest + 30
    place = choose.randrange(min(last, session.total or last) + 1)
    return choose.choice(
        [
            f"step {choose.randrange(4)} {choose.choice(UNITS)}",
            f"back {choose.choice(UNITS)}",
            f"goto {place}",
            "continue back",
        ]
    )


def walk(worked: Worked, choose: random.Random) -> None:
    """Do one thing that a person could do; some of it is refused."""
    session = worked.session
    with suppress(TextError):
        match choose.randrange(11):
            case 0 | 1 | 2:
                worked.give(a_move(session, choose))
            case 3 | 4:
                worked.give(an_edit(session, choose))
            case 5 | 6:
                worked.give(choose.choice(["undo", "undo", "redo"]))
            case 7:
                worked.give(a_branch(session, choose))
            case 8:
                worked.give(a_point(session, choose))
            case 9:
                worked.give(an_override(session, choose))
            case 10:
                if choose.random() < 0.3:
                    worked.give(choose.choice(["restart", "restart seed 3"]))
                else:
                    worked.journal.note(session)


def places(session: Session, choose: random.Random) -> Iterator[int]:
    yield from (session.newest, 0, session.place)
    yield from (choose.randrange(session.newest + 1) for _ in range(4))


def bits(session: Session) -> dict[str, tuple[np.dtype[Any], bytes]]:
    return {name: (array.dtype, array.tobytes()) for name, array in session.values().items()}


def assert_same(one: Session, other: Session, choose: random.Random) -> None:
    """Assert that nothing tells two sessions apart, at any place of any branch."""
    assert (one.place, one.total, one.seed) == (other.place, other.total, other.seed)
    assert bits(one) == bits(other)
    assert (one.stops.points, one.watches) == (other.stops.points, other.watches)
    first, second = one.snapshot(), other.snapshot()
    assert (first.branch.name, first.left) == (second.branch.name, second.left)
    assert first.losses.tobytes() == second.losses.tobytes()
    assert first.stale == second.stale
    assert one.branches.names == other.branches.names
    for left, right in zip(first.branches, second.branches, strict=True):
        assert left.losses.tobytes() == right.losses.tobytes()
        # Read as text, for NaN is not equal to NaN. Where it has stopped is, like the log, of the
        # sitting and not of the session.
        views = (replace(view, losses=None, hits=(), edits=()) for view in (left, right))
        assert len({repr(view) for view in views}) == 1
        assert list(map(told_of, left.edits)) == list(map(told_of, right.edits))
    for name in one.branches.names:
        one.branches.switch(name)
        other.branches.switch(name)
        assert one.place == other.place
        for place in places(one, choose):
            one.seek(place)
            other.seek(place)
            assert bits(one) == bits(other)


def told_of(edit: Change) -> str:
    """Return all there is to tell of an edit; a line is what it says, whichever object it is."""
    return f"{edit} {edit.place} {edit.position}" if isinstance(edit, Override) else repr(edit)


def done(session: Session, line: str) -> str:
    """Return what a session answers to a line, or what is wrong with it."""
    try:
        return "\n".join(Interpreter(session).execute(line).lines)
    except TextError as error:
        return str(error)


SCENARIO = """
format = 1
[program]
code = "y = sum(a) * b"
loss = "y"
parameters = { a = 2.0, b = 1.0 }
[optimizer]
kind = "sgd"
lr = 0.1
[run]
iterations = 20
"""


def saved_at(path: Path, case: Worked) -> Path:
    case.journal.note(case.session)
    return save(case.journal, path)


def brought_back(path: Path) -> Replayed:
    replayed = open_session(path).replay()
    assert replayed.problem == ""
    return replayed
