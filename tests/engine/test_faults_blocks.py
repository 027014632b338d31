"""What a monitor finds does not depend on how a run is divided, and is what the rules say."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from building import expression, network, optimizer
from built_in import built_in
from examples import examples
from faulty import MEAN, Recorded, far_off, wide
from hypothesis import given, settings
from hypothesis import strategies as st
from in_one_test import each_of
from msgspec.structs import replace

from nnstep.engine.arrays import Array, frozen
from nnstep.engine.faults.columns import beside
from nnstep.engine.faults.fault import Fault, merged
from nnstep.engine.faults.monitor import Monitor
from nnstep.engine.program.program import run as lines_run
from nnstep.engine.scenario.model import Clip, Initializer, Loss, Scenario

OPTIMIZERS = [
    optimizer("sgd", 1e-5),
    optimizer("sgd", 0.1),
    optimizer("sgd", 3.0),
    optimizer("sgd", 40.0, momentum=0.9),
    optimizer("sgd", 1e4, Clip("value", 1e3)),
    optimizer("adam", 0.05),
    optimizer("adam", 2.0),
    optimizer("rmsprop", 0.5),
]
ACTIVATIONS = ["relu", "sigmoid", "tanh", "identity"]
SCALES = [0.0, 1e-3, 1.0, 30.0]


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Small networks, healthy ones and others, with batches of unequal size."""
    hidden = draw(st.lists(st.integers(1, 5), max_size=2))
    case = network(
        (2, *hidden, 1),
        activations=(*(draw(st.sampled_from(ACTIVATIONS)) for _ in hidden), "identity"),
        rows=(rows := draw(st.sampled_from([1, 5, 20]))),
        batch_size=draw(st.sampled_from([1, 2, rows, rows])),
        shuffle=draw(st.booleans()),
        dtype=draw(st.sampled_from(["float64", "float64", "float32", "float16"])),
        optimized=draw(st.sampled_from(OPTIMIZERS)),
        loss=draw(st.sampled_from([MEAN, Loss("half_squared_error", "sum")])),
    )
    case = far_off(case, draw(st.sampled_from([0.0, 2.0])))
    assert case.network is not None
    layers = [
        replace(layer, weights=Initializer("normal", {"mean": 0.0, "std": scale}))
        for layer in case.network.layers
        for scale in [draw(st.sampled_from(SCALES))]
    ]
    changed = replace(case.network, layers=tuple(layers), layout=draw(st.sampled_from(LAYOUTS)))
    return replace(case, network=changed, seed=draw(st.integers(0, 3)))


LAYOUTS: list[Any] = ["out_in", "in_out"]


def divided(run: Recorded, places: Sequence[int]) -> list[Fault]:
    """What a monitor finds that is called at these places, in order, for all up to there."""
    monitor, steps = Monitor(run.case, run.program), len(run.program)
    found: tuple[Fault, ...] = ()
    counts = np.cumsum([0, *(len(line.writes) for line in run.program.instructions)])
    loss = next(
        at for at, line in enumerate(run.program.instructions) if run.program.loss in line.writes
    )
    done = 0
    for place in places:
        first, start = divmod(done, steps)
        last, position = divmod(place, steps)
        records = run.records[first:last]
        if position:
            records = [*records, run.records[last][: counts[position]]]
        known = run.losses[: last + (position > loss)]
        if records:
            before = run.before_pass(first)
            found = merged(found, monitor.examine(first, records, before, known, found, start))
        done = place
    return list(found)


def brief(found: Sequence[Fault]) -> list[tuple[str, int | None, int, str]]:
    return [(fault.name, fault.layer, fault.place, str(fault)) for fault in found]


@examples(4)
@given(scenarios(), st.data())
def test_any_division_of_a_run_gives_the_same_faults(case: Scenario, data: st.DataObject) -> None:
    assert_divisible(case, data)


@pytest.mark.slow
@settings(max_examples=200)
@given(scenarios(), st.data())
def test_any_division_of_many_runs(case: Scenario, data: st.DataObject) -> None:
    assert_divisible(case, data)


def assert_divisible(case: Scenario, data: st.DataObject) -> None:
    """The faults of a run are the same, wherever a monitor is called."""
    passes = 9
    run = Recorded(case, passes)
    steps = len(run.program)
    end = passes * steps
    cuts = data.draw(st.sets(st.integers(1, end - 1), max_size=12))
    whole = brief(divided(run, [end]))
    assert brief(divided(run, range(1, end + 1))) == whole
    assert brief(divided(run, range(steps, end + 1, steps))) == whole
    assert brief(divided(run, [*sorted(cuts), end])) == whole
    others = [entry[:2] for entry in whole if entry[0] != "non-finite"]
    assert len(set(others)) == len(others)
    assert [entry[2] for entry in whole] == sorted(entry[2] for entry in whole)


