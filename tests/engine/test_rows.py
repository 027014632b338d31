"""What is said of a kind in its row holds: definition, slope, kink, settings, schema, scenario."""

import ast
import importlib
import json
import pkgutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CellType, CodeType, FunctionType
from typing import Any

import numpy as np
from in_one_test import each_of

import nnstep.engine.operations
import nnstep.engine.program
from nnstep.engine.arrays import Array
from nnstep.engine.loading import load
from nnstep.engine.operations.activations import ACTIVATIONS
from nnstep.engine.operations.formula import _body_by_positions, _body_in_module
from nnstep.engine.operations.initializers import INITIALIZERS
from nnstep.engine.operations.losses import LOSSES, LossOperation, Reduction, loss_operation
from nnstep.engine.operations.operation import Kind, Operation
from nnstep.engine.operations.optimizers import OPTIMIZERS
from nnstep.engine.program.compile import compile_scenario
from nnstep.engine.scenario.samples import GENERATORS
from nnstep.engine.scenario.schema import json_schema

H = 1e-6
KINDS: list[Kind] = [
    *ACTIVATIONS.values(),
    *INITIALIZERS.values(),
    *LOSSES.values(),
    *OPTIMIZERS.values(),
]


def numbers_of(kind: Kind) -> dict[str, float]:
    """Other values than the defaults for all settings that are numbers."""
    return {
        name: 0.7 * setting.default
        for name, setting in kind.settings.items()
        if isinstance(setting.default, float)
    }


def activations() -> Iterator[Operation]:
    for row in ACTIVATIONS.values():
        yield row.operation
        yield from row.variants.values()
        if row.settings:
            yield row.operation.with_settings(**numbers_of(row))


def of_z(operation: Operation) -> Callable[[Array], Array]:
    return operation.value_formula.function


def differences(function: Callable[[Array], Any], x: Array) -> Array:
    """The derivatives of a number by every element of x."""
    slopes = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        moved = np.zeros_like(x)
        moved[index] = H
        slopes[index] = (function(x + moved) - function(x - moved)) / (2 * H)
    return slopes


@each_of("operation", [*activations()])
def test_an_activation_is_what_its_definition_says(operation: Operation) -> None:
    z = np.random.default_rng(1).uniform(-30, 30, (50, 4))
    by_definition = operation.definition_formula.function(z)
    np.testing.assert_allclose(of_z(operation)(z), by_definition, rtol=1e-7, atol=1e-12)


@each_of("operation", [*activations()])
def test_the_slope_of_an_activation_is_its_own(operation: Operation) -> None:
    generator = np.random.default_rng(2)
    z, da = generator.uniform(-4, 4, (2, 4, 3))
    known = {"z": z, "a": of_z(operation)(z), "da": da}
    rule = operation.gradient_formula("z")
    dz = rule.function(*(known[name] for name in rule.parameters))
    expected = differences(lambda z: np.sum(da * of_z(operation)(z)), z)
    np.testing.assert_allclose(dz, expected, rtol=1e-5, atol=1e-7)


@each_of("operation", [*activations()])
def test_an_activation_says_where_its_kinks_are(operation: Operation) -> None:
    z = np.linspace(-30, 30, 6001)[:, None]
    step = 1e-4
    left, here, right = (of_z(operation)(z + move) for move in (-step, 0.0, step))
    bent = np.abs(right - 2 * here + left) / step > 0.01
    sides = operation.sides
    if sides is None:
        assert not bent.any()
    elif bent.any():
        here, beside = sides.function(z), sides.function(z - step)
        assert ((here != beside) | (here != sides.function(z + step)))[bent].all()


@each_of("name", ACTIVATIONS)
def test_an_activation_stays_in_its_range(name: str) -> None:
    z = np.random.default_rng(3).uniform(-100, 100, (100, 3))
    low, high = ACTIVATIONS[name].range
    a = of_z(ACTIVATIONS[name].operation)(z)
    assert (a >= low).all()
    assert (a <= high).all()


TARGETS: Mapping[str, list[Array]] = {
    "numbers": [np.array([[-1.0, 0.5, 2.0], [0.3, 0.1, -4.0]])],
    "probabilities": [np.array([[0.0, 0.5, 1.0], [0.3, 0.1, 0.9]])],
    "classes": [
        np.array([[0.0, 0.0, 1.0], [0.3, 0.6, 0.1]]),
        np.array([[0.0, 2.0, 1.0], [0.3, 0.2, 0.9]]),
        np.array([2, 0]),
    ],
}
LOSS_CASES = [
    (row.name, from_logits, y, reduction)
    for row in LOSSES.values()
    for from_logits in ((False, True) if row.logits else (False,))
    for y in TARGETS[row.targets]
    for reduction in ("mean", "batch_mean", "sum")
    if row.targets != "classes" or reduction != "mean"
]


def of_a(
    kind: str, from_logits: bool, y: Array
) -> tuple[LossOperation, Array, Callable[[Array], Array]]:
    """A loss at settings of its own, outputs for it, and the activation that made them from z."""
    row = LOSSES[kind]
    operation = loss_operation(kind, from_logits, y).with_settings(**numbers_of(row))
    before = "identity" if from_logits or row.of is None else row.of
    z = np.random.default_rng(4).uniform(-2, 2, (2, 3))
    return operation, z, of_z(ACTIVATIONS[before].operation)


