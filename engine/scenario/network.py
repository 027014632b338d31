"""The layers of a network: defaults filled in, every array of the shape that the layout asks for."""

import math
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.limits import MAX_ELEMENTS, MAX_PARAMETERS

from . import kinds, schema
from .convert import kind_of
from .model import Activation, Initializer, Layer, Loss, Network
from .numbers import finite, read_array, shape_text, typed
from .report import Report

if TYPE_CHECKING:
    from .locate import Keys

_DEFAULT_INITIALIZER = Initializer("xavier_uniform")


def build_network(table: schema.Network, loss: Loss, report: Report) -> Network | None:
    """Return the network that a `[network]` table describes; None if a layer has a mistake."""
    layers: list[Layer] = []
    inputs = table.inputs
    parameters = 0
    for index, layer in enumerate(table.layers):
        keys = ("network", "layers", index)
        parameters += inputs * layer.units + layer.units
        if inputs * layer.units > MAX_ELEMENTS or parameters > MAX_PARAMETERS:
            report.error((*keys, "units"), _too_many(index, inputs, layer.units))
            return None
        if built := _layer(layer, inputs, table, keys, report):
            layers.append(built)
        inputs = layer.units
    if len(layers) < len(table.layers):
        return None
    return Network(table.inputs, tuple(layers), loss, table.layout, table.input_gradient, table.l2)


def _too_many(index: int, inputs: int, units: int) -> str:
    if inputs * units > MAX_ELEMENTS:
        return f"W{index + 1} would have {inputs * units:,} numbers, more than {MAX_ELEMENTS:,}"
    return f"the network would have more than {MAX_PARAMETERS:,} parameters"


def _layer(
    table: schema.Layer, inputs: int, network: schema.Network, keys: "Keys", report: Report
) -> Layer | None:
    shape = (table.units, inputs) if network.layout == "out_in" else (inputs, table.units)
    weights = _weights(table, shape, network.dtype, keys, report)
    bias = _bias(table, network.dtype, (*keys, "bias"), report)
    if bias is None and "bias" in table.frozen and table.bias is False:
        at = table.frozen.index("bias")
        report.error((*keys, "frozen", at), "this layer has no bias to freeze")
    if weights is None or (bias is None and table.bias is not False):
        return None
    return Layer(table.units, _activation(table.activation), weights, bias, frozenset(table.frozen))


def _activation(chosen: str | kinds.ActivationTable) -> Activation:
    if isinstance(chosen, str):
        return Activation(chosen)
    return Activation(kind_of(chosen), msgspec.structs.asdict(chosen))


def _weights(
    table: schema.Layer, shape: Shape, dtype: str, keys: "Keys", report: Report
) -> Array | Initializer | None:
    """Return W or the rule it is drawn by; None if that is mistaken."""
    if isinstance(table.weights, UnsetType):
        if isinstance(table.init, Struct):
            return _initializer(table.init, (*keys, "init"), report)
        return _DEFAULT_INITIALIZER
    if table.init is not UNSET:
        report.error((*keys, "init"), "'init' and 'weights' exclude each other", part="key")
        return None
    return _parameter(table.weights, shape, dtype, (*keys, "weights"), report)


def _bias(
    table: schema.Layer, dtype: str, keys: "Keys", report: Report
) -> Array | Initializer | None:
    """Return b or the rule it is drawn by; None if there is none or it is mistaken."""
    match table.bias:
        case True:
            return Initializer("zeros")
        case False:
            return None
        case list() as values:
            return _parameter(values, (table.units,), dtype, keys, report)
        case rule:
            return _initializer(rule, keys, report)


def _initializer(table: kinds.InitializerTable, keys: "Keys", report: Report) -> Initializer | None:
    if isinstance(table, kinds.Uniform) and table.low > table.high:
        report.error((*keys, "high"), f"'high' must not be below 'low', {table.low}")
        return None
    return Initializer(kind_of(table), msgspec.structs.asdict(table))


def _parameter(
    values: list[Any], shape: Shape, dtype: str, keys: "Keys", report: Report
) -> Array | None:
    """Return weights or a bias as an array of this shape."""
    array = read_array(values, keys, report)
    if array is None:
        return None
    if array.shape != shape:
        message = f"expected shape {shape_text(shape)}, found {shape_text(array.shape)}"
        report.error(keys, message + _other_layout(array.shape, shape))
        return None
    if not finite(array, keys, report):
        return None
    return typed(array, dtype, keys, report, by_element=True)


def _other_layout(found: Shape, expected: Shape) -> str:
    if len(found) == 2 and found == expected[::-1]:
        return "; it would fit the other layout, in_out for out_in or the reverse"
    if math.prod(found) == math.prod(expected):
        return "; the numbers are as many, the lists are not as long"
    return ""