@pytest.mark.sweep(2)
@pytest.mark.parametrize("name", ["xor", "vanishing", "overflow", "iris"])
def test_built_in_scenarios_can_be_divided_too(name: str) -> None:
    run = Recorded(built_in(name), 24)
    end = 24 * len(run.program)
    assert brief(divided(run, range(1, end + 1))) == brief(divided(run, [end]))


@each_of("lr", [0.01, 30.0, 900.0, 1e120])
def test_large_arrays_can_be_divided_too(lr: float) -> None:
    run = Recorded(wide(optimized=optimizer("sgd", lr)), 4)
    end = 4 * len(run.program)
    assert brief(divided(run, range(1, end + 1))) == brief(divided(run, [end]))


def test_expressions_can_be_divided_too() -> None:
    case = expression("e = w * w", "e", w=1.0, optimized=optimizer("sgd", 300.0))
    run = Recorded(case, 70)
    end = 70 * len(run.program)
    found = brief(divided(run, [end]))
    assert len(found) == 3
    assert brief(divided(run, range(1, end + 1))) == found


@examples(6)
@given(scenarios())
def test_every_fault_is_the_first_of_its_kind_by_the_rules(case: Scenario) -> None:
    assert_first_of_their_kind(case)


@pytest.mark.slow
@settings(max_examples=300)
@given(scenarios())
def test_many_runs_have_the_faults_of_the_rules(case: Scenario) -> None:
    assert_first_of_their_kind(case)


def assert_first_of_their_kind(case: Scenario) -> None:
    """The faults found are those of `reference`, each at its first place."""
    assert case.data is not None
    if case.data.batch_size < len(case.data.x):
        case = replace(case, data=replace(case.data, batch_size=len(case.data.x)))
    run = Recorded(case, 14)
    expected = reference(run)
    faults = divided(run, [14 * len(run.program)])
    found = {(f.name, f.layer): (f.place, f.value) for f in faults if f.name != "non-finite"}
    assert found.keys() == expected.keys()
    for key, (place, value) in expected.items():
        assert found[key][0] == place, key
        assert found[key][1] == pytest.approx(value, rel=1e-9, nan_ok=True), key


Places = dict[tuple[str, int | None], tuple[int, float]]
Row = tuple[str, int | None, str, str, float]


def reference(run: Recorded) -> Places:
    """The faults of a network whose batches are all its data, by the letter of the rules."""
    first: Places = {}
    for iteration in range(len(run.records)):
        for name, layer, phase, tensor, value in _of_pass(run, iteration):
            if np.isfinite(value):
                place = run.place(tensor, iteration, phase)
                first.setdefault((name, layer), (place, value))
    return first


def _of_pass(run: Recorded, iteration: int) -> list[Row]:
    """All that is wrong in a pass, whether or not it was before."""
    losses = run.losses[: iteration + 1]
    before = {name: array.astype(np.float64) for name, array in run.before_pass(iteration).items()}
    rows = []
    if not _is_low(run, losses[:-1], 0.9):
        rows += _forward(run, iteration)
    growth = _growth(losses, 0.15 * _top(run, losses))
    if losses[-1] < np.inf and growth > 2:
        rows.append(("diverging", None, "loss", "L", growth))
    learned = bool(losses[-1] < 0.9 * losses[0])
    with np.errstate(all="ignore"):
        rows += _backward(run, iteration, before, learned, _is_low(run, losses))
        if not _is_low(run, losses):
            rows += _updates(run, iteration, before, learned)
    return rows


def _growth(losses: Array, low: float) -> float:
    for epochs, least in ((30, 2), (1, 1000)):
        before = losses[:-epochs].min(initial=np.inf)
        growth = losses[-epochs:].min() / max(before, low)
        if 0 < before < np.inf and growth > least:
            return float(growth)
    return 0.0


def _top(run: Recorded, losses: Array) -> float:
    """Where the run began, or what a guess without the inputs gives, if that is less."""
    assert run.case.data is not None and run.case.network is not None
    y = run.case.data.y.astype(np.float64)
    blind = np.sum((y - y.mean(axis=0)) ** 2)
    blind = blind / 2 if run.case.network.loss.reduction == "sum" else blind / y.size
    return float(min(losses[0], blind) if blind > 0 else losses[0])


def _is_low(run: Recorded, losses: Array, share: float = 0.15) -> bool:
    return bool(len(losses) and losses[-1] < share * _top(run, losses))


def _layers(run: Recorded) -> dict[int, str]:
    assert run.case.network is not None
    return {n: each.activation.kind for n, each in enumerate(run.case.network.layers, start=1)}


