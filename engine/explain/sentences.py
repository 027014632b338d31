"""What a value means, in a sentence made from its rule and the state; none where all is plain.

Each is a claim: of the loss, of tensors, or of cells. None is made where it would not hold.
"""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.operations.initializers import INITIALIZERS
from nnstep.engine.operations.losses import LOSSES
from nnstep.engine.program.program import Drawn, Instruction, Phase, Tensor
from nnstep.engine.text import cell_name

from .digits import is_rounding, to_digits
from .expansion import Part, cells_of
from .sums import factors_of

if TYPE_CHECKING:
    from .explain import Walk
    from .sums import Sum


def number(value: float) -> str:
    """Write a number for a sentence: four decimals from 0.001 up, else four digits."""
    if not math.isfinite(value):
        return str(value)
    if value == 0 or 0.001 <= abs(value) < 1e6:
        text = f"{value:.4f}"
        return text.removesuffix(".0000")
    return to_digits(value, 4)


def sentence(walk: "Walk", total: "Sum | None") -> str:
    """Return what the value means; "" where there is nothing particular to say."""
    if not np.isfinite(float(walk.value)):
        return ""
    if total is not None and is_rounding(total, walk.value):
        return "Only rounding is left of it: the terms cancel."
    for say in _SENTENCES:
        if said := say(walk, total):
            return said
    if total is not None and abs(float(walk.value)) < 0.05 * total.absolute:
        return "Its terms nearly cancel." if float(walk.value) else "Its terms cancel."
    return ""


# Gradients


def _of_parameter(walk: "Walk", total: "Sum | None") -> str:
    """Say what a gradient of a parameter is for: how the loss answers to it."""
    tensor = walk.program.tensors[walk.name]
    if walk.line.phase is not Phase.BACKWARD or tensor.of not in walk.program.parameters:
        return ""
    if not holds_for_the_loss(walk):
        return ""
    loss, cell = walk.program.loss, cell_name(tensor.of, walk.index)
    value = float(walk.value)
    if value == 0:
        return f"A little change of {cell} does not change {loss}, to first order."
    verb = "grows" if value > 0 else "falls"
    said = f"If {cell} grows by a little h, {loss} {verb} by {number(abs(value))} h."
    if total is not None and total.zeros and _runs_over_rows(walk):
        said += f" {total.count - total.zeros:,} of {total.count:,} rows count."
    return said


def _runs_over_rows(walk: "Walk") -> bool:
    """Tell whether the terms of a gradient are those of the rows of the batch."""
    rows = walk.before["x"].shape[0] if "x" in walk.before and walk.before["x"].ndim else 0
    total = walk.total
    return walk.is_network and total is not None and total.count == rows > 1


def _of_product(walk: "Walk", total: "Sum | None") -> str:
    """Say of a product of two single numbers what goes back to one of them."""
    line = walk.line
    if line.phase is not Phase.BACKWARD or line.operation != "multiply" or walk.free:
        return ""
    if len(line.reads) != 2 or walk.name in line.reads:
        return ""
    upstream = walk.line.names.get("dout")
    others = [name for name in walk.line.reads if name != upstream]
    of = walk.program.tensors[walk.name].of
    if upstream is None or len(others) != 1:
        return ""
    return f"A product hands back the gradient times the other factor: {of} gets {others[0]}."


def _of_activation(walk: "Walk", total: "Sum | None") -> str:
    """Say how much of an error the slope of an activation lets through."""
    line = walk.line
    tensor = walk.program.tensors[walk.name]
    upstream = line.names.get("da")
    if (
        not walk.is_network
        or line.phase is not Phase.BACKWARD
        or line.layer is None
        or upstream is None
        or line.operation in ("identity", "softmax")
        or walk.before[upstream].shape != tuple(each.size for each in walk.free)
        or tensor.of is None
    ):
        return ""
    error = float(walk.before[upstream][walk.index])
    if error == 0 or not math.isfinite(error):
        return ""
    unit = walk.index[-1]
    share = float(walk.value) / error
    if share == 0:
        kind = "its ReLU is off" if line.operation == "relu" else f"its {line.operation} is flat"
        return f"The error at neuron {unit} goes no further: {kind} here."
    if line.operation == "relu":
        return f"The error at neuron {unit} passes unchanged: its ReLU is on."
    if share < 0:
        return ""
    return (
        f"The error at neuron {unit}, let through by the slope of its {line.operation}: "
        f"{percent(share)} of it."
    )


