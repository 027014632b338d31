"""Classic mistakes of a backward pass or an update, planted as overrides to be found.

Each says which lines it is made in, and writes the line as somebody who makes it would. It is
planted in the first line from the output where it fits and changes a number in the first pass.
"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from msgspec import Struct

from nnstep.engine.machine.edit import Override
from nnstep.engine.machine.losses import LossHistory
from nnstep.engine.machine.machine import Machine
from nnstep.engine.machine.start import initial_state
from nnstep.engine.program.program import Instruction, Phase, Program, Role
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.text import did_you_mean, listed, quoted

from .override import OverrideError, first_program, overriding, reference

Wrong = Callable[[Program, Instruction], str | None]
"""Writes the right-hand side of a line as the mistake has it; None where it is not made."""


class Mistake(Struct, frozen=True):
    """A row: a mistake by its name, what it is, the lines it needs, and how it is written."""

    name: str
    description: str
    needs: str
    wrong: Wrong


def _code(line: Instruction) -> str:
    return line.code.split(" = ", 1)[1]


def _tensor(program: Program, line: Instruction) -> str | None:
    """Return the tensor whose gradient a backward line writes."""
    return program.tensors[line.writes[0]].of if line.phase is Phase.BACKWARD else None


def _without_rows(program: Program, line: Instruction) -> str | None:
    """Leave out the division by the number of rows, or of elements."""
    tree, form = ast.parse(_code(line), mode="eval").body, "{}"
    match tree:
        case ast.Call(func=ast.Name("to_float16"), args=[inner]):
            tree, form = inner, "to_float16({})"
    if line.phase is not Phase.BACKWARD or not isinstance(tree, ast.BinOp):
        return None
    counted = re.search(r"\blen\(|\.size\b", ast.unparse(tree.right))
    is_quotient = isinstance(tree.op, ast.Div) and counted
    return form.format(ast.unparse(tree.left)) if is_quotient else None


def _other_sign(program: Program, line: Instruction) -> str | None:
    """Turn the sign of the gradient that the loss begins with."""
    backward = [each for each in program.instructions if each.phase is Phase.BACKWARD]
    return f"-({_code(line)})" if backward and line is backward[0] else None


def _transposed(program: Program, line: Instruction) -> str | None:
    of = _tensor(program, line)
    return f"({_code(line)}).T" if of in program.parameters and "@" in line.code else None


def _without_slope(program: Program, line: Instruction) -> str | None:
    """Hand da on as dz, as if the activation had slope 1."""
    da = _gradient_read(program, line)
    return da if da and da != _code(line) else None


def _gradient_read(program: Program, line: Instruction) -> str | None:
    """Return `da2` where the line is that of `dz2`."""
    z = _tensor(program, line)
    if z is None or not re.fullmatch(r"z\d+", z):
        return None
    return next((name for name in line.reads if name == f"da{z[1:]}"), None)


def _slope_at_z(program: Program, line: Instruction) -> str | None:
    """Take the slope, written in a, at z."""
    z = _tensor(program, line)
    if z is None or _gradient_read(program, line) is None:
        return None
    at_z = re.sub(rf"\ba{z[1:]}\b", z, _code(line))
    return at_z if at_z != _code(line) else None


def _other_activation(program: Program, line: Instruction) -> str | None:
    """Compute another activation forward, whose slope is not the one that is used backward."""
    activation = re.fullmatch(r"(?:np\.)?(\w+)\((z\d+)(?:,.*)?\)", _code(line))
    if line.phase is not Phase.FORWARD or activation is None:
        return None
    other = "sigmoid" if activation[1] != "sigmoid" else "np.tanh"
    return f"{other}({activation[2]})"


def _first_row(program: Program, line: Instruction) -> str | None:
    """Take the first row of dz in place of the sum over all rows."""
    summed = re.fullmatch(r"(\w+)\.sum\(axis=0\)|sum_in_float32\((\w+), axis=0\)", _code(line))
    of = _tensor(program, line)
    return f"{summed[1] or summed[2]}[0]" if summed and of in program.parameters else None


def _updated_first(program: Program, line: Instruction) -> str | None:
    """Send the errors back along weights that have been updated already."""
    of = _tensor(program, line)
    if of is None or program.tensors[of].role is Role.PARAMETER:
        return None
    for weights in program.trained:
        if weights in line.reads and "lr" in program.tensors:
            updated = f"({weights} - lr * d{weights})"
            return re.sub(rf"\b{weights}\b", updated, _code(line))
    return None


def _cell_by_cell(program: Program, line: Instruction) -> str | None:
    wrong = _code(line).replace(" @ ", " * ")
    return wrong if line.phase is Phase.BACKWARD and wrong != _code(line) else None


def _momentum_turned(program: Program, line: Instruction) -> str | None:
    """Take the gradient out of the velocity in place of adding it."""
    velocity = line.writes[0].startswith("buf_") and line.phase is Phase.UPDATE
    wrong = re.sub(r" \+ (.*d\w+)$", r" - \1", _code(line))
    return wrong if velocity and wrong != _code(line) else None


def _no_correction(program: Program, line: Instruction) -> str | None:
    """Take Adam's first moment as it is, without dividing by 1 - beta ** t."""
    moment = re.fullmatch(r"(m_\w+) / \(1 - .*\)", _code(line))
    return moment[1] if moment and line.writes[0].startswith("m_hat_") else None


