"""Runs to go back and forth in, and the same run from its beginning."""

from collections.abc import Mapping
from itertools import islice

from building import shuffled
from msgspec.structs import replace

from nnstep.engine.arrays import Array
from nnstep.engine.machine.edit import Change, Edit
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.session.session import Session

NOTHING_KEPT = 0
UNLIMITED = 1 << 40


def scenario(seed: int) -> Scenario:
    """A small network with shuffled batches of unequal size, one of several optimizers."""
    return replace(shuffled(seed), seed=seed)


def fresh(case: Scenario, seed: int, edits: tuple[Change, ...], place: int) -> Mapping[str, Array]:
    """Run from step 0 to a place with nothing but steps and edits."""
    session = Session(case)
    session.restart(seed)
    for edit in edits:
        if edit.place <= place:
            step_to(session, edit.place)
            assert isinstance(edit, Edit)
            session.edit(edit.name, edit.index, edit.value)
    step_to(session, place)
    return session.values()


def step_to(session: Session, place: int) -> None:
    """Take one step after the other."""
    for _ in islice(session.steps(), place - session.place):
        pass


def assert_same(one: Mapping[str, Array], other: Mapping[str, Array]) -> None:
    assert one.keys() == other.keys()
    for name, array in one.items():
        assert array.dtype == other[name].dtype, name
        assert array.tobytes() == other[name].tobytes(), name
