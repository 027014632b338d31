"""The point where gradients are verified: a copy in float64 of all that the loss depends on."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.program.instruction import Instruction, Phase, Program

ROUNDINGS = 8
"""How often the loss is computed with rounding errors put in, to see how far they move it."""

EPSILON = float(np.finfo(np.float64).eps)


class Point:
    """The values of a program's forward pass, its loss and its gradients, all in float64.

    `tensors` has what was given and what the forward pass computes, and `gradients` the program's
    own result for each of its parameters. `noise` is by how much rounding errors move `loss`, inf
    where they make it infinite or NaN.

    `given` are live tensors: at least the parameters, constants and, where the program takes them
    from data, `x` and `y`. They stay as they are.
    """

    def __init__(self, program: Program, given: Mapping[str, Array], seed: int) -> None:
        self.program = program
        self.forward = tuple(_lines(program, Phase.FORWARD, Phase.LOSS))
        backward = tuple(_lines(program, Phase.BACKWARD))
        self.given = _copied(given, program.parameters, (*self.forward, *backward))
        self.tensors = run(self.forward, self.given)
        self.loss = float(self.tensors[program.loss])
        self.noise = self._noise(np.random.default_rng(seed))
        gradients = run(backward, self.tensors)
        self.gradients = {name: gradients[f"d{name}"] for name in program.parameters}

    def leading_from(self, name: str) -> tuple[Instruction, ...]:
        """Return the instructions through which a tensor has an influence on the loss."""
        influenced, lines = {name}, []
        for line in self.forward:
            if influenced.intersection(line.reads):
                influenced.update(line.writes)
                lines.append(line)
        needed, leading = {self.program.loss}, []
        for line in reversed(lines):
            if needed.intersection(line.writes):
                needed.update(line.reads)
                leading.append(line)
        return tuple(reversed(leading))

    def _noise(self, generator: np.random.Generator) -> float:
        """Return by how much the loss moves when every number loses up to its last bit.

        That is Monte Carlo arithmetic (Parker 1997, Computer Science Technical Report CSD-970002,
        UCLA): unlike `eps * |L|` it sees digits cancel on the way to the loss. Numbers move towards
        zero only, so that none leaves the domain of a logarithm. Within an instruction, such as a
        softmax, numbers near 1 are rounded too, so the result is at least that rounding.
        """
        moves = [abs(self._rounded_loss(generator) - self.loss) for _ in range(ROUNDINGS)]
        return max(EPSILON, *moves) if np.isfinite(moves).all() else np.inf

    def _rounded_loss(self, generator: np.random.Generator) -> float:
        tensors = {name: _rounded(array, generator) for name, array in self.given.items()}
        for line in self.forward:
            tensors[line.writes[0]] = _rounded(computed(line, tensors), generator)
        return float(tensors[self.program.loss])


def run(lines: Iterable[Instruction], tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Return the tensors and, in addition, what instructions compute from them."""
    result = dict(tensors)
    for line in lines:
        result[line.writes[0]] = computed(line, result)
    return result


def computed(line: Instruction, tensors: Mapping[str, Array]) -> Array:
    """Return what an instruction computes, in float64.

    The constants of a program are of the run's dtype, which a result can inherit.
    """
    assert line.kernel is not None, "the batch instruction belongs to no phase that is run here"
    return _as_float64(np.asarray(line.kernel(tensors)))


def _lines(program: Program, *phases: Phase) -> Iterable[Instruction]:
    return (line for line in program.instructions if line.phase in phases)


def _copied(
    given: Mapping[str, Array], parameters: Iterable[str], lines: Sequence[Instruction]
) -> dict[str, Array]:
    """Return, in float64, the parameters and all that is read before it is written."""
    names = dict.fromkeys(parameters)
    written: set[str] = set()
    for line in lines:
        names |= dict.fromkeys(name for name in line.reads if name not in written)
        written.update(line.writes)
    copies = {name: _as_float64(given[name]) for name in names}
    loss = next((line for line in lines if line.phase is Phase.LOSS), None)
    if loss and loss.operation.startswith("cross_entropy"):
        y = loss.reads[1]
        copies[y] = _probabilities(copies[y], given[y].dtype)
    return copies


def _as_float64(array: Array) -> Array:
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


def _rounded(array: Array, generator: np.random.Generator) -> Array:
    if array.dtype.kind != "f":
        return array
    lost = np.spacing(array) * generator.random(array.shape)
    return np.where(np.isfinite(array) & (array != 0), array - lost, array)