MISTAKES = {
    row.name: row
    for row in (
        Mistake(
            "missing-1-m",
            "The gradient of a mean is not divided by its count.",
            "a loss that is a mean",
            _without_rows,
        ),
        Mistake("sign", "The gradient of the loss has the wrong sign.", "a loss", _other_sign),
        Mistake(
            "transposed",
            "dW is transposed.",
            "a square weight matrix",
            _transposed,
        ),
        Mistake(
            "missing-derivative",
            "dz leaves the slope of the activation out.",
            "a layer whose dz comes from da",
            _without_slope,
        ),
        Mistake(
            "derivative-at-z",
            "The slope, a formula in a, is taken at z.",
            "a layer whose slope is written in a",
            _slope_at_z,
        ),
        Mistake(
            "wrong-activation",
            "Forward computes another activation than backward differentiates.",
            "a layer with an activation",
            _other_activation,
        ),
        Mistake(
            "bias-not-summed",
            "db is the first row of dz, not the sum over the rows.",
            "a bias, and a batch of several rows",
            _first_row,
        ),
        Mistake(
            "update-before-use",
            "The errors go back along weights that have been updated already.",
            "two layers and an optimizer",
            _updated_first,
        ),
        Mistake(
            "star-for-at",
            "A product cell by cell stands where a matrix product belongs.",
            "a product whose shapes fit cell by cell too",
            _cell_by_cell,
        ),
        Mistake(
            "momentum-sign",
            "The velocity takes the gradient away in place of adding it.",
            "an optimizer with momentum",
            _momentum_turned,
        ),
        Mistake(
            "no-bias-correction",
            "Adam's first moment is not corrected for having begun at 0.",
            "Adam",
            _no_correction,
        ),
    )
}
"""The mistakes by their names, in the order in which they are listed."""


class MistakeError(ValueError):
    """A mistake that cannot be planted; the message says what it needs and which can be."""


def planted(scenario: Scenario, text: str) -> Override:
    """Return a mistake, `NAME` or `NAME@LAYER`, as an override from step 0 on.

    Raises `MistakeError` for one that there is not, or that nothing in the program is fit for.
    """
    name, _, layer = text.partition("@")
    if name not in MISTAKES:
        hint = did_you_mean(name, MISTAKES)
        raise MistakeError(f"there is no mistake {quoted(name)}{hint}: {listed(MISTAKES, 'or')}")
    if layer and not layer.isdigit():
        raise MistakeError(f"{quoted(layer)} is no layer; write it as in {name}@2")
    found = next(_made(scenario, MISTAKES[name], int(layer) if layer else None), None)
    if found is not None:
        return found
    where = f" in layer {layer}" if layer else ""
    message = f"{name} needs {MISTAKES[name].needs}{where}, and changes nothing here otherwise"
    fit = fitting(scenario)
    raise MistakeError(f"{message}; here one can plant {listed(fit)}" if fit else message)


def fitting(scenario: Scenario) -> list[str]:
    """Return the names of the mistakes that can be planted in a scenario."""
    return [name for name, row in MISTAKES.items() if any(True for _ in _made(scenario, row))]


def everywhere(scenario: Scenario, row: Mistake) -> list[Override]:
    """Return a mistake in every line where it fits and changes a number."""
    return list(_made(scenario, row))


def _made(scenario: Scenario, row: Mistake, layer: int | None = None) -> Iterator[Override]:
    """Yield a mistake in every line where it fits and changes a number, from the output on."""
    program = first_program(scenario)
    for line in _from_the_output(program):
        wrong = row.wrong(program, line) if layer in (None, _layer(program, line)) else None
        if wrong is None:
            continue
        alike = [
            each
            for each in program.instructions
            if (each.phase, each.writes) == (line.phase, line.writes)
        ]
        nth = next(i for i, each in enumerate(alike, 1) if each is line)
        try:
            text = f"{line.writes[0]} = {wrong}"
            made = overriding(scenario, program, text, 0, line.phase, nth)
        except OverrideError:
            continue
        if _changes_a_number(scenario, program, made):
            yield made


def _layer(program: Program, line: Instruction) -> int | None:
    """Return the layer of a line, of an update that of the parameter."""
    return line.layer or program.tensors[line.writes[0]].layer


def _from_the_output(program: Program) -> Iterable[Instruction]:
    """Return the lines that compute, the last layer's first; within a layer as they run."""
    lines = [line for line in program.instructions if line.kernel is not None]
    return sorted(lines, key=lambda line: -(_layer(program, line) or 0))


def _changes_a_number(scenario: Scenario, program: Program, made: Override) -> bool:
    """Tell whether the line gives something else than the rule's in the first pass."""
    machine = Machine(scenario, program)
    machine.restore(initial_state(scenario, program, scenario.seed), LossHistory())
    machine.go(made.position)
    rule = reference(made.instruction, machine.tensors)
    assert made.instruction.kernel is not None, "an override computes"
    with np.errstate(all="ignore"):
        own = np.asarray(made.instruction.kernel(machine.tensors))
    return rule is not None and not np.array_equal(own, rule, equal_nan=True)
