"""From the syntax tree of an expression to operations applied to tensors, one at a time.

Nested expressions get temporaries, and constant ones are worked out on the way. Shapes are inferred
for every size that a batch can have, so that one that does not fit is reported at its place.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from math import prod
from types import MappingProxyType

import numpy as np
from msgspec import Struct

from nnstep.engine.language.nodes import (
    Attribute,
    Binary,
    Call,
    Compare,
    Conditional,
    Group,
    Index,
    Name,
    Negation,
    Node,
    Number,
    Transpose,
)
from nnstep.engine.limits import MAX_ELEMENTS, MAX_LIVE
from nnstep.engine.operations import arithmetic, elements
from nnstep.engine.operations.activations import ACTIVATIONS
from nnstep.engine.operations.arithmetic import matmul
from nnstep.engine.operations.catalogue import FUNCTIONS, OPERATORS, Function
from nnstep.engine.operations.formula import (
    Constant,
    Formula,
    constant,
    formula,
    variable,
)
from nnstep.engine.operations.functions import sum_to
from nnstep.engine.operations.half import BEYOND
from nnstep.engine.operations.operation import Operation, ShapeError
from nnstep.engine.text import did_you_mean

from .builder import Applied
from .program import CompileError, Doubt, Shapes


class Temporaries:
    """Hands out `t1`, `t2`, …, leaving out names that are taken or whose gradient is.

    `given` has those that were handed out.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self.given: set[str] = set()
        self._taken = set(taken)
        self._numbers = count(1)

    def fresh(self) -> str:
        """Return the next free name."""
        for number in self._numbers:
            name = f"t{number}"
            if name not in self._taken and f"d{name}" not in self._taken:
                self.given.add(name)
                return name
        raise AssertionError("numbers do not end")


Operand = str | float
"""A tensor by its name, or a constant."""


class Inline(Struct, frozen=True):
    """A part of a line that has no line of its own: a condition, or a number of the run's type.

    `names` are the tensors for the parameters of its formula, and `shapes` those of its value.
    """

    formula: Formula
    names: Mapping[str, str]
    shapes: Shapes


Part = Operand | Inline

_COMPARED = {
    "<": formula(lambda a, b: a < b),
    "<=": formula(lambda a, b: a <= b),
    ">": formula(lambda a, b: a > b),
    ">=": formula(lambda a, b: a >= b),
    "==": formula(lambda a, b: a == b),
    "!=": formula(lambda a, b: a != b),
    "&": formula(lambda a, b: a & b),
    "|": formula(lambda a, b: a | b),
}

_SIZE = formula(lambda counted: counted.size)
_LENGTH = formula(lambda counted: len(counted))


def _counted(node: Node) -> tuple[Formula, Node] | None:
    """Return how a number of cells or of rows is counted, and of what; None for anything else."""
    match node:
        case Attribute(operand, "size"):
            return _SIZE, operand
        case Call("len", (operand,)):
            return _LENGTH, operand
    return None


_COPY = ACTIVATIONS["identity"].operation
_SUMMED = formula(lambda g, axis: g.sum(axis=axis))
_SUMMED_TO = formula(lambda g, operand: sum_to(g, operand.shape))


def _largest(shapes: Shapes) -> int:
    return max(prod(shape) for shape in shapes)


