"""Every way of executing gives the bits of the listing, run line by line as plain NumPy."""

import random
from collections.abc import Iterator
from copy import copy
from functools import cache
from itertools import count, islice
from types import CodeType
from typing import Any

import numpy as np
import pytest
from building import expression, network, optimizer
from built_in import built_in
from random_programs import DTYPES, random_expression, random_network

from nnstep import scenarios
from nnstep.engine.arrays import Array
from nnstep.engine.operations.formula import NAMESPACE
from nnstep.engine.program.program import Phase, Role
from nnstep.engine.scenario.model import Loss, Scenario
from nnstep.engine.session.session import Session

PASSES = 3

Live = dict[str, Array]


@cache
def compiled(code: str) -> CodeType:
    return compile(code, "<a line>", "exec")


class Plain:
    """A run of the listing as it stands: `places` has what is live at each place."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.batches = [*self._batches(session)]
        self.places: list[Live] = []
        self._go_on({**NAMESPACE, **session.values()})

    def edited(self, place: int, name: str, index: Any, value: Any) -> list[Live]:
        """Return the places of the same run, but for a value that is edited at a place."""
        before = self.places[place]
        names = {**NAMESPACE, **before, name: before[name].copy()}
        names[name][index] = value
        other = copy(self)
        other.places = self.places[:place]
        other._go_on(names)
        return other.places

    def _go_on(self, names: dict[str, Any]) -> None:
        session, tensors = self.session, self.session.program.tensors
        done = -(-len(self.places) // len(session.program))
        names["batches"] = iter(self.batches[done:])
        for place in count(len(self.places)):
            self.places.append({n: names[n] for n in tensors if n in names})
            if place == session.total:
                break
            line = session.program.instructions[place % len(session.program)]
            with np.errstate(all="ignore"):
                exec(compiled(line.code), names)
            for name in line.writes:
                names[name] = np.asarray(names[name])

    @staticmethod
    def _batches(session: Session) -> Iterator[tuple[Array, Array]]:
        """Yield the batches of a run of the session's own, stopped at each batch line."""
        other = Session(session.scenario, iterations=session.clock.iteration(session.total or 0))
        for step in other.steps():
            if step.phase is Phase.BATCH:
                yield step.writes["x"], step.writes["y"]


def same(live: Live, values: Any) -> bool:
    """Tell whether the same tensors have the same bits."""
    return live.keys() == values.keys() and all(
        (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
        for a, b in ((live[name], values[name]) for name in live)
    )


def assert_all_ways_agree(scenario: Scenario, seed: int) -> None:
    """Step, run, seek, and edit a tensor at each place, beside the listing."""
    choose = random.Random(seed)

    def fresh() -> Session:
        return Session(scenario, iterations=1 if scenario.optimizer is None else PASSES)

    session = fresh()
    without_edits, total = Plain(fresh()), session.total or 0
    plain = without_edits.places
    assert same(plain[0], session.values())
    for step in session.steps():
        assert same(plain[step.index + 1], session.values()), step.code
    for place in choose.sample(range(total + 1), min(total, 8)):
        session.seek(place)
        assert same(plain[place], session.values()), place
    run = fresh()
    for place in sorted(choose.sample(range(1, total + 1), min(total, 4))):
        run.advance(place)
        if run.place == place:  # a value that is not finite stops it
            assert same(plain[place], run.values()), place
    edited = fresh()
    for place in choose.sample(range(total), min(total, 3)):
        edited.restart()
        edited.seek(place)
        name = choose.choice([n for n, a in edited.values().items() if a.size])
        index = tuple(choose.randrange(size) for size in edited.value(name).shape)
        value = 0 if edited.value(name).dtype.kind == "i" else choose.choice([0.5, -0.25, 1.5])
        edited.edit(name, index, value)
        changed = without_edits.edited(place, name, index, value)
        for step in edited.steps():
            assert same(changed[step.index + 1], edited.values()), (place, name, step.code)
        edited.seek(choose.randrange(place, total + 1))
        assert same(changed[edited.place], edited.values()), (place, name)


EDITED = (
    network((2, 2), rows=3, batch_size=3, loss=Loss("cross_entropy", "mean")),
    expression("b = a * a\nc = b + a", "c", optimized=optimizer("adam", 0.1), a=2.0),
    network((2, 2, 1), rows=3, batch_size=2, optimized=optimizer(momentum=0.5)),
)


@pytest.mark.sweep(3)
@pytest.mark.parametrize("case", range(len(EDITED)))
def test_an_edit_of_each_kind_of_tensor_at_each_line(case: int) -> None:
    """It is gone on from step by step and at once, and is gone back to from what came of it."""
    scenario = EDITED[case]
    session = Session(scenario, iterations=PASSES)
    steps, without_edits = len(session.program), Plain(Session(scenario, iterations=PASSES))
    for place in range(steps, 2 * steps):
        session.restart()
        session.seek(place)
        for role in Role:
            live = [t.name for t in session.program.with_role(role) if t.name in session.values()]
            if not live:
                continue
            name = live[place % len(live)]
            index = (0,) * session.value(name).ndim
            value = 1 if session.value(name).dtype.kind == "i" else 0.625
            run = Session(scenario, iterations=PASSES)
            run.seek(place)
            run.edit(name, index, value)
            plain = without_edits.edited(place, name, index, value)
            few = islice(run.steps(), 5)
            taken = [(step.index + 1, dict(run.values())) for step in few]
            run.advance("run")
            at = [run.place, place, place - 1, place + steps // 2, place + 1, place - steps, place]
            for where in at:
                run.seek(where)
                taken.append((where, dict(run.values())))
            for where, values in taken:
                assert same(plain[where], values), (name, place, where)


@pytest.mark.sweep(17)
@pytest.mark.parametrize("name", [n for n in scenarios.names() if n != "digits"])
def test_the_gallery(name: str) -> None:
    assert_all_ways_agree(built_in(name), 1)


@pytest.mark.sweep(13)
@pytest.mark.parametrize("dtype", sorted(set(DTYPES)))
@pytest.mark.parametrize("seed", range(12))
def test_random_programs(seed: int, dtype: str) -> None:
    assert_all_ways_agree(random_network(seed, dtype), seed)
    assert_all_ways_agree(random_expression(seed, dtype), seed)
