"""The layers of a network: defaults filled in, every array of the shape its layout asks for."""

import math
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.limits import MAX_ELEMENTS, MAX_LAYERS, MAX_PARAMETERS

from . import kinds, schema
from .convert import kind_and_options
from .model import Activation, Initializer, Layer, Loss, Network
from .numbers import finite, read_array, typed
from .places import Keys
from .report import Report
from .settings import check_settings

_DEFAULT_INITIALIZER = Initializer("xavier_uniform")


def build_network(table: schema.Network, loss: Loss | None, report: Report) -> Network | None:
    """Return the network that a `[network]` table describes.

    It is None if a layer has a mistake; so it is without a loss, its layers checked all the same.
    """
    check_settings(table, table.dtype, ("network",), report)
    if len(table.layers) > MAX_LAYERS:
        report.error(("network", "layers"), f"a network has at most {MAX_LAYERS:,} layers")
        return None
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
    if loss is None or len(layers) < len(table.layers):
        return None
    return Network(table.inputs, tuple(layers), loss, table.layout, table.input_gradient, table.l2)


def _too_many(index: int, inputs: int, units: int) -> str:
    if inputs * units > MAX_ELEMENTS:
        return f"W{index + 1} would have {inputs * units:,} numbers, more than {MAX_ELEMENTS:,}"
    return f"the network would have more than {MAX_PARAMETERS:,} parameters"


def _layer(
    table: schema.Layer, inputs: int, network: schema.Network, keys: Keys, report: Report
) -> Layer | None:
    shape = (table.units, inputs) if network.layout == "out_in" else (inputs, table.units)
    weights = _weights(table, shape, network, keys, report)
    bias = _bias(table, network.dtype, (*keys, "bias"), report)
    if isinstance(table.activation, Struct):
        check_settings(table.activation, network.dtype, (*keys, "activation"), report)
    if bias is None and "bias" in table.frozen and table.bias is False:
        at = table.frozen.index("bias")
        report.error((*keys, "frozen", at), "this layer has no bias to freeze")
    if weights is None or (bias is None and table.bias is not False):
        return None
    activation = Activation(*kind_and_options(table.activation))
    return Layer(table.units, activation, weights, bias, frozenset(table.frozen))


def _weights(
    table: schema.Layer, shape: Shape, network: schema.Network, keys: Keys, report: Report
) -> Array | Initializer | None:
    """Return W or the rule it is drawn by; None if that is mistaken."""
    if isinstance(table.weights, UnsetType):
        if isinstance(table.init, UnsetType):
            return _DEFAULT_INITIALIZER
        return _initializer(table.init, network.dtype, (*keys, "init"), report)
    if table.init is not UNSET:
        report.error((*keys, "init"), "'init' and 'weights' exclude each other", part="key")
        return None
    other_layout = "in_out" if network.layout == "out_in" else "out_in"
    hint = f'; it would fit layout = "{other_layout}"'
    return _parameter(table.weights, shape, network.dtype, (*keys, "weights"), report, hint)


def _bias(
    table: schema.Layer, dtype: str, keys: Keys, report: Report
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
            return _initializer(rule, dtype, keys, report)


def _initializer(
    chosen: str | Struct, dtype: str, keys: Keys, report: Report
) -> Initializer | None:
    """Return the rule that a name or a table chooses; None if a number in it is mistaken."""
    if isinstance(chosen, Struct) and not check_settings(chosen, dtype, keys, report):
        return None
    if isinstance(chosen, kinds.Uniform):
        problem = None
        if chosen.low > chosen.high:
            problem = f"'high' must not be below 'low', {chosen.low}"
        elif not math.isfinite(chosen.high - chosen.low):
            problem = f"the interval from 'low', {chosen.low}, to 'high' is too wide"
        if problem:
            report.error((*keys, "high"), problem)
            return None
    return Initializer(*kind_and_options(chosen))


def _parameter(
    values: list[Any], shape: Shape, dtype: str, keys: Keys, report: Report, hint: str = ""
) -> Array | None:
    """Return weights or a bias as an array; `hint` is for one that has the shape reversed."""
    array = read_array(values, keys, report)
    if array is None or not finite(array, keys, report):
        return None
    if array.shape != shape:
        message = f"expected shape {shape}, found {array.shape}"
        report.error(keys, message + (hint if array.shape == shape[::-1] else ""))
        return None
    return typed(array, dtype, keys, report)
