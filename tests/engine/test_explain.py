"""How a cell got its value: what an explanation says is evaluated, cell by cell."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from building import expression, network
from built_in import built_in
from explaining import check_printed, gives
from in_one_test import each_of
from msgspec.structs import replace
from oracle_scenarios import oracle_cases, read_case, scenario_text
from random_programs import forms, random_expression, random_network

from nnstep import scenarios
from nnstep.engine import EditError, load
from nnstep.engine.arrays import Array
from nnstep.engine.explain.explanation import Explanation
from nnstep.engine.operations.activations import ACTIVATIONS, _activation
from nnstep.engine.operations.formula import NAMESPACE, listed
from nnstep.engine.scenario.model import Activation, Scenario
from nnstep.engine.session.edits import PlaceError
from nnstep.engine.session.session import Session

Explained = Iterator[tuple[Session, Explanation]]


def explained(scenario: Scenario, iterations: int, cells: int | None, seed: int = 0) -> Explained:
    """Step through a run; yield the explanations of some cells of what each line writes, or all."""
    session, choose = Session(scenario), random.Random(seed)
    for _ in range(iterations * len(session.program)):
        step = session.step()
        if step is None:
            return
        for name, array in step.writes.items():
            for index in indices(array.shape, cells, choose):
                yield session, session.explain(name, index)


def indices(
    shape: tuple[int, ...], cells: int | None, choose: random.Random
) -> Iterator[tuple[int, ...]]:
    if cells is None:
        yield from np.ndindex(shape)
        return
    for _ in range(cells):
        yield tuple(choose.randrange(size) for size in shape)


def check(scenario: Scenario, *, cells: int | None, iterations: int = 2, seed: int = 0) -> int:
    """Every number that is said is the number that was computed."""
    count = 0
    for session, explanation in explained(scenario, iterations, cells, seed):
        value = session.value(explanation.name)[explanation.index]
        np.testing.assert_equal(explanation.value, value.item())
        if explanation.origin != "step":
            assert (explanation.arithmetic, explanation.printed, explanation.sources) == (
                "",
                "",
                (),
            )
            continue
        check_numbers(explanation, float(value), scenario.dtype)
        count += 1
    assert count
    return count


def check_numbers(explanation: Explanation, value: float, dtype: str) -> None:
    assert gives(explanation.arithmetic, value, dtype), explanation.arithmetic
    if explanation.definition and explanation.exact and dtype == "float64":
        assert gives(explanation.definition, value, dtype), explanation.definition
    for text in explanation.printings:
        check_printed(text)
    assert explanation.printed in explanation.printings
    if explanation.terms and np.isfinite(value):
        total = sum(term.value for term in explanation.terms) + explanation.rest
        size = max(abs(term.value) for term in explanation.terms)
        assert abs(total - value) <= 20 * np.finfo(dtype).eps * max(size, abs(value)) * 10
        shares = [term.share for term in explanation.terms]
        assert shares == sorted(shares, reverse=True)


SMALL = ("mazur", "graph")
LARGER = [name for name in scenarios.names() if name not in SMALL]
ORACLES = oracle_cases("torch") + oracle_cases("published")


@pytest.mark.sweep(17)
@pytest.mark.parametrize("name", LARGER)
def test_a_cell_of_every_line_of_the_built_in_scenarios(name: str) -> None:
    check(built_in(name), cells=1, iterations=1)  # a second one follows with more cells


@each_of("name", SMALL)
def test_every_cell_of_two_small_scenarios(name: str) -> None:
    check(built_in(name), cells=None)


@pytest.mark.sweep(15)
@pytest.mark.parametrize("path", ORACLES, ids=str)
def test_a_cell_of_every_line_of_the_oracles(path: Path, tmp_path: Path) -> None:
    check(loaded(path, tmp_path), iterations=1, cells=1)


def loaded(path: Path, folder: Path) -> Scenario:
    file = folder / "case.toml"
    file.write_text(scenario_text(read_case(path)), encoding="utf-8")
    return load(file)


@pytest.mark.sweep(12)
@pytest.mark.parametrize("seed", range(3, 15))
def test_random_networks(seed: int) -> None:
    check(random_network(seed), cells=1, seed=seed)


@pytest.mark.sweep(12)
@pytest.mark.parametrize("seed", range(3, 15))
def test_random_expressions(seed: int) -> None:
    check(random_expression(seed), cells=1, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGER)
def test_more_cells_of_the_built_in_scenarios(name: str) -> None:
    check(built_in(name), cells=6)


@pytest.mark.slow
@pytest.mark.parametrize("path", ORACLES, ids=str)
def test_more_cells_of_the_oracles(path: Path, tmp_path: Path) -> None:
    check(loaded(path, tmp_path), cells=6)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_two_hundred_random_programs(dtype: str) -> None:
    for seed in range(1000, 1100):
        check(random_network(seed, dtype), cells=2, seed=seed)
        check(random_expression(seed, dtype), cells=2, seed=seed)


@pytest.mark.sweep(11)
@pytest.mark.parametrize("form", forms())
def test_every_form_of_the_language(form: str) -> None:
    check(of_form(form, "float64"), iterations=1, cells=2)
    check(of_form(form, "float32"), iterations=1, cells=1)


def of_form(form: str, dtype: str) -> Scenario:
    given: dict[str, Any] = {
        "A": [[0.3, 1.4, 0.9], [1.2, -0.7, 0.4]],
        "B": [[1.1, 0.2, 0.6], [0.5, 1.3, 0.8]],
    }
    other = "(B.T)" if "@" in form else "B"
    code = f"t = {form.format('A', other)}\nL = sum(cos(t) * 1.5)"
    return expression(code, "L", dtype=dtype, inputs={"k": 1.3}, **given)


@pytest.mark.sweep(3)
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_places_and_classes_that_there_are_not(dtype: str) -> None:
    code = """
    t = take(x, p * 1)
    u = take(m, log(k) + p, axis=1)
    L = sum(t * 3) + sum(one_hot(c, m) * m) + sum(u)
    """
    scenario = expression(
        code,
        "L",
        dtype=dtype,
        x=[1.0, 2.0],
        m=[[1.0, 2.0], [3.0, 4.0]],
        inputs={"p": [0.0, 5.0, 7.5, -1.0], "c": [1.0, 7.0], "k": -1.0},
    )
    check(scenario, cells=None, iterations=1)


# Sources


@pytest.mark.sweep(7)
@pytest.mark.parametrize("seed", range(10))
def test_a_cell_that_moves_another_is_one_of_its_sources(seed: int) -> None:
    scenario = random_network(seed, "float64") if seed % 2 else random_expression(seed, "float64")
    session, choose = Session(scenario), random.Random(seed)
    for _ in range(2 * len(session.program)):
        before = session.values()
        step = session.step()
        if step is None or not step.reads:
            continue
        line, (name, array) = step.instruction, *step.writes.items()
        (index,) = indices(array.shape, 1, choose)
        sources = {(s.name, s.index): s.value for s in session.explain(name, index).sources}
        assert {tensor for tensor, _ in sources} <= set(line.reads)
        for tensor in line.reads:
            for at in np.ndindex(before[tensor].shape):
                if (tensor, at) in sources:
                    np.testing.assert_equal(sources[tensor, at], before[tensor][at].item())
                    continue
                moved = before[tensor].copy()
                whole = moved.dtype.kind == "i"  # a class, counted from 0, or the count of updates
                moved[at] += (
                    (1 if moved[at] == 0 else -1) if whole else 1e-9 * (1e-3 + abs(moved[at]))
                )
                assert line.kernel is not None
                with np.errstate(all="ignore"):
                    there = np.asarray(line.kernel({**before, tensor: moved}))[index]
                np.testing.assert_equal(there, array[index], f"{line.code} {index}: {tensor}{at}")


def test_sources_are_the_branch_taken_the_maximum_and_factors_of_zero() -> None:
    code = "m = max(A, axis=1)\nr = where(s > 1, A * 0, s)\nL = sum(m) + sum(r * z)"
    session = Session(expression(code, "L", A=[[1.0, 3.0, 3.0]], s=0.5, z=0.0))
    while not session.finished:
        session.step()
    cells = {c: [s.cell for s in session.explain(*c).sources] for c in [("m", (0,)), ("r", (0, 1))]}
    assert cells["m", (0,)] == ["A[0, 1]", "A[0, 2]"]
    assert cells["r", (0, 1)] == ["s"]
    product = next(line.writes[0] for line in session.program.instructions if "r * z" in line.code)
    assert [s.cell for s in session.explain(product, (0, 0)).sources] == ["r[0, 0]", "z"]


def test_a_size_is_no_source() -> None:
    session = Session(built_in("rows"))
    while session.explain("lr", ()).origin and "dz2" not in session.values():
        session.step()
    assert [s.cell for s in session.explain("dz2", (1, 0)).sources] == ["a2[1, 0]", "y[1, 0]"]


def test_sources_say_who_wrote_them() -> None:
    session = Session(built_in("mazur"))
    session.seek(9)
    session.edit("a1", (0, 1), 0.9)
    session.step()
    session.seek(len(session.program) + 9)
    sources = session.explain("W2", (0, 1)).sources
    assert [(s.cell, s.step, s.origin) for s in sources] == [
        ("W2[0, 1]", None, "first"),
        ("lr", None, "first"),
        ("dW2[0, 1]", 8, "step"),
    ]
    (_, edited) = session.explain("dz1", (0, 1), at=11).sources[:2]
    assert (edited.cell, edited.value, edited.step, edited.origin) == (
        "a1[0, 1]",
        0.9,
        None,
        "edit",
    )


# The steps inside a cell


@each_of("name", ["mazur", "rows", "two-layer"])
def test_reductions_lead_from_the_arithmetic_to_the_value(name: str) -> None:
    for session, explanation in explained(built_in(name), 1, 1):
        if explanation.origin != "step":
            continue
        texts = explanation.reductions
        assert texts[0] == explanation.arithmetic
        value = session.value(explanation.name)[explanation.index].item()
        assert all(gives(text, value, "float64") for text in texts)
        assert float(texts[-1].strip("()")) == pytest.approx(value, rel=1e-13)
        assert len(set(texts)) == len(texts)


# Where and when


def test_an_update_is_explained_from_the_old_weights() -> None:
    session = Session(built_in("mazur"))
    old = session.value("W1")[0, 0].item()
    session.seek(len(session.program))
    explanation = session.explain("W1", (0, 0))
    assert explanation.step == 14
    assert explanation.sources[0].value == old


def test_a_step_in_the_past_and_one_to_come_leave_the_session_where_it_is() -> None:
    session = Session(built_in("mazur"))
    session.seek(20)
    session.edit("W1", (0, 0), 0.3)
    place, branches, values = session.place, session.branches.names, session.values()
    past = session.explain("dW2", (0, 1), at=8)
    ahead = session.explain("dW2", (0, 1), at=40)
    assert (past.step, ahead.step) == (8, 40)
    assert past.value != ahead.value
    assert (session.place, session.branches.names) == (place, branches)
    assert all(session.value(name) is array for name, array in values.items())
    with pytest.raises(PlaceError, match="from 0 to 1599"):
        session.explain("dW2", (0, 1), at=1600)


@each_of(
    ("name", "index", "message"),
    [
        ("nothing", (), "there is no tensor 'nothing'"),
        ("W1", (0,), "takes 2 indices"),
        ("W1", (2, 0), "outside axis 0"),
        ("dW2", (0, 0), "dW2 has no value yet"),
    ],
)
def test_a_cell_that_there_is_not(name: str, index: tuple[int, ...], message: str) -> None:
    session = Session(built_in("mazur"))
    for ask in (session.explain, session.readers):
        with pytest.raises(EditError, match=message):
            ask(name, index)


def test_negative_indices_count_from_the_end() -> None:
    assert Session(built_in("mazur")).explain("W1", (-1, -1)).cell == "W1[1, 1]"


def test_a_value_that_no_step_computed() -> None:
    session = Session(built_in("mazur"))
    session.step()
    batch, first = session.explain("x", (0, 1)), session.explain("W1", (0, 0))
    assert (batch.origin, batch.step, batch.code) == ("data", 0, "x, y = next(batches)")
    assert (first.origin, first.step, first.code) == ("first", None, "")
    session.edit("W1", (0, 0), 0.7)
    edited = session.explain("W1", (0, 0))
    assert (edited.origin, edited.step, edited.value) == ("edit", None, 0.7)
    assert edited.was == "it was 0.15, its first value"
    assert session.explain("W1", (0, 1)).origin == "first"


# Large sums


def test_a_kind_that_comes_later_is_explained_by_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NAMESPACE, "soft_sign", None)

    @listed
    def soft_sign(z: Array) -> Array:
        return np.where(z > 0, z / (1 + z), z / (1 - z))

    row = _activation(
        "soft_sign",
        "a = z / (1 + |z|).",
        value=lambda z: soft_sign(z),
        definition=lambda z: z / (1 + np.abs(z)),
        dz=lambda da, z: da / (1 + np.abs(z)) ** 2,
        range=(-1.0, 1.0),
    )
    monkeypatch.setitem(ACTIVATIONS, "soft_sign", row)
    case = network((2, 3, 1), rows=2)
    assert case.network is not None
    first, last = case.network.layers
    layers = (replace(first, activation=Activation("soft_sign")), last)
    scenario = replace(case, network=replace(case.network, layers=layers))
    check(scenario, cells=None, iterations=1)
    session = Session(scenario)
    session.seek(3)
    explanation = session.explain("a1", (0, 0))
    assert explanation.rule == "a1 = soft_sign(z1)"
    assert explanation.general == "soft_sign(z) = z / (1 + |z|)"
    assert explanation.exact
    assert "abs(" in explanation.definition