def percent(share: float) -> str:
    """Write a share in per cent, small ones with the digits that they need."""
    hundredths = 100 * share
    if hundredths >= 1 or hundredths == 0:
        return f"{hundredths:.0f} %"
    return f"{to_digits(hundredths, 2)} %"


def _of_bias(walk: "Walk", total: "Sum | None") -> str:
    tensor = walk.program.tensors[walk.name]
    if not _is_linear(walk, Phase.BACKWARD) or tensor.of != f"b{walk.line.layer}":
        return ""
    return f"{tensor.of} was added to every row; so its gradient is the sum over the rows."


def _of_inputs(walk: "Walk", total: "Sum | None") -> str:
    tensor = walk.program.tensors[walk.name]
    if not _is_linear(walk, Phase.BACKWARD) or tensor.of in walk.program.parameters:
        return ""
    layer = walk.line.layer
    of = "input" if tensor.of == "x" else "neuron"
    return f"The errors of layer {layer}, sent back along the weights out of {of} {walk.index[-1]}."


def _is_linear(walk: "Walk", phase: Phase) -> bool:
    line = walk.line
    return walk.is_network and line.operation == "linear" and line.phase is phase


# Values


def _of_weighted_sum(walk: "Walk", total: "Sum | None") -> str:
    if not _is_linear(walk, Phase.FORWARD):
        return ""
    return (
        f"The weighted sum that enters neuron {walk.index[-1]} of layer {walk.line.layer}, "
        "before its activation."
    )


def _of_output(walk: "Walk", total: "Sum | None") -> str:
    """Say of an activation only that it is off."""
    line = walk.line
    if not walk.is_network or line.phase is not Phase.FORWARD or line.operation != "relu":
        return ""
    if float(walk.value) != 0:
        return ""
    z = cell_name(line.reads[0], walk.index)
    return f"Neuron {walk.index[-1]} is off for this row: {z} is not above 0."


def _of_loss(walk: "Walk", total: "Sum | None") -> str:
    """Say what the loss of a network measures, and how it is added up."""
    line = walk.line
    if not walk.is_network or line.phase is not Phase.LOSS:
        return ""
    row = next(
        (
            row
            for row in LOSSES.values()
            if line.operation in (row.operation.name, row.logits and row.logits.name)
        ),
        None,
    )
    if row is None or not row.meaning:
        return ""
    outputs, targets = (walk.before[line.names[each]] for each in ("a", "y"))
    if not _are_certain(row.targets, targets, outputs):
        return ""
    rows = len(outputs) > 1
    per_row = row.targets == "classes"
    reduction = str(line.settings.get("reduction"))
    said = f"{row.meaning}, {_added_up(reduction, rows, per_row)}"
    penalised = [name for name in line.reads if name in walk.program.parameters]
    return f"{said}, and the penalty of the weights." if penalised else f"{said}."


def _are_certain(kind: str, targets: Array, outputs: Array) -> bool:
    """Tell whether targets that are probabilities are 0 or 1, one a row if they are classes."""
    if kind == "numbers" or targets.dtype.kind == "i":
        return True
    ones = targets.sum(axis=-1)
    inside = bool(np.all((outputs != 0) & (outputs != 1)))  # else a logarithm is held at -100
    return (
        inside and bool(np.isin(targets, (0, 1)).all()) and (kind != "classes" or (ones == 1).all())
    )


def _added_up(reduction: str, rows: bool, per_row: bool) -> str:
    things = "rows" if per_row else "outputs and rows" if rows else "outputs"
    if reduction == "sum":
        return f"all {things} added"
    if reduction == "mean":
        return f"the mean over {things}"
    return "the mean over the rows" if per_row else "outputs added, the mean over the rows"


