"""An override: a line that a person writes themselves and runs in place of one of the program's.

It is read as expressions are, never executed as Python, and checked before it can run: which line
it takes the place of, what is live there, and that its shape is the tensor's in every batch.
"""

import ast
import re
from collections.abc import Collection, Iterator, Mapping

import numpy as np
from msgspec.structs import replace

from nnstep.engine.arrays import Array
from nnstep.engine.language.as_formula import formula_of
from nnstep.engine.language.evaluate import COUNTS, evaluate, unknown
from nnstep.engine.language.nodes import (
    Call,
    Conditional,
    ConditionError,
    GrammarError,
    Name,
    Node,
    descendants,
)
from nnstep.engine.language.parser import parse_condition
from nnstep.engine.language.typed import on_one_line
from nnstep.engine.machine.edit import Override
from nnstep.engine.operations.formula import Formula
from nnstep.engine.program.compile import program_of
from nnstep.engine.program.program import Instruction, Phase, Program, Role, Tensor
from nnstep.engine.scenario import schema
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.text import listed, nearest, quoted

_NAME = re.compile(r"\s*([A-Za-z_]\w*)\s*=(?!=)\s*", re.ASCII)
_WHERE = re.compile(rf"\s+in\s+({'|'.join(Phase)})(?:\s+([0-9]{{1,6}}))?\s*$")
OPERATION = "override"
"""The operation of a line that a person wrote."""


class OverrideError(ValueError):
    """A line that cannot take another's place; `start` counts the characters before the mistake."""

    def __init__(self, message: str, start: int = 0) -> None:
        super().__init__(message)
        self.start = start


def overriding(
    scenario: Scenario,
    program: Program,
    text: str,
    place: int,
    phase: str | None = None,
    nth: int | None = None,
) -> Override:
    """Return the override that a line such as `dW1 = dz1.T @ x / 3` is, from a place on.

    Where several lines write the tensor, `phase` and `nth`, counted from 1, say which is meant; the
    text may say it itself: `W1 = W1 - lr in update 2`. Raises `OverrideError`.
    """
    text = on_one_line(text)
    if said := _WHERE.search(text):
        text, phase, nth = text[: said.start()], said[1], int(said[2]) if said[2] else nth
    name = _NAME.match(text)
    if name is None:
        raise OverrideError("an override is a whole line, as in: dW1 = dz1.T @ x / 3")
    position = line_meant(program, name[1], phase, nth)
    rule = rule_of(program.instructions[position])
    try:
        node = parse_condition(text[name.end() :])
        _check_names(node, program, position)
        formula = _fitting(scenario, program, rule, node)
    except GrammarError as error:
        raise OverrideError(error.message, name.end() + error.start) from None
    line = _own_line(rule, formula)
    return _override(program, line, place, position)


def to_change(program: Program, position: int) -> str:
    """Return a line as one that overrides it is typed; raise `OverrideError` if none can."""
    line = program.instructions[position]
    name = line.writes[0]
    try:
        usual = line_meant(program, name, None, None)
    except OverrideError:
        if line.kernel is None:
            raise
        usual = None
    if usual == position:
        return line.code
    nth = _writing(program, name, line.phase).index(position) + 1
    return f"{line.code} in {line.phase} {nth}"


def with_override(scenario: Scenario, program: Program, table: schema.Override) -> Program:
    """Return a program with an override of its file, from step 0 on; raise `OverrideError`."""
    made = overriding(scenario, program, table.line, 0, table.phase, table.nth)
    return program.with_lines({made.position: made.instruction})


def first_program(scenario: Scenario) -> Program:
    """Return the program that a run begins with: the scenario's, with the overrides of its file."""
    program = program_of(scenario)
    for table in scenario.overrides:
        program = with_override(scenario, program, table)
    return program


def switched_off(program: Program, name: str, place: int) -> Override:
    """Return what lets the rule's line for a tensor run again; raise `OverrideError` if it does."""
    found = [i for i, line in enumerate(program.instructions) if line.rule and name in line.writes]
    if not found:
        theirs = [line.writes[0] for line in program.instructions if line.rule]
        there = f"; there is one of {listed(theirs)}" if theirs else ""
        raise OverrideError(f"no line of {quoted(name)} is overridden{there}")
    return _override(program, rule_of(program.instructions[found[0]]), place, found[0])


