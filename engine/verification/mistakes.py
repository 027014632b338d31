"""Known mistakes of a hand-written backward pass, made on purpose and compared with what stands.

For each layer the derivatives by its `z` and `a` are taken as difference quotients, so that nothing
in phase backward has to be right. From them follows what the gradient would be with the mistake.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, cached_property

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.operations.activations import OPERATIONS
from nnstep.engine.operations.operation import Operation, same_shape
from nnstep.engine.program.program import Instruction, Phase, Role, run

from .point import Point
from .probe import Probe
from .verdict import NEAR, STEP, Cell, Fingerprint

MOST_CELLS = 3000
"""The cells of a tensor above which its derivative is not taken cell by cell."""

EXPLAINED = 1e-3
"""The share of the difference to the right gradient that a mistake may leave unexplained."""


class Dense(Struct, frozen=True):
    """A weighted sum and its activation, by the names of their tensors.

    `line` is the rule's, whatever runs in place of it. `out_in` says that z = x @ W.T, else it is
    x @ W. Without an activation, `line` is None and `a` is `z`.
    """

    weights: str
    bias: str | None
    x: str
    z: str
    a: str
    line: Instruction | None
    out_in: bool


def layers_of(point: Point) -> list[Dense]:
    """Return the weighted sums of a forward pass, in order."""
    return [layer for line in point.forward if (layer := _layer(line, point))]


def _layer(line: Instruction, point: Point) -> Dense | None:
    if line.operation == "linear":
        names, z = line.names, line.writes[0]
        parts = names["x"], names["W"], names.get("b"), z
    elif line.operation == "matmul" and {"a", "b"} <= line.names.keys():
        if (found := _product(line, point)) is None:
            return None
        parts = found
    else:
        return None
    x, weights, bias, z = parts
    arrays = [point.tensors[each] for each in (x, weights, z)]
    if any(array.ndim != 2 for array in arrays):
        return None
    readers = (one.rule or one for one in point.forward if z in one.reads)
    after = [one for one in readers if one.operation in OPERATIONS]
    activation = after[0] if len(after) == 1 else None
    a = activation.writes[0] if activation else z
    offset = point.tensors[bias] if bias else 0.0
    out_in = arrays[1].shape[1] == arrays[0].shape[1] and np.allclose(
        arrays[0] @ arrays[1].T + offset, arrays[2]
    )
    return Dense(weights, bias, x, z, a, activation, bool(out_in))


def _product(line: Instruction, point: Point) -> tuple[str, str, str | None, str] | None:
    """Return input, weights, bias and result of `x @ W` or `x @ W.T`, and of `+ b` behind it."""
    x, weights, z = line.names["a"], line.names["b"], line.writes[0]
    transposed = next((one for one in point.forward if weights in one.writes), None)
    if transposed and transposed.operation == "transpose":
        weights = transposed.reads[0]
    if weights not in point.program.parameters:
        return None
    behind = [one for one in point.forward if z in one.reads]
    if len(behind) == 1 and behind[0].operation == "add":
        bias = next((name for name in behind[0].reads if name != z), None)
        if bias in point.program.parameters:
            return x, weights, bias, behind[0].writes[0]
    return x, weights, None, z


class Suspects:
    """Compares wrong gradients with those of known mistakes; `earlier` are of the pass before."""

    def __init__(self, point: Point, earlier: Mapping[str, Array]) -> None:
        self._point = point
        self._earlier = earlier
        self._derivative = cache(self._numeric)

    @cached_property
    def _layers(self) -> list[Dense]:
        return layers_of(self._point)

    def mistake(self, parameter: str, cells: Sequence[Cell]) -> tuple[Fingerprint, str] | None:
        """Return the mistake that gives the gradients of some cells, and what it is about."""
        for number, layer in enumerate(self._layers):
            if parameter in (layer.weights, layer.bias):
                return self._of_layer(parameter, number, cells)
        return None

    def _of_layer(
        self, parameter: str, number: int, cells: Sequence[Cell]
    ) -> tuple[Fingerprint, str] | None:
        layer = self._layers[number]
        dz, x = self._derivative(layer.z), self._point.tensors[layer.x]
        if dz is None:
            return None
        numeric = np.array([cell.numeric for cell in cells])
        stands = np.array([cell.analytic for cell in cells])
        index = tuple(np.array([cell.index for cell in cells]).T)
        is_bias = parameter == layer.bias
        right = self._gradient(layer, dz, x, is_bias)[index]
        # What the loss adds to it apart from the layer, such as a penalty.
        rest = numeric - right
        rest[np.abs(rest) <= NEAR * np.abs(numeric).max(initial=0.0)] = 0.0

        gap = np.abs(stands - numeric).max(initial=0.0)

        def fits(array: Array) -> bool:
            return bool(np.all(np.abs(array[index] + rest - stands) <= EXPLAINED * gap))

        if is_bias:
            for row, each in enumerate(dz):
                if len(dz) > 1 and fits(each):
                    return Fingerprint.ONE_ROW, str(row)
        for fingerprint, detail, other_dz in self._wrong_derivatives(number, dz):
            if fits(self._gradient(layer, other_dz, x, is_bias)):
                return fingerprint, detail
        if not is_bias:
            for fingerprint, detail, other_x in self._wrong_inputs(layer, x):
                if fits(self._gradient(layer, dz, other_x, is_bias)):
                    return fingerprint, detail
        return None

    @staticmethod
    def _gradient(layer: Dense, dz: Array, x: Array, is_bias: bool) -> Array:
        if is_bias:
            return dz.sum(axis=0)
        return dz.T @ x if layer.out_in else x.T @ dz

    def _wrong_derivatives(
        self, number: int, right: Array
    ) -> Iterator[tuple[Fingerprint, str, Array]]:
        """Yield what stands for a layer's dz when it is computed wrongly."""
        layer, tensors = self._layers[number], self._point.tensors
        line, da = layer.line, None
        slope = _slope_of(line)
        computed = self._point.computed
        if line is not None and slope is not None:
            if self._computes_another(layer, slope) and f"d{layer.z}" in computed:
                yield Fingerprint.OTHER_SLOPE, line.operation, computed[f"d{layer.z}"]
            da = self._derivative(layer.a)
        if line is not None and slope is not None and da is not None:
            z, a = tensors[layer.z], tensors[layer.a]
            if slope.name != "identity":
                yield Fingerprint.MISSING_DERIVATIVE, line.operation, da
            if slope.shape is same_shape and slope.name != "identity":
                yield from self._wrong_slopes(layer, line, slope, da)
            for after in self._layers[number + 1 :]:
                for fingerprint, detail, back in self._ways_back(after):
                    if after.x == layer.a:
                        yield fingerprint, detail, _through(slope, back, z, a)
        for name, array in self._gradients_like(layer.z, right):
            if name != f"d{layer.a}":
                yield Fingerprint.OTHER_TENSOR, f"{name} in place of d{layer.z}", array

    def _wrong_slopes(
        self, layer: Dense, line: Instruction, slope: Operation, da: Array
    ) -> Iterator[tuple[Fingerprint, str, Array]]:
        """Yield what dz is if the slope of each unit is taken at something else."""
        z, a = self._point.tensors[layer.z], self._point.tensors[layer.a]
        if "a" in slope.gradient_formula("z").parameters:
            yield Fingerprint.AT_Z, line.operation, _through(slope, da, z, z)
        yield Fingerprint.TWICE, line.operation, _through(slope, _through(slope, da, z, a), z, a)
        b = slope.value_formula.function(a)
        yield Fingerprint.AT_A, line.operation, _through(slope, da, a, b)
        stale = self._earlier.get(layer.a), self._earlier.get(layer.z)
        if all(each is not None and each.shape == a.shape for each in stale):
            old_a, old_z = (np.asarray(each, np.float64) for each in stale)
            yield Fingerprint.STALE, layer.a, _through(slope, da, old_z, old_a)
        for other in OPERATIONS.values():
            if other.shape is same_shape and other.name != "identity":
                yield Fingerprint.OTHER_SLOPE, other.name, _through(other, da, z, a)

    def _computes_another(self, layer: Dense, activation: Operation) -> bool:
        """Tell whether forward computes another activation than the rule of its line says."""
        z, a = self._point.tensors[layer.z], self._point.tensors[layer.a]
        value = activation.value_formula
        return value.parameters == ("z",) and not np.allclose(value.function(z), a)

    def _ways_back(self, after: Dense) -> Iterator[tuple[Fingerprint, str, Array]]:
        """Yield what stands for the derivative by a layer's input, the da of the layer before."""
        weights, dz = self._point.tensors[after.weights], self._derivative(after.z)
        if dz is None:
            return

        def along(weights: Array, dz: Array = dz) -> Array:
            return dz @ (weights if after.out_in else weights.T)

        if weights.shape[0] == weights.shape[1]:
            yield Fingerprint.TRANSPOSED_WEIGHTS, after.weights, along(weights.T)
        for updated in self._updated(after):
            yield Fingerprint.UPDATED_WEIGHTS, after.weights, along(updated)
        for other in self._layers:
            array = self._point.tensors[other.weights]
            if other.weights != after.weights and array.shape == weights.shape:
                detail = f"{other.weights} in place of {after.weights}"
                yield Fingerprint.OTHER_TENSOR, detail, along(array)
        stands = self._point.computed.get(f"d{after.z}", dz)
        if np.abs(stands - dz).max(initial=0.0) > NEAR * np.abs(dz).max(initial=0.0):
            return  # what is wrong before is handed on
        for name, array in self._gradients_like(after.z, dz):
            detail = f"{name} in place of d{after.z}"
            yield Fingerprint.OTHER_TENSOR, detail, along(weights, array)

    def _gradients_like(self, z: str, dz: Array) -> Iterator[tuple[str, Array]]:
        """Yield the other gradients of phase backward that have the shape of a layer's dz."""
        for tensor in self._point.program.with_role(Role.GRADIENT):
            array = self._point.computed.get(tensor.name)
            if array is not None and tensor.name != f"d{z}" and array.shape == dz.shape:
                yield tensor.name, array

    def _updated(self, layer: Dense) -> Iterator[Array]:
        """Yield the weights of a layer as they are after this pass's update.

        That is less lr times their gradient, or as the update lines have them.
        """
        point = self._point
        weights, gradient = point.tensors[layer.weights], point.gradients[layer.weights]
        if weights.shape != gradient.shape:
            return
        if (rate := point.live.get("lr")) is not None:
            yield weights - float(rate) * gradient
        update = [line for line in point.program.instructions if line.phase is Phase.UPDATE]
        own = {point.program.gradients[name]: point.gradients[name] for name in point.gradients}
        with suppress(KeyError):  # a buffer may not be live
            yield run(update, {**point.live, **point.tensors, **own})[layer.weights]

    def _wrong_inputs(self, layer: Dense, x: Array) -> Iterator[tuple[Fingerprint, str, Array]]:
        """Yield what may stand for the input of a layer."""
        old = self._earlier.get(layer.x)
        if old is not None and old.shape == x.shape:
            yield Fingerprint.STALE, layer.x, np.asarray(old, np.float64)
        for name, array in self._point.tensors.items():
            role = self._point.program.tensors[name].role
            if name != layer.x and array.shape == x.shape and role in (Role.VALUE, Role.DATA):
                yield Fingerprint.OTHER_TENSOR, f"{name} in place of {layer.x}", array

    def _numeric(self, name: str) -> Array | None:
        """Return the derivative of the loss by a tensor, None if that would take too long."""
        array = self._point.tensors[name]
        if array.size > MOST_CELLS:
            return None
        probe, result = Probe(self._point, name), np.zeros(array.shape)
        for index in np.ndindex(array.shape):
            result[index] = _on_one_side(probe, index)
        return result


def _on_one_side(probe: Probe, index: Shape) -> float:
    """Return a difference quotient, at a narrower step where a kink lies within the usual one.

    A number exactly at the kink of an activation counts as below it.
    """
    step = STEP * probe.scale(index)
    for power in range(4):
        quotient = probe.quotient(index, step / 10**power)
        if not quotient.crossed:
            return quotient.value
    kink = probe.kink(index, 0.0, step)
    return kink.below if kink.operation in OPERATIONS else quotient.value


def _slope_of(line: Instruction | None) -> Operation | None:
    """Return the operation of an activation's line, with the settings that it has there."""
    operation = OPERATIONS.get(line.operation) if line and line.phase is not Phase.LOSS else None
    if line is None or operation is None:
        return None
    known = operation.settings
    return operation.with_settings(
        **{name: value for name, value in line.settings.items() if name in known}
    )


def _through(slope: Operation, da: Array, z: Array, a: Array) -> Array:
    """Return what an activation's derivative makes of da, with these for its `z` and `a`."""
    rule, given = slope.gradient_formula("z"), {"da": da, "z": z, "a": a}
    return np.asarray(rule.function(*(given[name] for name in rule.parameters)))