# Updates


def _of_first_step(walk: "Walk", total: "Sum | None") -> str:
    """Say that Adam's first step has the length lr, where it does."""
    line = walk.line
    if line.operation not in ("adam", "adamw") or walk.name not in walk.program.trained:
        return ""
    if "m_hat" not in line.names or int(walk.before.get("t", np.array(0))[()]) != 1:
        return ""
    gradient = float(walk.before[f"d{walk.name}"][walk.index])
    step = float(walk.before["lr"][()])
    moved = float(walk.value) - float(walk.before[walk.name][walk.index])
    if gradient == 0 or step == 0 or abs(moved + math.copysign(step, gradient)) > 0.01 * step:
        return ""
    return "Adam's first step is lr, against the sign of the gradient, whatever its size."


def _of_clipping(walk: "Walk", total: "Sum | None") -> str:
    line = walk.line
    if walk.name != "clip_factor" or line.phase is not Phase.UPDATE:
        return ""
    norm, factor = float(walk.before["grad_norm"][()]), float(walk.value)
    if factor == 1:
        return f"The norm, {number(norm)}, is not over the limit: no gradient is changed."
    return f"The norm is {number(norm)}: every gradient is scaled to {percent(factor)} of itself."


Say = Callable[["Walk", "Sum | None"], str]

_SENTENCES: tuple[Say, ...] = (
    _of_bias,
    _of_product,
    _of_parameter,
    _of_activation,
    _of_inputs,
    _of_weighted_sum,
    _of_output,
    _of_loss,
    _of_first_step,
    _of_clipping,
)


# What a claim about the loss needs


def holds_for_the_loss(walk: "Walk") -> bool:
    """Tell whether a gradient is the derivative of the loss by the tensor as it is now.

    It is not while contributions are missing, nor where something was edited in the pass or a line
    is somebody's own, nor at a kink, where the loss has no derivative, nor where it is no number.
    """
    program = walk.program
    if not np.isfinite(walk.before[program.loss]).all():
        return False
    start = walk.step - walk.step % len(program)
    if walk.timeline.current.cells_edited_until(walk.step, after=start):
        return False
    if any(line.rule is not None or line.runs is not None for line in program.instructions):
        return False
    later = program.instructions[walk.step - start + 1 :]
    if any(walk.name in line.writes and line.phase is Phase.BACKWARD for line in later):
        return False
    lines = program.instructions[: walk.step - start]
    forward = [line for line in lines if line.phase in (Phase.FORWARD, Phase.LOSS)]
    return not any(at_a_kink(line, walk.before) for line in forward)


def at_a_kink(line: Instruction, tensors: Mapping[str, Array]) -> bool:
    """Tell whether an input of a line is at a kink of its operation, or beside one.

    What tells the sides of the kink apart is asked a little to either side of the inputs, each of
    which is moved by another distance.
    """
    if line.sides is None or line.kernel is None:
        return False
    found = []
    read = {name: tensors[name] for name in line.sides.parameters if name in tensors}
    for direction in (1.0, -1.0):
        moved = read | {name: _moved(tensors[name], direction) for name in line.reads}
        moved[line.writes[0]] = np.asarray(line.kernel(moved))
        sides = line.sides.function(*(moved[each] for each in line.sides.parameters))
        found.append(np.asarray(sides))
    return not np.array_equal(found[0], found[1])


def _moved(array: Array, direction: float) -> Array:
    if array.dtype.kind != "f":
        return array
    distances = 1 + np.arange(array.size).reshape(array.shape) % 7
    eps = float(np.finfo(array.dtype).eps) ** 0.5 * 1e-2
    steps = direction * eps * distances * np.maximum(np.abs(array), 1)
    moved: Array = (array + steps).astype(array.dtype)
    return moved


# What no step has computed


def of_first(tensor: Tensor, seed: int) -> str:
    """Say where a first value comes from."""
    said = ""
    start = tensor.start
    if isinstance(start, Drawn) and INITIALIZERS[start.by.kind].is_random:
        said = f"Drawn at the start with seed {seed}."
    if tensor.frozen:
        said = f"{said} It is frozen: no update changes it.".strip()
    return said


