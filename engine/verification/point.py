"""The point at which gradients are verified: a pass, its loss and its gradients, all in float64."""

import ast
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from msgspec.structs import replace

from nnstep.engine.arrays import Array
from nnstep.engine.operations.formula import Formula, variable
from nnstep.engine.operations.losses import LOSSES, Loss
from nnstep.engine.program.program import Instruction, Phase, Program, run

ROUNDINGS = 8
"""How often the loss is computed with rounding errors put in, to see how far they move it."""

SHORT, ALONG = 1e-10, 8
"""From point to point of the line, relatively, and how many points it has."""

EPSILON = float(np.finfo(np.float64).eps)


class Point:
    """The values of a program's forward pass, its loss and its gradients, all in float64.

    `tensors` has what was given and what the forward pass computes; `gradients` what is to be
    judged for each of the program's parameters, and `computed` all that phase backward computes.
    `probed` are the forward lines as difference quotients run them, and `noise` is by how much
    rounding errors move their loss, inf where they make it infinite or NaN.

    `given` are live tensors: at least the parameters, constants and, where the program takes them
    from data, `x` and `y`. They stay as they are. Of the gradients that are `standing`, by the
    names of their parameters, a cell counts as it stands if it is not what the program computes in
    the dtype of the run; where it is, what the program computes in float64 counts.
    """

    def __init__(
        self,
        program: Program,
        given: Mapping[str, Array],
        seed: int,
        standing: Mapping[str, Array] | None = None,
    ) -> None:
        self.program = program
        self.forward = tuple(_lines(program, Phase.FORWARD, Phase.LOSS))
        self.backward = tuple(_lines(program, Phase.BACKWARD))
        lines = (*self.forward, *self.backward)
        self.live = given
        self.given = _copied(given, program.parameters, lines)
        self.tensors = run(self.forward, self.given, as_float64)
        self.loss = float(self.tensors[program.loss])
        # The output that is fused with the loss: as probed, the loss does not depend on it.
        self._fused: str | None = None
        self.probed = tuple(map(self._on_logits, self.forward))
        self.noise = self._noise(np.random.default_rng(seed))
        self.computed = run(self.backward, self.tensors, as_float64)
        of = program.gradients
        self.gradients = {name: self.computed[of[name]] for name in program.parameters}
        if standing:
            in_dtype = run(lines, {name: given[name] for name in self.given})
            for name, array in standing.items():
                mine = in_dtype[of[name]]
                same = (array == mine) | (np.isnan(array) & np.isnan(mine))
                self.gradients[name] = np.where(same, self.gradients[name], as_float64(array))

    def leading_from(self, name: str) -> tuple[Instruction, ...]:
        """Return the lines through which a tensor has an influence on the loss, as probed."""
        influenced, lines = {name}, []
        for line in self.forward if name == self._fused else self.probed:
            if name not in line.writes and influenced.intersection(line.executed.reads):
                influenced.update(line.writes)
                lines.append(line)
        needed, leading = {self.program.loss}, []
        for line in reversed(lines):
            if needed.intersection(line.writes):
                needed.update(line.executed.reads)
                leading.append(line)
        return tuple(reversed(leading))

    def _on_logits(self, line: Instruction) -> Instruction:
        """Return a line as it is probed: a loss that is fused with its activation, from its `z`.

        The derivative of such a pair is taken by `z`, past the activation, whose rounding it does
        not meet: 1 - a has no digits left where the sigmoid is near 1. The value is the same.
        """
        loss = _BY_OPERATION.get(line.operation)
        fused = next((b for b in self.backward if b.operation == line.operation), None)
        if line.phase is not Phase.LOSS or loss is None or fused is None or loss.logits is None:
            return line
        a = line.names["a"]
        writer = next((one for one in self.forward if a in one.writes), None)
        z = writer.names.get("z") if writer and writer.operation == loss.of else None
        if line.formula is None or z is None or fused.writes != (f"d{z}",):
            return line
        self._fused = a
        tree = _Renamed(loss.operation.name, loss.logits.name).visit(line.formula.tree)
        formula = Formula(line.formula.parameters, tree).on(a=variable("z"))
        names = {**line.names, "z": z}
        return replace(
            line,
            reads=tuple(dict.fromkeys(names[each] for each in (*formula.parameters, "a"))),
            kernel=formula.over({each: names[each] for each in formula.parameters}),
        )

    def _noise(self, generator: np.random.Generator) -> float:
        """Return by how much the loss moves when every number loses up to its last bit.

        That is Monte Carlo arithmetic (Parker 1997, Computer Science Technical Report CSD-970002,
        UCLA): unlike `eps * |L|` it sees digits cancel on the way to the loss. Numbers move towards
        zero only, so that none leaves the domain of a logarithm. What is rounded within an
        instruction, such as the difference of two numbers in a logarithm of a softmax, shows in
        how uneven the loss is.
        """
        loss = float(run(self.probed, self.given, as_float64)[self.program.loss])
        moves = [abs(self._rounded_loss(generator) - loss) for _ in range(ROUNDINGS)]
        if not np.isfinite(moves).all():
            return np.inf
        return max(EPSILON * abs(loss), self._unevenness(generator), *moves)

    def _unevenness(self, generator: np.random.Generator) -> float:
        """Return how far the loss, as computed, is from smooth along a short line of points.

        High differences of what is smooth vanish there, and those of rounding errors grow (Moré and
        Wild 2011, Estimating computational noise, SIAM J. Sci. Comput. 33(3)). The line goes out
        from the point, on one side, so that a kink that the point is at does not count.
        """
        moved: dict[str, Array] = {}
        for name in self.program.parameters:
            array = self.given[name]
            signs = generator.choice([-1.0, 1.0], array.shape)
            moved[name] = SHORT * signs * np.maximum(1.0, np.abs(array))
        losses = []
        for times in range(1, ALONG + 1):
            given = {name: self.given[name] + times * each for name, each in moved.items()}
            tensors = run(self.probed, {**self.given, **given}, as_float64)
            losses.append(float(tensors[self.program.loss]))
        order = ALONG // 2
        found = np.abs(np.diff(losses, n=order)) / math.sqrt(math.comb(2 * order, order))
        return float(found.max(initial=0.0)) if np.isfinite(found).all() else 0.0

    def _rounded_loss(self, generator: np.random.Generator) -> float:
        """Return the loss with every number rounded.

        Whole numbers that no parameter moves stay: they are exact, and may be classes or places.
        """
        moved = set(self.program.parameters)
        given = {
            name: _rounded(array, generator, but_whole=name not in moved)
            for name, array in self.given.items()
        }
        fixed: list[Instruction] = []
        moving: list[Instruction] = []
        for line in self.probed:
            is_moved = not moved.isdisjoint(line.executed.reads)
            (moving if is_moved else fixed).append(line)
            moved.update(line.writes if is_moved else ())

        def rounded(array: Array, *, but_whole: bool = False) -> Array:
            return _rounded(as_float64(array), generator, but_whole=but_whole)

        given = run(fixed, given, partial(rounded, but_whole=True))
        given = run(moving, given, rounded)
        return float(given[self.program.loss])