def _wide(run: Recorded, name: str, iteration: int, phase: str) -> Array:
    return run.written(name, iteration, phase).astype(np.float64)


def _forward(run: Recorded, iteration: int) -> list[Row]:
    rows: list[Row] = []
    for layer, kind in _layers(run).items():
        z = _wide(run, f"z{layer}", iteration, "forward")
        far = float(np.mean(np.abs(z) >= 5))
        if kind in ("sigmoid", "tanh") and far > 0.5:
            rows.append(("saturation", layer, "forward", f"z{layer}", far))
        off = np.all(_wide(run, f"a{layer}", iteration, "forward") == 0, axis=0)
        if 0.5 < np.mean(off) < 0.8:
            off &= np.max(z, axis=0) < -np.std(z, axis=0)
        dead = float(np.mean(off))
        least = {1: 1.0, 5: 0.7, 20: 0.5}[len(z)]
        if kind == "relu" and dead > 0.5 and dead >= least:
            rows.append(("dead ReLU", layer, "forward", f"a{layer}", dead))
    return rows


def _norm(array: Array) -> float:
    return float(np.sqrt(np.sum(np.square(array.astype(np.longdouble)))))


def _backward(
    run: Recorded, iteration: int, before: Mapping[str, Array], learned: bool, low: bool
) -> list[Row]:
    rows: list[Row] = []
    layers = _layers(run)
    gradients = {n: _wide(run, f"dW{n}", iteration, "backward") for n in layers}
    last = len(layers)
    for layer, dW in gradients.items():
        mean = float(np.mean(np.abs(dW)))
        if mean < 1e-7 and not learned:
            rows.append(("no gradient", layer, "backward", f"dW{layer}", mean))
        if mean > 1e6 and not low:
            rows.append(("exploding gradient", layer, "backward", f"dW{layer}", mean))
        if layer < last and not low and (alike := _alike(run, layer, before, dW)) > 1:
            rows.append(("symmetry", layer, "backward", f"dW{layer}", alike))
    norms = _norm(gradients[1]), _norm(gradients[last])
    if last > 1 and not low and 0 < norms[0] < 1e-4 and norms[1] and norms[0] / norms[1] < 1e-3:
        rows.append(("vanishing gradient", 1, "backward", "dW1", norms[0] / norms[1]))
    return rows


def _alike(run: Recorded, layer: int, before: Mapping[str, Array], dW: Array) -> int:
    assert run.case.network is not None
    W, b = before[f"W{layer}"], before[f"b{layer}"]
    if run.case.network.layout == "in_out":
        W, dW = W.T, dW.T
    if not all(np.isfinite(array).all() for array in (W, b, dW)):
        return 1
    units = [(*W[unit], b[unit], *dW[unit]) for unit in range(len(W))]
    return max(units.count(unit) for unit in units)


def _loss_with(run: Recorded, iteration: int, parameters: Mapping[str, Array]) -> float:
    """The loss of a pass's batch with these parameters in place of its own."""
    names = dict(zip(run.names, run.records[iteration], strict=True))
    tensors = {**run.before_pass(iteration), "x": names["x"], "y": names["y"], **parameters}
    forward = [i for i in run.program.instructions if i.phase in ("forward", "loss")]
    return float(lines_run(forward, tensors)["L"])


def _updates(
    run: Recorded, iteration: int, before: Mapping[str, Array], learned: bool
) -> list[Row]:
    rows: list[Row] = []
    assert run.case.optimizer is not None and run.case.network is not None
    lines = [i.writes[0] for i in run.program.instructions if i.phase == "update"]
    moves, norms, gradients = [], [], {}
    for layer in _layers(run):
        name = f"W{layer}"
        move = _wide(run, name, iteration, "update") - before[name]
        moves.append(_norm(move))
        norms.append(_norm(before[name]))
        slope = gradients[name] = _wide(run, f"dW{layer}", iteration, "backward")
        last = len(lines) - lines[::-1].index(name)
        so_far = {n: run.written(n, iteration, "update") for n in lines[:last] if n in before}
        so_far = {n: a for n, a in so_far.items() if n in run.program.parameters}
        units = move.shape[0 if run.case.network.layout == "out_in" else 1]
        bad = not _loss_with(run, iteration, so_far) <= run.losses[iteration]
        if norms[-1] > 1e-150 and moves[-1] / norms[-1] > 1 and (moves[-1] > units**0.5 or bad):
            rows.append(("update too large", layer, "update", name, moves[-1] / norms[-1]))
        if np.mean(np.abs(slope)) >= 1e-7 and not learned and slope.any():
            share = float(np.mean(move[slope != 0] == 0))
            if share > 0.5:
                rows.append(("update lost", layer, "update", name, share))
    total = _norm(np.array(norms))
    settled = iteration >= (10 if run.case.optimizer.options.get("momentum") else 0)
    telling = max(np.mean(np.abs(each)) for each in gradients.values()) >= 1e-7
    if total > 1e-150 and settled and not learned and telling:
        ratio = _norm(np.array(moves)) / total
        size = _norm(np.array([_norm(each) for each in gradients.values()]))
        step = {n: before[n] - 0.01 * total / size * each for n, each in gradients.items()}
        loss = run.losses[iteration]
        if ratio < 1e-4 and _loss_with(run, iteration, step) < loss - 1e-4 * abs(loss):
            rows.append(("update too small", None, "update", f"W{len(norms)}", ratio))
    return rows