def of_edit(place: int, stale: int, was: str) -> str:
    """Say that a value was typed in, and how many tensors rest on the old one."""
    if not stale:
        return f"Typed in by you before step {place}; it was {was}."
    several = "1 tensor was" if stale == 1 else f"{stale} tensors were"
    verb = "is" if stale == 1 else "are"
    return f"Typed in by you. {several} computed from the old value and {verb} stale (≈)."


# What is particular


def special(part: Part, total: "Sum | None", walk: "Walk") -> str:
    """Say what is particular in a calculation: zeros, a branch taken, a clamp that acts."""
    return _zeros(total, walk) or _branch(part) or _clamp(part)


def _zeros(total: "Sum | None", walk: "Walk") -> str:
    """Say how many terms are 0, and of which factor, if it is the same in all of them."""
    if total is None or not total.zeros or total.count < 3:
        return ""
    zeros = [term for term in total.terms if term.value == 0]
    cells = [{cell for cell, value in cells_of(term.part) if value == 0} for term in zeros]
    things = "products" if all(len([*factors_of(term.part)]) > 1 for term in zeros) else "terms"
    number = "all" if total.zeros == total.count else f"{total.zeros:,} of"
    verb = "is" if total.zeros == 1 else "are"
    said = f"{number} the {total.count:,} {things} {verb} 0".capitalize()
    for name in sorted({cell[0] for found in cells for cell in found}):
        own = [{cell[1] for cell in found if cell[0] == name} for found in cells]
        if all(own) and len(zeros) == total.zeros:
            pattern = _pattern(set().union(*own))
            return f"{said}, because {cell_name(name, pattern)} = 0{_why_zero(walk, name, pattern)}"
    return said


def _pattern(places: set[Shape]) -> tuple[Any, ...]:
    """Return an index with a letter wherever several have different numbers."""
    letters = iter("nj") if len({place[0] for place in places if place}) > 1 else iter("jk")
    return tuple(
        next(iter(numbers)) if len(numbers) == 1 else next(letters, "k")
        for numbers in (set(axis) for axis in zip(*places, strict=True))
    )


def _why_zero(walk: "Walk", name: str, pattern: tuple[Any, ...]) -> str:
    """Say that a ReLU is off where its output, or what comes back through it, is 0."""
    step = walk.program.last_writer(name, walk.step)
    line = None if step is None else walk.program.instructions[step % len(walk.program)]
    if line is None or line.operation != "relu":
        return ""
    if len(pattern) == 2 and pattern[0] == "n" and isinstance(pattern[1], int):
        return f": neuron {pattern[1]} is off for these rows"
    return ": ReLU off"


def _branch(part: Part) -> str:
    """Say which way a test has come out; nothing where there are several, as in a sum of rows."""
    from .digits import printed

    for test in part.aside:
        if test.sign in ("<", "<=", ">", ">=", "==", "!=", "&", "|"):
            text = printed(test, lambda value: to_digits(value, 6)).text
            cells = ", ".join(dict.fromkeys(cell_name(*cell) for cell, _ in cells_of(test)))
            if test.sign == "==" and test.parts[0].cell and not test.parts[1].cell:
                number, other = text.split(" = ")
                return f"{cells} is {number}" if test.value else f"{cells} is {number}, not {other}"
            if cells:
                return f"{cells}: {text} is {'true' if test.value else 'false'}"
    said = dict.fromkeys(text for each in part.parts[:20] if (text := _branch(each)))
    return next(iter(said)) if len(said) == 1 else ""


def _clamp(part: Part) -> str:
    """Say that a maximum or minimum with a constant has come out as that constant."""
    if part.sign in ("max", "min") and len(part.parts) == 2:
        for each, other in (part.parts, part.parts[::-1]):
            plain = each.cell is None and not each.parts
            if plain and each.value == part.value and other.value != part.value:
                return f"{to_digits(other.value, 6)} is held at {to_digits(each.value, 6)}"
    return next((said for each in part.parts[:20] if (said := _clamp(each))), "")