_BY_OPERATION: Mapping[str, Loss] = {row.operation.name: row for row in LOSSES.values()}


class _Renamed(ast.NodeTransformer):
    """Copies an expression with another function in place of one."""

    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new

    def visit_Call(self, node: ast.Call) -> ast.Call:
        arguments = [self.visit(each) for each in node.args]
        keywords = [ast.keyword(each.arg, self.visit(each.value)) for each in node.keywords]
        function = self.visit(node.func)
        if isinstance(function, ast.Name) and function.id == self.old:
            function = ast.Name(self.new, ast.Load())
        return ast.Call(function, arguments, keywords)

    def visit_BinOp(self, node: ast.BinOp) -> ast.BinOp:
        return ast.BinOp(self.visit(node.left), node.op, self.visit(node.right))


def _lines(program: Program, *phases: Phase) -> Iterable[Instruction]:
    return (line for line in program.instructions if line.phase in phases)


def _copied(
    given: Mapping[str, Array], parameters: Iterable[str], lines: Sequence[Instruction]
) -> dict[str, Array]:
    """Return, in float64, the parameters and all that is read before it is written."""
    names = dict.fromkeys(parameters)
    written: set[str] = set()
    for line in lines:
        reads = line.executed.reads
        names |= dict.fromkeys(name for name in reads if name not in written)
        written.update(line.writes)
    copies = {name: as_float64(given[name]) for name in names}
    for line in lines:
        if line.phase is Phase.LOSS and line.operation in _ON_PROBABILITIES:
            y = line.names["y"]
            copies[y] = _probabilities(copies[y], given[y].dtype)
    return copies


_ON_PROBABILITIES = {
    operation.name
    for row in LOSSES.values()
    if row.targets == "classes"
    for operation in (row.operation, row.logits)
    if operation
}


def as_float64(array: Array) -> Array:
    """Return an array of numbers in float64; whole numbers stay what they are.

    The constants of a program are of the run's dtype, which a result can inherit: what a line
    computes is handed on in float64.
    """
    return array.astype(np.float64, copy=False) if array.dtype.kind == "f" else array


def _probabilities(y: Array, dtype: np.dtype[Any]) -> Array:
    """Return target rows that sum to 1, where in a smaller dtype they did up to its rounding.

    The derivative `a - y` is that of the cross-entropy for such rows only.
    """
    if dtype.kind != "f" or dtype == np.float64:
        return y
    total = y.sum(axis=-1, keepdims=True)
    rounding = y.shape[-1] * float(np.finfo(dtype).eps)
    return y / total if np.all(np.abs(total - 1) <= rounding) else y


def _rounded(array: Array, generator: np.random.Generator, *, but_whole: bool) -> Array:
    if array.dtype.kind != "f":
        return array
    lost = np.spacing(array) * generator.random(array.shape)
    stays = (array == np.trunc(array)) if but_whole else array == 0
    return np.where(np.isfinite(array) & ~stays, array - lost, array)