@each_of(("kind", "from_logits", "y", "reduction"), LOSS_CASES)
def test_a_loss_is_what_its_definition_says(
    kind: str, from_logits: bool, y: Array, reduction: Reduction
) -> None:
    operation, z, activation = of_a(kind, from_logits, y)
    known = {"a": activation(z), "y": y}
    value, definition = operation.reduced(reduction), operation.reduced_definition(reduction)
    found, expected = (
        formula.function(*(known[name] for name in formula.parameters))
        for formula in (value, definition)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@each_of(("kind", "from_logits", "y", "reduction"), LOSS_CASES)
def test_the_derivatives_of_a_loss_are_its_own(
    kind: str, from_logits: bool, y: Array, reduction: Reduction
) -> None:
    operation, z, activation = of_a(kind, from_logits, y)
    value = operation.reduced(reduction)

    def loss(a: Array) -> Any:
        return value.function(*({"a": a, "y": y}[name] for name in value.parameters))

    known = {"a": activation(z), "y": y}
    da = operation.derivative(reduction)
    found = da.function(*(known[name] for name in da.parameters))
    np.testing.assert_allclose(found, differences(loss, known["a"]), rtol=1e-5, atol=1e-8)
    for name in operation.fused:
        assert name == LOSSES[kind].of
        dz = operation.fused_derivative(name, reduction)
        found = dz.function(*(known[name] for name in dz.parameters))
        expected = differences(lambda z: loss(activation(z)), z)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8)


@each_of("name", INITIALIZERS)
def test_an_initialiser_asks_for_numbers_if_it_says_so(name: str) -> None:
    row, generator = INITIALIZERS[name], np.random.default_rng(5)
    settings = row.filled(dict.fromkeys(row.needed, 1.0))
    drawn = row.draw(generator if row.is_random else None, (3, 2), 2, 3, settings)
    assert drawn.shape == (3, 2)
    untouched = generator.bit_generator.state == np.random.default_rng(5).bit_generator.state
    assert untouched is not row.is_random


@cache
def schema() -> dict[str, Any]:
    return json_schema()


@each_of("kind", KINDS)
def test_the_schema_has_every_row(kind: Kind) -> None:
    tables = [
        table
        for table in schema()["$defs"].values()
        if table.get("properties", {}).get("kind", {}).get("enum") == [kind.name]
    ]
    (table,) = tables
    assert table["description"] == kind.description
    assert set(table.get("required", [])) == {"kind", *kind.needed}
    for name, setting in kind.settings.items():
        written = table["properties"][name]
        assert written["description"] == setting.description
        assert written.get("default") == setting.default


def test_the_schema_knows_no_null() -> None:
    assert "null" not in json.dumps(json_schema())


def written(kind: Kind) -> str:
    """A table of a scenario that names a kind, its numbers other than the defaults."""
    settings = dict.fromkeys(kind.needed, 0.5) | numbers_of(kind)
    return ", ".join([f'kind = "{kind.name}"', *(f"{n} = {v}" for n, v in settings.items())])


def scenario_with(kind: Kind) -> str:
    """A scenario in which a kind stands where such kinds belong."""
    parts = {"activation": "", "init": "", "loss": 'kind = "mse"', "optimizer": 'kind = "sgd"'}
    for name, rows in (
        ("activation", ACTIVATIONS),
        ("init", INITIALIZERS),
        ("loss", LOSSES),
        ("optimizer", OPTIMIZERS),
    ):
        if kind in rows.values():
            parts[name] = written(kind)
    layer = "".join(f"{n} = {{ {parts[n]} }}\n" for n in ("activation", "init") if parts[n])
    return (
        f"format = 1\nloss = {{ {parts['loss']} }}\noptimizer = {{ {parts['optimizer']} }}\n"
        f"[network]\ninputs = 2\n[[network.layers]]\nunits = 2\n{layer}"
        "[data]\nx = [[1, 2], [3, 4]]\ny = [[0, 1], [1, 0]]\n"
    )


@each_of("kind", KINDS)
def test_a_scenario_may_have_every_row(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(scenario_with(kind), encoding="utf-8")
    operations = {line.operation for line in compile_scenario(load(path)).instructions}
    assert kind.name in operations or kind.name in INITIALIZERS


@each_of("name", GENERATORS)
def test_a_generator_gives_what_its_row_says(name: str) -> None:
    row = GENERATORS[name]
    classes = 2 if row.two_classes else 3
    x, y = row.points(row.samples, classes)
    assert x.shape == (row.samples, 2)
    assert set(y.tolist()) == set(range(classes))


def formulas() -> Iterator[FunctionType]:
    """Yield every lambda expression of operations and programs that is alone on its line."""
    for package in (nnstep.engine.operations, nnstep.engine.program):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            assert isinstance(module.__loader__, SourceFileLoader)
            code = module.__loader__.get_code(found.name)
            lambdas = list(code_of_lambdas(code)) if code else []
            on_line = Counter(each.co_firstlineno for each in lambdas)
            for each in lambdas:
                if on_line[each.co_firstlineno] == 1:
                    cells = tuple(CellType() for _ in each.co_freevars)
                    yield FunctionType(each, vars(module), closure=cells)


def code_of_lambdas(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            if each.co_name == "<lambda>":
                yield each
            yield from code_of_lambdas(each)


def test_a_formula_read_by_itself_is_the_one_in_its_module() -> None:
    found = list(formulas())
    assert len(found) > 150
    for function in found:
        by_itself = _body_by_positions(function)
        assert by_itself is None or ast.dump(by_itself) == ast.dump(_body_in_module(function))
    assert sum(_body_by_positions(function) is not None for function in found) > 150