def in_force(program: Program, edits: Collection[object]) -> tuple[Override, ...]:
    """Return the overrides that a program has; those of the file from step 0 on."""
    made = {each.position: each for each in edits if isinstance(each, Override)}
    return tuple(
        made.get(position) or _override(program, line, 0, position)
        for position, line in enumerate(program.instructions)
        if line.rule is not None
    )


def rule_of(line: Instruction) -> Instruction:
    """Return the program's own line: itself, or the one in whose place it stands."""
    return line.rule or line


def reference(line: Instruction, tensors: Mapping[str, Array]) -> Array | None:
    """Return what the rule would give from the same tensors; None if the line is the rule's."""
    rule = line.rule and line.rule.as_shown
    if rule is None or rule.kernel is None:
        return None
    with np.errstate(all="ignore"):
        return np.asarray(rule.kernel(tensors))


def _override(program: Program, line: Instruction, place: int, position: int) -> Override:
    alike = _writing(program, line.writes[0], line.phase)
    return Override(line.code, line.phase, alike.index(position) + 1, place, position, line)


def _own_line(rule: Instruction, formula: Formula) -> Instruction:
    """Return the rule's line with another formula, which has the tensors' names already."""
    names = {parameter: parameter for parameter in formula.parameters}
    return replace(
        rule,
        operation=OPERATION,
        reads=formula.parameters,
        code=f"{rule.writes[0]} = {formula.text(names)}",
        kernel=formula.over(names),
        formula=formula,
        names=names,
        settings={},
        sides=None,
        rule=rule,
        runs=None,
    )


# Which line is meant


def line_meant(program: Program, name: str, phase: str | None, nth: int | None) -> int:
    """Return the position of the line that an override of a tensor is about.

    That is the first of phase backward, else the only one.
    """
    if name not in program.tensors:
        raise OverrideError(f"there is no tensor {quoted(name)}{_meant(name, program.tensors)}")
    if name in program.instructions[0].writes and program.instructions[0].phase is Phase.BATCH:
        message = f"{name} is taken from the data; change a number with set {name}[…] = …"
        raise OverrideError(message)
    found = _writing(program, name, phase)
    if not found:
        raise OverrideError(_no_line(program, name, phase))
    if nth is not None:
        if not 1 <= nth <= len(found):
            raise OverrideError(f"there are {len(found)} such lines: {_list(program, found)}")
        return found[nth - 1]
    backward = _writing(program, name, Phase.BACKWARD)
    if phase is None and backward:
        return backward[0]
    if len(found) > 1:
        message = f"several lines write {name}; say which, as in update 2: "
        raise OverrideError(message + _list(program, found))
    return found[0]


def _writing(program: Program, name: str, phase: str | None) -> list[int]:
    lines = enumerate(program.instructions)
    return [i for i, line in lines if name in line.writes and phase in (None, line.phase)]


def _list(program: Program, positions: list[int]) -> str:
    """Write lines with the words that choose each of them."""

    def written(position: int) -> str:
        line = program.instructions[position]
        nth = _writing(program, line.writes[0], line.phase).index(position) + 1
        return f"{line.code} (in {line.phase} {nth})"

    return "; ".join(map(written, positions))


def _no_line(program: Program, name: str, phase: str | None) -> str:
    """Say why no line writes a tensor, and what to do instead."""
    tensor = program.tensors[name]
    if phase is not None and _writing(program, name, None):
        return f"no line of phase {phase} writes {name}"
    if tensor.role is Role.PARAMETER and tensor.frozen:
        return f"{name} is frozen: no line writes it"
    return f"no line writes {name}; it is changed as in: set {name} = …"


# Whether the line can run there


