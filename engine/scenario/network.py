"""The tables `[network]`, `[loss]`, `[optimizer]` and `[program]`, checked and complete."""

import re
from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.limits import MAX_AXES, MAX_ELEMENTS, MAX_LAYERS, MAX_NAME, MAX_PARAMETERS
from nnstep.engine.operations.activations import ACTIVATIONS
from nnstep.engine.operations.arithmetic import weights_shape
from nnstep.engine.operations.initializers import INITIALIZERS
from nnstep.engine.operations.losses import LOSSES
from nnstep.engine.operations.operation import Kind, Settings
from nnstep.engine.operations.optimizers import OPTIMIZERS
from nnstep.engine.text import quoted

from . import schema
from .convert import kind_and_options, kind_of
from .errors import Keys
from .model import (
    Activation,
    Clip,
    DrawnParameter,
    Expression,
    Initializer,
    Layer,
    Loss,
    Network,
    Optimizer,
)
from .numbers import check_settings, finite, read_array, read_array_file, typed
from .report import Report

if TYPE_CHECKING:
    from nnstep.engine.language.nodes import Assignment

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
    shape = weights_shape(network.layout, inputs, table.units)
    weights = _weights(table, shape, network, keys, report)
    bias = _bias(table, network.dtype, (*keys, "bias"), report)
    if isinstance(table.activation, Struct):
        check_settings(table.activation, network.dtype, (*keys, "activation"), report)
    activation = Activation(*kind_and_options(table.activation))
    row = ACTIVATIONS[activation.kind]
    _go_together(row, activation.options, (*keys, "activation"), report)
    if bias is None and "bias" in table.frozen and table.bias is False:
        at = table.frozen.index("bias")
        report.error((*keys, "frozen", at), "this layer has no bias to freeze")
    if weights is None or (bias is None and table.bias is not False):
        return None
    return Layer(table.units, activation, weights, bias, frozenset(table.frozen))


def _weights(
    table: schema.Layer, shape: Shape, network: schema.Network, keys: Keys, report: Report
) -> Array | Initializer | None:
    """Return W or the rule it is drawn by; None if that is mistaken."""
    if table.weights is None:
        if table.init is None:
            return _DEFAULT_INITIALIZER
        return _initializer(table.init, network.dtype, (*keys, "init"), report)
    if table.init is not None:
        report.error((*keys, "init"), "'init' and 'weights' exclude each other", part="key")
        return None
    other_layout = "in_out" if network.layout == "out_in" else "out_in"
    hint = f'; it would fit layout = "{other_layout}"'
    keys = (*keys, "weights")
    if isinstance(table.weights, schema.ArrayFile):
        return _from_file(table.weights, shape, network.dtype, keys, report, hint)
    return _parameter(table.weights, shape, network.dtype, keys, report, hint)


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
        case schema.ArrayFile() as file:
            return _from_file(file, (table.units,), dtype, keys, report)
        case rule:
            return _initializer(rule, dtype, keys, report)


def _initializer(
    chosen: str | Struct, dtype: str, keys: Keys, report: Report
) -> Initializer | None:
    """Return the rule that a name or a table chooses; None if a number in it is mistaken."""
    if isinstance(chosen, Struct) and not check_settings(chosen, dtype, keys, report):
        return None
    rule = Initializer(*kind_and_options(chosen))
    return rule if _go_together(INITIALIZERS[rule.kind], rule.options, keys, report) else None


def _go_together(kind: Kind, settings: Settings, keys: Keys, report: Report) -> bool:
    """Tell whether settings that are right one by one are right together; report what is not."""
    mistakes = list(kind.mistakes(kind.filled(settings)))
    for name, message in mistakes:
        report.error((*keys, name), message)
    return not mistakes


def _parameter(
    values: list[Any], shape: Shape, dtype: str, keys: Keys, report: Report, hint: str = ""
) -> Array | None:
    """Return weights or a bias as an array; `hint` is for one that has the shape reversed."""
    array = read_array(values, keys, report)
    if array is None or not finite(array, keys, report):
        return None
    return _fitting(array, shape, dtype, keys, report, hint)


def _from_file(
    table: schema.ArrayFile, shape: Shape, dtype: str, keys: Keys, report: Report, hint: str = ""
) -> Array | None:
    """Return weights or a bias from a file; None if it has them not, or others."""
    array = read_array_file(table.file, table.array, keys, report)
    if array is None:
        return None
    return _fitting(array, shape, dtype, (*keys, "file"), report, hint)


def _fitting(
    array: Array, shape: Shape, dtype: str, keys: Keys, report: Report, hint: str
) -> Array | None:
    """Return an array in the scenario's type; None if it has not the shape that is needed."""
    if array.shape != shape:
        message = f"expected shape {shape}, found {array.shape}"
        report.error(keys, message + (hint if array.shape == shape[::-1] else ""))
        return None
    return typed(array, dtype, keys, report)


def build_loss(table: schema.LossTable, dtype: str, report: Report) -> Loss:
    """Return the loss that a `[loss]` table describes."""
    row = LOSSES[kind_of(table)]
    check_settings(table, dtype, ("loss",), report)
    if table.from_logits and row.logits is None:
        report.error(("loss", "from_logits"), f"{row.name} takes no logits; the cross-entropies do")
    reduction = table.reduction or row.usual
    if row.targets == "classes" and reduction == "mean":
        reduction = "batch_mean"
    options = {name: getattr(table, name) for name in row.settings}
    _go_together(row, options, ("loss",), report)
    return Loss(row.name, reduction, table.from_logits, table.fuse, options)