class Lowering:
    """Applies the operations of expressions, keeping the shape of every tensor.

    A tensor and its gradient count as live from where they are computed on: a program that would
    not fit into memory is refused before it runs.
    """

    def __init__(self, shapes: Mapping[str, Shapes], temporaries: Temporaries, dtype: str) -> None:
        self.shapes = dict(shapes)
        self.written: list[Applied] = []
        self.doubts: list[Doubt] = []
        self._live = 2 * sum(_largest(variants) for variants in self.shapes.values())
        self._temporaries = temporaries
        self._dtype = dtype

    def value(self, node: Node, target: str | None = None) -> Operand:
        """Write the operations for `node`; return the tensor (`target`, if given) or constant."""
        if isinstance(node, Number):
            return self._finite(node.value, node)
        if isinstance(node, Name):
            return self._known(node)
        operation, operands = self._operation(node)
        shapes = self._result_shapes(node, operation, operands)
        constants = {p: c for p, c in operands.items() if isinstance(c, float | int)}
        if len(constants) == len(operands):
            return self._folded(node, operation, constants)
        name = target or self._temporaries.fresh()
        self.shapes[name] = shapes
        inputs = {p: operand for p, operand in operands.items() if isinstance(operand, str)}
        inline = {p: part for p, part in operands.items() if isinstance(part, Inline)}
        self._write(operation, inputs, constants, name, inline)
        return name

    def copy(self, source: str, target: str) -> None:
        """Write `target = source`."""
        self.shapes[target] = self.shapes[source]
        self._write(_COPY, {"z": source}, {}, target)

    def constant(self, value: float, target: str) -> None:
        """Write `target = value`, a single number."""
        self.shapes[target] = self._shapes_of(value)
        self.written.append(Applied("constant", constant(value, self._dtype), {}, target, {}))

    def _known(self, node: Name) -> str:
        if node.name not in self.shapes:
            hint = did_you_mean(node.name, self.shapes)
            raise CompileError(f"'{node.name}' has no value here{hint}", node.start, node.end)
        return node.name

    def _operation(self, node: Node) -> tuple[Operation, dict[str, Part]]:
        """Return the operation of the outermost sign or call, and what it is applied to."""
        match node:
            case Negation(operand):
                return arithmetic.NEGATE, {"x": self.value(operand)}
            case Transpose(operand):
                return elements.TRANSPOSE, {"x": self.value(operand)}
            case Index(operand, index):
                return elements.INDEX.with_settings(index=index), {"x": self.value(operand)}
            case Attribute(operand, "size"):
                return elements.counted(elements.SIZES, self._dtype), {"x": self._tensor(operand)}
            case Conditional(value, test, otherwise):
                return elements.CHOSEN, self._choice(test, value, otherwise)
            case Call("where", (test, value, otherwise)):
                return elements.WHERE, self._choice(test, value, otherwise)
            case Call("len", (operand,)):
                return elements.counted(elements.LENGTHS, self._dtype), {"x": self._tensor(operand)}
            case Call("concatenate"):
                return self._concatenated(node)
            case Call():
                return self._call(node)
            case Binary(sign) if sign not in ("&", "|"):
                return self._binary(node)
            case _:
                message = "comparisons and truth values belong in conditions, not in a program"
                raise CompileError(message, node.start, node.end)

    def _binary(self, node: Binary) -> tuple[Operation, dict[str, Part]]:
        if self._dtype == "float16" and node.operator == "/" and (count := _counted(node.right)):
            # As a part of the line it is divided by in float32, and may be beyond float16.
            left, (of, inner) = self.value(node.left), count
            if isinstance(left, str):
                tensor = self._tensor(inner)
                shapes = self._shapes_of(0)
                return OPERATORS["/"], {"a": left, "b": Inline(of, {"counted": tensor}, shapes)}
        left, right = self.value(node.left), self.value(node.right)
        if node.operator == "**" and isinstance(left, str) and not isinstance(right, str):
            return arithmetic.power_of(right), {"x": left}
        if node.operator == "**" and isinstance(right, str) and not isinstance(left, str):
            return arithmetic.constant_to_the(left), {"x": right}
        if node.operator != "@":
            return OPERATORS[node.operator], {"a": left, "b": right}
        try:
            operation = matmul(self._shapes_of(left)[0], self._shapes_of(right)[0])
        except ShapeError as error:
            raise CompileError(str(error), node.start, node.end) from None
        return operation, {"a": left, "b": right}

    def _tensor(self, node: Node) -> str:
        """Return the tensor that a part is; raise `CompileError` if it is a constant."""
        value = self.value(node)
        if isinstance(value, str):
            return value
        raise CompileError("this is a number, and has no rows", node.start, node.end)

    def _choice(self, test: Node, value: Node, otherwise: Node) -> dict[str, Part]:
        """Return what a condition chooses between; one of two constants gets the run's type."""
        chosen: dict[str, Part] = {"a": self.value(value), "b": self.value(otherwise)}
        first = chosen["a"]
        if isinstance(first, float | int) and not isinstance(chosen["b"], str):
            number = constant(float(first), self._dtype)
            chosen["a"] = Inline(number, {}, self._shapes_of(first))
        condition = self._test(test)
        own = {p: f"test_{p}" for p in condition.names}
        renamed = condition.formula.on(**{p: variable(name) for p, name in own.items()})
        names = {own[p]: name for p, name in condition.names.items()}
        return {"test": Inline(renamed, names, condition.shapes), **chosen}

    def _test(self, node: Node) -> Inline:
        """Return a condition as a part of a line; its operands get lines of their own."""
        if not isinstance(node, Binary | Compare) or node.operator not in _COMPARED:
            value = self.value(node)
            return self._inline(node, variable("c"), {"c": value})
        if isinstance(node, Binary):
            sides = {"a": self._test(node.left), "b": self._test(node.right)}
            parts = {
                side: part.formula.on(**{p: variable(f"{side}{p}") for p in part.names})
                for side, part in sides.items()
            }
            names = {f"{side}{p}": n for side, part in sides.items() for p, n in part.names.items()}
            return self._inline(node, _COMPARED[node.operator].on(**parts), names)
        operands = {"a": self.value(node.left), "b": self.value(node.right)}
        return self._inline(node, _COMPARED[node.operator], operands)

    def _inline(self, node: Node, part: Formula, operands: Mapping[str, Part]) -> Inline:
        """Return a part of a line over tensors and constants, with the shape of its value."""
        names = {p: operand for p, operand in operands.items() if isinstance(operand, str)}
        numbers = {p: number for p, number in operands.items() if isinstance(number, float | int)}
        by_batch = zip(*(self._shapes_of(operand) for operand in operands.values()), strict=True)
        try:
            shapes = tuple(elements.where_shape(*each) for each in by_batch)
        except ShapeError as error:
            raise CompileError(str(error), node.start, node.end) from None
        return Inline(part.bind(**numbers), names, shapes)

    def _concatenated(self, node: Call) -> tuple[Operation, dict[str, Part]]:
        """Join two arrays, or all but the last of several and that one."""
        match node.arguments:
            case (Group(members), *rest) if len(members) > 1 and len(rest) < 2:
                pass
            case _:
                message = (
                    "concatenate takes several arrays in parentheses, as in concatenate((a, b))"
                )
                raise CompileError(message, node.start, node.end)
        settings = self._settings(node, FUNCTIONS["concatenate"])
        *most, last = members
        first = most[0]
        if len(most) > 1:
            group = Group(tuple(most), start=first.start, end=most[-1].end)
            first = Call(
                "concatenate", (group, *rest), node.options, start=node.start, end=node.end
            )
        operation = elements.CONCATENATE.with_settings(**settings)
        return operation, {"a": self.value(first), "b": self.value(last)}

    def _call(self, node: Call) -> tuple[Operation, dict[str, Part]]:
        function = FUNCTIONS.get(node.function)
        if function is None:
            hint = did_you_mean(node.function, FUNCTIONS)
            message = f"there is no function '{node.function}'{hint}"
            raise CompileError(message, node.start, node.end)
        if problem := function.misuse(len(node.arguments), node.options):
            raise CompileError(problem, node.start, node.end)
        settings = self._settings(node, function)
        operands = [self.value(argument) for argument in node.arguments[: len(function.inputs)]]
        operation = function.operation.with_settings(**settings)
        return operation, dict(zip(function.inputs, operands, strict=True))

    def _settings(self, node: Call, function: Function) -> dict[str, Constant]:
        """Return the settings of a call, given after the arrays or by name."""
        settings: dict[str, Constant] = dict(node.options)
        extra = node.arguments[len(function.inputs) :]
        for name, argument in zip(function.settings, extra, strict=False):
            settings[name] = self._setting(name, argument, function)
        if problem := function.wrong_setting(settings):
            raise CompileError(problem, node.start, node.end)
        return settings

    def _setting(self, name: str, argument: Node, function: Function) -> Constant:
        """Return a number, or the whole numbers of a shape or of several axes."""
        if isinstance(argument, Group):
            numbers = [self._setting(name, member, function) for member in argument.members]
            whole = tuple(number for number in numbers if isinstance(number, int))
            if len(whole) == len(numbers):
                return whole
        value = None if isinstance(argument, Group) else self.value(argument)
        if not isinstance(value, float | int):
            message = f"'{name}' is a number, not a tensor; the call is {function.usage}"
            raise CompileError(message, argument.start, argument.end)
        return value

    def _shapes_of(self, operand: Part) -> Shapes:
        if isinstance(operand, str):
            return self.shapes[operand]
        if isinstance(operand, Inline):
            return operand.shapes
        # Every tensor has a shape for each size of batch, and so has a number.
        return ((),) * len(next(iter(self.shapes.values()), ((),)))

    def _result_shapes(
        self, node: Node, operation: Operation, operands: Mapping[str, Part]
    ) -> Shapes:
        given = [self._shapes_of(operand) for operand in operands.values()]
        try:
            shapes = tuple(
                operation.shape(*variant, **operation.settings)
                for variant in zip(*given, strict=True)
            )
        except ShapeError as error:
            raise CompileError(str(error), node.start, node.end) from None
        self._doubt(node, operation, given)
        if operation.name == "count" and self._dtype == "float16":
            self._doubt_count(node, given[0])
        largest = _largest(shapes)
        if largest > MAX_ELEMENTS:
            message = f"the result would have more than {MAX_ELEMENTS:,} elements"
            raise CompileError(message, node.start, node.end)
        self._live += 2 * largest
        if self._live > MAX_LIVE:
            message = f"with this, all tensors would have more than {MAX_LIVE:,} elements together"
            raise CompileError(message, node.start, node.end)
        return shapes

    def _doubt(self, node: Node, operation: Operation, given: Sequence[Shapes]) -> None:
        """Note where a list of m numbers meets a column of m: the result has m rows of m."""
        if not operation.broadcasts or len(given) != 2:
            return
        for pair in zip(*given, strict=True):
            flat, column = sorted(pair, key=len)
            rows = column[0] if column else 0
            if rows > 1 and flat == (rows,) and column == (rows, 1):
                shapes = f"shapes {pair[0]} and {pair[1]}"
                message = (
                    f"{shapes} broadcast to {(rows, rows)}, every number with every other; "
                    f"reshape one to the other's shape, or write data as a column, [[…], […]]"
                )
                self.doubts.append(Doubt(message, node.start))
                return

    def _doubt_count(self, node: Node, counted: Shapes) -> None:
        """Note a number of cells, or of rows, that float16 does not hold."""
        rows_alone = isinstance(node, Call)
        count = max((shape[0] if rows_alone else prod(shape) for shape in counted), default=0)
        if count >= BEYOND:
            message = (
                f"there are {count:,} here, and the largest float16 is 65,504: this is inf; a "
                "division by it alone, as in x / x.size, is computed in float32"
            )
            self.doubts.append(Doubt(message, node.start))

    def _folded(self, node: Node, operation: Operation, constants: Mapping[str, float]) -> float:
        if operation is arithmetic.NEGATE:
            return -constants["x"]
        values = operation.value_formula
        with np.errstate(all="ignore"):
            arguments = (np.float64(constants[name]) for name in values.parameters)
            result = np.asarray(values.function(*arguments))
        if result.ndim:
            message = f"{operation.name} makes an array of numbers that are written down; let one "
            message += "of them be an input"
            raise CompileError(message, node.start, node.end)
        return self._finite(float(result), node)

    def _write(
        self,
        operation: Operation,
        inputs: Mapping[str, str],
        constants: Mapping[str, float],
        output: str,
        inline: Mapping[str, Inline] = MappingProxyType({}),
    ) -> None:
        parts = {p: part.formula for p, part in inline.items()}
        gradients: dict[str, Formula] = {}
        for parameter in operation.gradients:
            if parameter in inputs:
                gradient = operation.gradient_formula(parameter).bind(**constants).on(**parts)
                if operation.broadcasts:
                    gradient = self._summed(gradient, parameter, inputs[parameter], output)
                gradients[parameter] = gradient
        sides = operation.sides
        self.written.append(
            Applied(
                operation.name,
                operation.value_formula.bind(**constants).on(**parts),
                {**inputs, **{p: n for part in inline.values() for p, n in part.names.items()}},
                output,
                gradients,
                operation.output,
                settings={**operation.settings, **constants},
                sides=sides.bind(**constants) if sides else None,
            )
        )

    def _summed(self, gradient: Formula, parameter: str, source: str, output: str) -> Formula:
        """Sum a gradient of the output's shape to that of an input that was broadcast."""
        pairs = list(zip(self.shapes[source], self.shapes[output], strict=True))
        if all(small == large for small, large in pairs):
            return gradient
        added = len(pairs[0][1]) - len(pairs[0][0])
        if any(small != large[added:] for small, large in pairs):
            return _SUMMED_TO.on(g=gradient, operand=variable(parameter))
        if not pairs[0][0]:
            return _SUMMED.bind(axis=None).on(g=gradient)
        axes = 0 if added == 1 else tuple(range(added))
        return _SUMMED.bind(axis=axes).on(g=gradient)

    def _finite(self, value: float, node: Node) -> float:
        with np.errstate(all="ignore"):
            stored = np.dtype(self._dtype).type(value)
        if not np.isfinite(stored):
            message = f"this constant is {stored} in {self._dtype}, not a finite number"
            raise CompileError(message, node.start, node.end)
        return value