def _check_names(node: Node, program: Program, position: int) -> None:
    """Raise `GrammarError` for a name that has no value at a line in the first pass."""
    live = set(_live(program, position))
    for part in descendants(node):
        if not isinstance(part, Name) or part.name in live:
            continue
        if part.name in COUNTS and part.name not in program.tensors:
            message = f"{part.name} can be used in conditions, not in a line of the program"
        elif part.name in program.tensors:
            writer = next(line for line in program.instructions if part.name in line.writes)
            message = f"{part.name} has no value yet at this line; a later one, {writer.code}, "
            message += "writes it"
        else:
            layer = program.instructions[position].layer
            own = [name for name in live if program.tensors[name].layer == layer]
            message = f"{part.name} is no tensor here{_meant(part.name, own, program.tensors)}"
        raise GrammarError(message, part.start, part.end)
    for part, message in unknown(node, program.tensors):
        raise GrammarError(message, part.start, part.end)


def _meant(name: str, *known: Collection[str]) -> str:
    """Ask for the nearest name, of the first names among which one is near."""
    near = next((found for names in known if (found := nearest(name, names))), None)
    return f"; did you mean {near}?" if near else ""


def _live(program: Program, position: int) -> Iterator[str]:
    """Yield what has a value at a line in the first pass."""
    yield from (name for name, tensor in program.tensors.items() if tensor.start is not None)
    for line in program.instructions[:position]:
        yield from line.writes


def _fitting(scenario: Scenario, program: Program, rule: Instruction, node: Node) -> Formula:
    """Return the formula of a line that has, in every size of batch, the shape that it must have.

    It is tried on arrays of ones of those shapes; a result of another type becomes the run's.
    """
    formula, target = formula_of(node), program.tensors[rule.writes[0]]
    kind, turned = _dtype(scenario, target), False
    for batch, wanted in enumerate(target.shapes):
        read = [program.tensors[name] for name in formula.parameters]
        values = {t.name: np.ones(t.shapes[batch], _dtype(scenario, t)) for t in read}
        _tried(node, values)
        _check_branches(node, values)
        try:
            result = _computed(formula, values)
        except (ArithmeticError, AttributeError, IndexError, TypeError, ValueError) as error:
            message = f"this cannot be computed as a line: {error}"
            raise GrammarError(message, node.start, node.end) from None
        if result.shape != wanted:
            size = f" for a batch of {len(values['x'])}" if "x" in values and batch else ""
            message = f"this has shape {result.shape}{size}, and {target.name} has {wanted}"
            raise GrammarError(message, node.start, node.end)
        turned |= result.dtype != kind
    if not turned:
        return formula
    scalar = ast.Attribute(ast.Name("np", ast.Load()), kind.name, ast.Load())
    return Formula(formula.parameters, ast.Call(scalar, [formula.tree], []))


def _tried(node: Node, values: Mapping[str, Array]) -> None:
    """Raise `GrammarError` for shapes that do not fit, and for a part that would be too large."""
    try:
        evaluate(node, values)
    except ConditionError as error:
        raise GrammarError(str(error), node.start, node.end) from None


def _check_branches(node: Node, values: Mapping[str, Array]) -> None:
    """Raise `GrammarError` where the shape, or whether there is a value, hangs on what numbers are.

    They are known to be ones only here.
    """
    for part in descendants(node):
        if isinstance(part, Conditional):
            shapes = [np.shape(evaluate(each, values)) for each in (part.value, part.otherwise)]
            if shapes[0] != shapes[1]:
                message = "the values before 'if' and after 'else' have shapes "
                raise GrammarError(f"{message}{shapes[0]} and {shapes[1]}", part.start, part.end)
        elif isinstance(part, Call) and part.function == "int":
            given = part.arguments[0]
            has_names = any(isinstance(each, Name) for each in descendants(given))
            if has_names and np.asarray(evaluate(given, values)).dtype.kind != "i":
                message = "int takes a count, such as the t of Adam: other numbers may become NaN"
                raise GrammarError(message, part.start, part.end)


def _computed(formula: Formula, values: Mapping[str, Array]) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(formula.over({name: name for name in values})(values))


def _dtype(scenario: Scenario, tensor: Tensor) -> "np.dtype[np.generic]":
    """Return the type of a tensor's numbers: classes and counts are whole, the rest the run's."""
    if tensor.role is Role.DATA and tensor.name == "y" and scenario.data is not None:
        return scenario.data.y.dtype
    counts = tensor.role is Role.BUFFER and tensor.of is None
    return np.dtype(np.int64 if counts else scenario.dtype)