def build_optimizer(table: schema.OptimizerTable, dtype: str, report: Report) -> Optimizer:
    """Return the optimizer that an `[optimizer]` table describes."""
    check_settings(table, dtype, ("optimizer",), report)
    if table.clip is not None:
        check_settings(table.clip, dtype, ("optimizer", "clip"), report)
    kind, options = kind_and_options(table)
    clip = _clip(options.pop("clip"), report)
    _go_together(OPTIMIZERS[kind], options, ("optimizer",), report)
    return Optimizer(kind, options.pop("lr"), options, clip)


def _clip(table: schema.Clip | None, report: Report) -> Clip | None:
    if table is None:
        return None
    if table.norm is not None:
        if table.value is not None:
            message = "'norm' and 'value' exclude each other"
            report.error(("optimizer", "clip", "value"), message, part="key")
        return Clip("norm", table.norm)
    if table.value is not None:
        return Clip("value", table.value)
    report.error(("optimizer", "clip"), "clip needs norm = … or value = …")
    return None


_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"


def build_program(table: schema.Program, report: Report) -> Expression | None:
    """Return the expression that a `[program]` table describes; None if there are mistakes.

    What the names in it may be, and whether the loss is among them, the compiler knows.
    """
    parameters = _values(table.parameters, table.dtype, ("program", "parameters"), report)
    inputs = _values(table.inputs, table.dtype, ("program", "inputs"), report)
    for name in table.inputs:
        if name in table.parameters:
            message = f"{quoted(name)} is a parameter already"
            report.error(("program", "inputs", name), message, part="key")
    statements = _statements(table, report)
    if parameters is None or inputs is None or statements is None:
        return None
    if sum(prod(parameter.shape) for parameter in parameters.values()) > MAX_PARAMETERS:
        message = f"the parameters would be more than {MAX_PARAMETERS:,} numbers together"
        report.error(("program", "parameters"), message)
        return None
    constants = {n: value for n, value in inputs.items() if not isinstance(value, DrawnParameter)}
    return Expression(table.code, statements, table.loss, parameters, constants)


def _statements(table: schema.Program, report: Report) -> "tuple[Assignment, ...] | None":
    """Parse the code, and see that it has a line."""
    from nnstep.engine.language.nodes import GrammarError
    from nnstep.engine.language.parser import parse_program

    try:
        statements = parse_program(table.code)
    except GrammarError as error:
        report.error(("program", "code"), error.message, offset=error.start)
        return None
    if not statements:
        report.error(("program", "code"), "the code has no line; a line is 'name = value'")
        return None
    return statements


def _values(
    table: Mapping[str, Any], dtype: str, keys: Keys, report: Report
) -> dict[str, Array | DrawnParameter] | None:
    """Return named values as arrays, or as what they are drawn by; None if one is mistaken."""
    values: dict[str, Array | DrawnParameter] = {}
    for name, value in table.items():
        place = (*keys, name)
        if not re.fullmatch(_IDENTIFIER, name):
            message = f"{quoted(name)} cannot be a name in a program"
            report.error(place, message, part="key")
            continue
        if len(name) > MAX_NAME:
            message = f"{quoted(name)} is too long: a name has at most {MAX_NAME} characters"
            report.error(place, message, part="key")
            continue
        first = _first_value(value, dtype, place, report)
        if first is not None:
            values[name] = first
    return values if len(values) == len(table) else None


def _first_value(
    value: Any, dtype: str, keys: Keys, report: Report
) -> Array | DrawnParameter | None:
    """Return what a program's parameter or input begins with; None if that is mistaken."""
    match value:
        case schema.Parameter(file=None):
            return _drawn_parameter(value, dtype, keys, report)
        case schema.Parameter() if value.shape is not None or value.init is not None:
            name = "init" if value.shape is None else "shape"
            message = f"'file' and '{name}' exclude each other"
            report.error((*keys, name), message, part="key")
            return None
        case schema.Parameter() | schema.ArrayFile():
            array = read_array_file(str(value.file), value.array, keys, report)
            keys = (*keys, "file")
        case _:
            array = read_array(value, keys, report)
            if array is not None and not finite(array, keys, report):
                return None
    return None if array is None else typed(array, dtype, keys, report)


def _drawn_parameter(
    table: schema.Parameter, dtype: str, keys: Keys, report: Report
) -> DrawnParameter | None:
    if table.shape is None:
        report.error(keys, "a table needs 'file', or 'shape' and 'init'")
        return None
    if table.array is not None:
        report.error((*keys, "array"), "'array' goes with 'file', not with 'shape'", part="key")
        return None
    if len(table.shape) > MAX_AXES or prod(table.shape) > MAX_ELEMENTS:
        message = f"an array has at most {MAX_AXES} axes and {MAX_ELEMENTS:,} numbers"
        report.error((*keys, "shape"), message)
        return None
    rule = _DEFAULT_INITIALIZER
    if table.init is not None:
        chosen = _initializer(table.init, dtype, (*keys, "init"), report)
        if chosen is None:
            return None
        rule = chosen
    return DrawnParameter(rule, tuple(table.shape))