# What the caller knows and wants to know


def test_known_faults_are_not_reported_again() -> None:
    run = Recorded(built_in("vanishing"), 3)
    monitor = Monitor(run.case, run.program)
    found = monitor.examine(0, run.records[:1], run.before, run.losses, ())
    assert found
    rest, before = run.records[1:], run.before_pass(1)
    assert monitor.examine(1, rest, before, run.losses, found) == ()
    others = [fault for fault in found if fault.name != "vanishing gradient"]
    (again,) = monitor.examine(1, rest, before, run.losses, others)
    assert (again.name, again.layer, again.iteration) == ("vanishing gradient", 1, 1)


def test_later_losses_are_not_looked_at() -> None:
    run = Recorded(built_in("overflow"), 8)
    monitor = Monitor(run.case, run.program)
    first = monitor.examine(0, run.records[:1], run.before, run.losses, ())
    assert "diverging" not in {fault.name for fault in first}


def test_branches_may_be_examined_in_turn() -> None:
    run = Recorded(built_in("overflow"), 14)
    other = Recorded(built_in("overflow"), 14)
    other.losses = other.losses[::-1].copy()
    monitor = Monitor(run.case, run.program)
    places = []
    for i in range(14):
        for each in (run, other):
            found = monitor.examine(
                i, each.records[i : i + 1], each.before_pass(i), each.losses, ()
            )
            places += [(each is run, i) for fault in found if fault.name == "diverging"]
    assert places == [(True, i) for i in range(2, 14)]


def test_a_block_is_larger_the_smaller_its_passes() -> None:
    def block(case: Scenario) -> int:
        run = Recorded(case, 1)
        monitor = Monitor(case, run.program)
        assert monitor.block == 1, "nobody knows yet"
        monitor.examine(0, run.records, run.before, run.losses, ())
        return monitor.block

    assert block(network((2, 2, 2))) == 192
    assert 4 <= block(network((784, 128, 10), rows=64)) < 16
    assert block(network((784, 1200, 10), rows=4)) == 1


def test_nothing_is_written_to() -> None:
    run = Recorded(built_in("vanishing"), 2)
    assert all(not array.flags.writeable for record in run.records for array in record)
    losses = frozen(run.losses)
    Monitor(run.case, run.program).examine(0, run.records, run.before, losses, ())


def test_the_callers_error_state_stays() -> None:
    with np.errstate(all="raise"):
        run = Recorded(built_in("overflow"), 160)
        assert run.faults()[-1].name == "non-finite"
        assert np.geterr() == dict.fromkeys(np.geterr(), "raise")


@examples(20)
@given(st.data())
def test_arrays_side_by_side_measure_as_each_by_itself(data: st.DataObject) -> None:
    shapes = data.draw(
        st.lists(st.sampled_from([(), (3,), (2, 4), (5, 1)]), min_size=1, max_size=4)
    )
    scales = data.draw(
        st.lists(st.sampled_from([0.0, 1e-180, 1.0, 1e180, np.inf, np.nan]), min_size=8, max_size=8)
    )
    generator, passes = np.random.default_rng(data.draw(st.integers(0, 9))), 2
    arrays = [
        np.asarray(generator.standard_normal(shape) * scale)
        for shape, scale in zip(shapes * passes, scales, strict=False)
    ]
    with np.errstate(all="ignore"):
        together = beside(arrays, passes)
        flags = together.numbers > 0
        for at, shape in enumerate(shapes):
            own = arrays[at :: len(shapes)]
            alone = beside(own, passes)
            assert np.array_equal(together.array(at), np.array(own), equal_nan=True)
            assert np.allclose(
                together.means_of_absolute()[at], alone.means_of_absolute()[0], equal_nan=True
            )
            assert np.allclose(together.norms()[at], alone.norms()[0], 1e-12, 0, equal_nan=True)
            positive = [np.mean(array > 0) for array in own]
            assert np.array_equal(together.shares(flags)[at], positive), shape
