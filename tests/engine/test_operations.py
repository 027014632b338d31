"""Every gradient rule agrees with central differences, over random shapes and values."""

import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from in_one_test import each_of

from nnstep.engine.arrays import Array
from nnstep.engine.operations import arithmetic, elements
from nnstep.engine.operations.activations import ACTIVATIONS, GELU_TANH, normal_cdf
from nnstep.engine.operations.arithmetic import linear
from nnstep.engine.operations.catalogue import FUNCTIONS, OPERATORS
from nnstep.engine.operations.functions import sum_to
from nnstep.engine.operations.losses import Reduction, loss_operation
from nnstep.engine.operations.operation import Operation, ShapeError

H = 1e-5
TOLERANCE = 1e-6

shapes = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)
seeds = st.integers(0, 2**32 - 1)


def smooth_values(seed: int, shape: tuple[int, ...], *, positive: bool = False) -> Array:
    """Draw numbers at least 0.05 apart from zero and, being random, from one another."""
    generator = np.random.default_rng(seed)
    magnitude = generator.uniform(0.05, 2.0, shape)
    return np.asarray(magnitude * (1.0 if positive else generator.choice([-1.0, 1.0], shape)))


def numeric(function: Callable[[Array], Any], x: Array, upstream: Array) -> Array:
    """Central differences of Σ upstream · function(x) by every element of x."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[index] += H
        below[index] -= H
        difference = np.asarray(function(above)) - np.asarray(function(below))
        gradient[index] = np.sum(upstream * difference) / (2 * H)
    return gradient


def relative_error(a: Array, n: Array) -> float:
    scale = np.maximum(np.maximum(np.abs(a), np.abs(n)), 1e-3)
    return float(np.max(np.abs(a - n) / scale, initial=0.0))


def check(
    operation: Operation,
    inputs: dict[str, Array],
    seed: int = 0,
    given: frozenset[str] | set[str] = frozenset(),
) -> None:
    """Compare every gradient rule of an operation, at these inputs, with central differences."""
    value = operation.value_formula
    inputs = {name: inputs[name] for name in value.parameters}
    out = np.asarray(value.function(*inputs.values()))
    upstream = np.random.default_rng(seed).standard_normal(out.shape)
    known = {**inputs, operation.output: out, f"d{operation.output}": upstream}
    assert set(operation.gradients) == set(inputs) - given
    for name in operation.gradients:
        rule = operation.gradient_formula(name)
        analytic = np.asarray(rule.function(*(known[p] for p in rule.parameters)))
        if operation.broadcasts:
            analytic = sum_to(np.broadcast_to(analytic, out.shape), inputs[name].shape)

        def varied(x: Array, name: str = name) -> Any:
            return value.function(*{**inputs, name: x}.values())

        expected = numeric(varied, inputs[name], upstream)
        assert analytic.shape == inputs[name].shape, f"{operation.name} by {name}"
        assert relative_error(analytic, expected) < TOLERANCE, f"{operation.name} by {name}"


def unary_operations() -> Iterator[Operation]:
    yield from (row.operation for row in ACTIVATIONS.values())
    yield GELU_TANH
    yield ACTIVATIONS["leaky_relu"].with_settings(slope=0.3)
    yield ACTIVATIONS["elu"].with_settings(alpha=0.5)
    yield from (
        getattr(arithmetic, n) for n in ["SQUARE", "NEGATE", "EXP", "EXPM1", "ABS", "SIN", "COS"]
    )
    yield arithmetic.power_of(3)
    yield arithmetic.power_of(0)
    yield arithmetic.power_of(-2)


@given(shape=shapes, seed=seeds)
@examples(2)
def test_operations_of_one_input(shape: tuple[int, ...], seed: int) -> None:
    x = smooth_values(seed, shape)
    for operation in unary_operations():
        check(operation, {operation.value_formula.parameters[0]: x}, seed)


@given(shape=shapes, seed=seeds)
@examples(2)
def test_operations_of_positive_numbers(shape: tuple[int, ...], seed: int) -> None:
    x = smooth_values(seed, shape, positive=True)
    for name in ("log", "log1p", "sqrt"):
        check(FUNCTIONS[name].operation, {"x": x}, seed)


BROADCASTS = [((2, 3), (2, 3)), ((), (2, 3)), ((3,), (2, 3)), ((1, 3), (2, 3)), ((2, 1), (1, 3))]


@each_of("operation", [*OPERATORS.values(), arithmetic.MAXIMUM, arithmetic.MINIMUM])
@each_of(("left", "right"), [*BROADCASTS, *((b, a) for a, b in BROADCASTS[1:])])
def test_operations_of_two_inputs(
    operation: Operation, left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    a = smooth_values(5, left, positive=operation.name == "power")
    check(operation, {"a": a, "b": smooth_values(6, right)}, 5)


REDUCTIONS = ("sum", "mean", "max", "min", "var", "logsumexp")


@given(shape=shapes, seed=seeds, data=st.data())
@examples(2)
def test_reductions(shape: tuple[int, ...], seed: int, data: st.DataObject) -> None:
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    x = smooth_values(seed, shape)
    for name, keepdims in product(REDUCTIONS, (False, True)):
        operation = FUNCTIONS[name].operation.with_settings(axis=axis, keepdims=keepdims)
        check(operation, {"x": x}, seed)
        expected = np.asarray(operation.value_formula.function(x)).shape
        assert operation.shape(shape, **operation.settings) == expected, name


@each_of("name", REDUCTIONS)
@each_of("axis", [(0, 1), (-1, 0), (2,)])
def test_reductions_over_several_axes(name: str, axis: tuple[int, ...]) -> None:
    for keepdims in (False, True):
        operation = FUNCTIONS[name].operation.with_settings(axis=axis, keepdims=keepdims)
        x = smooth_values(3, (2, 3, 2))
        check(operation, {"x": x})
        expected = np.asarray(operation.value_formula.function(x)).shape
        assert operation.shape(x.shape, **operation.settings) == expected


def check_shape(operation: Operation, inputs: dict[str, Array]) -> None:
    value = operation.value_formula
    found = np.asarray(value.function(*(inputs[p] for p in value.parameters))).shape
    assert operation.shape(*(each.shape for each in inputs.values()), **operation.settings) == found


@given(seed=seeds)
@examples(3)
def test_clip(seed: int) -> None:
    operation = elements.CLIP.with_settings(low=-0.5, high=1.0)
    check(operation, {"x": smooth_values(seed, (3, 4))}, seed)
    rule = operation.gradient_formula("x")
    at_bounds = rule.function(np.ones(2), np.array([-0.5, 1.0]))
    assert at_bounds.tolist() == [1, 1]  # as torch.clamp


@each_of("shape", [(4, 3), (-1,), (2, -1, 3), 12])
def test_reshape(shape: int | tuple[int, ...]) -> None:
    operation = elements.RESHAPE.with_settings(shape=shape)
    inputs = {"x": smooth_values(1, (3, 4))}
    check(operation, inputs)
    check_shape(operation, inputs)


@each_of("axis", [0, 1, -1])
def test_concatenate(axis: int) -> None:
    operation = elements.CONCATENATE.with_settings(axis=axis)
    shapes = ((2, 3), (4, 3)) if axis == 0 else ((2, 3), (2, 1))
    inputs = {"a": smooth_values(1, shapes[0]), "b": smooth_values(2, shapes[1])}
    check(operation, inputs)
    check_shape(operation, inputs)


@each_of("places", [[2, 0, 2], 1, [[0, 1], [2, 2]]])
@each_of("axis", [0, 1])
def test_take(places: Any, axis: int) -> None:
    operation = elements.TAKE.with_settings(axis=axis)
    inputs = {"x": smooth_values(1, (3, 4)), "places": np.array(places)}
    check(operation, inputs, given={"places"})
    check_shape(operation, inputs)


@each_of(
    ("operation", "shapes", "message"),
    [
        (elements.RESHAPE.with_settings(shape=(5, -1)), [(3, 4)], "12 numbers, which do not fit"),
        (elements.RESHAPE.with_settings(shape=(-1, -1)), [(3, 4)], "is no shape"),
        (elements.RESHAPE.with_settings(shape=(0, 4)), [(3, 4)], "is no shape"),
        (elements.CONCATENATE, [(3, 4), (3, 5)], "differ along more than axis 0"),
        (elements.CONCATENATE.with_settings(axis=2), [(3, 4), (3, 4)], "along axis 2"),
        (elements.TAKE.with_settings(axis=2), [(3, 4), (2,)], "no axis 2"),
        (elements.ONE_HOT, [(3,), (2, 4)], "a class for each row"),
        (elements.CHOSEN, [(2,), (), ()], "one truth value"),
        (elements.CHOSEN, [(), (2,), ()], r"have shapes \(2,\) and \(\)"),
        (arithmetic.SUM.with_settings(axis=(0, 0)), [(3, 4)], "the same axis twice"),
    ],
)
def test_shapes_that_do_not_fit(
    operation: Operation, shapes: list[tuple[int, ...]], message: str
) -> None:
    with pytest.raises(ShapeError, match=message):
        operation.shape(*shapes, **operation.settings)


@each_of(("a", "b"), [((2, 3), (3, 4)), ((2, 3), (3,)), ((3,), (3, 4)), ((3,), (3,))])
def test_matrix_products(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    check(arithmetic.matmul(a, b), {"a": smooth_values(7, a), "b": smooth_values(8, b)}, 7)


@given(shape=shapes, seed=seeds)
@examples(2)
def test_transpose(shape: tuple[int, ...], seed: int) -> None:
    check(elements.TRANSPOSE, {"x": smooth_values(seed, shape)}, seed)


@each_of("index", [(0,), (-1, 2), (slice(None), 1), (slice(1, 3), slice(None, None, 2))])
def test_indexing(index: tuple[int | slice, ...]) -> None:
    operation = elements.INDEX.with_settings(index=index)
    x = smooth_values(1, (3, 4))
    check(operation, {"x": x})
    assert operation.shape((3, 4), **operation.settings) == x[index].shape


@each_of("layout", ["out_in", "in_out"])
@each_of("has_bias", [True, False])
@each_of("rows", [1, 4])
def test_linear(layout: str, has_bias: bool, rows: int) -> None:
    shape = (2, 3) if layout == "out_in" else (3, 2)
    inputs = {"x": smooth_values(9, (rows, 3)), "W": smooth_values(10, shape)}
    bias = {"b": smooth_values(11, (2,))} if has_bias else {}
    check(linear(layout, has_bias), {**inputs, **bias}, 9)


LOSSES = [
    ("half_squared_error", False, "identity"),
    ("mse", False, "identity"),
    ("mae", False, "identity"),
    ("huber", False, "identity"),
    ("binary_cross_entropy", False, "sigmoid"),
    ("binary_cross_entropy", True, "identity"),
    ("cross_entropy", False, "softmax"),
    ("cross_entropy", True, "identity"),
]


LOSS_CASES = [
    (*loss, reduction, targets)
    for loss in LOSSES
    for reduction in ("mean", "batch_mean", "sum")
    for targets in ("numbers", "one_hot", "weights", "classes")
    # A cross-entropy's elements are rows, and it alone takes class indices.
    if (reduction != "mean" if loss[0] == "cross_entropy" else targets != "classes")
]


@each_of(("kind", "from_logits", "activation", "reduction", "targets"), LOSS_CASES)
def test_losses(
    kind: str, from_logits: bool, activation: str, reduction: Reduction, targets: str
) -> None:
    rows, seed = 3, 12
    generator = np.random.default_rng(seed)
    classes = generator.integers(0, 3, rows)
    y = {
        "numbers": generator.uniform(0.1, 0.9, (rows, 3)),
        "one_hot": np.eye(3)[classes],
        "weights": generator.uniform(0.1, 2.0, (rows, 3)),
        "classes": classes,
    }[targets]
    operation = loss_operation(kind, from_logits, y).with_settings(delta=0.7)
    f = ACTIVATIONS[activation].operation.value_formula.function
    z = smooth_values(seed, (rows, 3))
    a = np.asarray(f(z))
    value = operation.reduced(reduction)
    known = {"a": a, "y": y}

    def loss(a: Array) -> Any:
        return value.function(*({"a": a, "y": y}[p] for p in value.parameters))

    one = np.ones(())
    da = operation.derivative(reduction)
    analytic = da.function(*(known[p] for p in da.parameters))
    assert relative_error(analytic, numeric(loss, a, one)) < TOLERANCE
    if operation.fused:
        dz = operation.fused_derivative(activation, reduction)
        analytic = dz.function(*(known[p] for p in dz.parameters))
        assert relative_error(analytic, numeric(lambda z: loss(f(z)), z, one)) < TOLERANCE


@each_of("name", [name for name in ACTIVATIONS if name != "identity"])
def test_activations_neither_overflow_nor_warn_far_out(name: str) -> None:
    far = np.array([-1e4, -745.0, -40.0, 40.0, 745.0, 1e4])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert np.isfinite(ACTIVATIONS[name].operation.value_formula.function(far)).all()


def test_cross_entropies_of_logits_do_not_overflow_far_out() -> None:
    z = np.array([[-1e4, 0.0, 1e4]])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        rows = loss_operation("cross_entropy", True, np.array([0])).reduced("mean")
        assert rows.function(z, np.array([0])) == pytest.approx(2e4)
        bce = loss_operation("binary_cross_entropy", True, z).reduced("sum")
        assert bce.function(z, np.array([[1.0, 0.0, 0.0]])) == pytest.approx(2e4 + np.log(2))


SET: dict[str, dict[str, Any]] = {"clip": {"low": 0.5, "high": 1.0}, "reshape": {"shape": (3, 2)}}
PLACES = {"take": "places", "one_hot": "y"}


@each_of("dtype", ["float32", "float16"])
@each_of("name", list(FUNCTIONS))
def test_operations_keep_the_dtype(name: str, dtype: str) -> None:
    function = FUNCTIONS[name]
    operation = function.operation.with_settings(**SET.get(name, {}))
    names = [*operation.value_formula.parameters]
    inputs = {p: smooth_values(1, (2, 3), positive=True).astype(dtype) for p in names}
    if name in PLACES:
        inputs[PLACES[name]] = np.array([1, 0])
    value = operation.value_formula
    out = np.asarray(value.function(*(inputs[p] for p in value.parameters)))
    assert out.dtype == dtype
    known = {**inputs, operation.output: out, f"d{operation.output}": out}
    for parameter in operation.gradients:
        rule = operation.gradient_formula(parameter)
        assert np.asarray(rule.function(*(known[p] for p in rule.parameters))).dtype == dtype


def test_the_error_function_of_many_numbers_is_that_of_each() -> None:
    z = np.linspace(-6, 6, 20_001).reshape(3, -1)
    each = [math.erf(value / math.sqrt(2)) for value in z.ravel()]
    np.testing.assert_array_equal(normal_cdf(z), ((1 + np.array(each)) / 2).reshape(z.shape))
    assert normal_cdf(np.zeros((0, 2))).shape == (0, 2)
