"""Runs to go back and forth in, and the same run from its beginning."""

from collections.abc import Mapping

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
            while session.place < edit.place:
                session.step()
            assert isinstance(edit, Edit)
            session.edit(edit.name, edit.index, edit.value)
    while session.place < place:
        session.step()
    return session.values()


def assert_same(one: Mapping[str, Array], other: Mapping[str, Array]) -> None:
    assert one.keys() == other.keys()
    for name, array in one.items():
        assert array.dtype == other[name].dtype, name
        assert array.tobytes() == other[name].tobytes(), name
