"""A whole pass as one Python function, made from the very formulas that its listing prints.

It executes pass after pass:

    def passes(tensors, batches, done):
        r12, r8 = tensors['W1'], tensors['b1'], …
        for r0, r1 in batches:
            r2 = r0 @ r12.T + b8
            r2.setflags(False)
            …
            done((r0, r1, r2, …))

Each array that a pass writes has a variable, and names of tensors stand in it as constants only.
"""

import ast
import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.operations.formula import NAMESPACE

from .program import Instruction, Phase, Program

# A pass of more work than that, or lines, is executed line by line: then it can be paused at once.
# One of few numbers has less.
_WORK_AT_ONCE, _LINES_AT_ONCE, _FEW_NUMBERS = 1 << 24, 512, 1 << 16
# The passes that are executed together are at most so many, and of at most so many numbers and
# lines: that takes some hundredths of a second, and a pause waits no longer for it.
MOST_TOGETHER, _NUMBERS_TOGETHER, _LINES_TOGETHER = 64, 1 << 17, 1 << 11
# A call of NumPy takes as long as so many numbers, and so many products of two take as long as one.
_LINE_COSTS, _PRODUCTS_COST_ONE = 1000, 4

Passes = Callable[[Mapping[str, Array], Iterable[Any], Callable[[tuple[Array, ...]], object]], None]
"""Runs a pass for each batch, from live tensors on, and hands over what each has written."""

_made: WeakKeyDictionary[Program, Passes] = WeakKeyDictionary()
_work: WeakKeyDictionary[Program, tuple[int, ...]] = WeakKeyDictionary()


def passes_of(program: Program) -> Passes:
    """Return the function that executes whole passes of a program, made when first asked for."""
    passes = _made.get(program)
    if passes is None:
        passes = _made[program] = _compiled(program)
    return passes


def passes_together(program: Program) -> int:
    """Return how many passes to compute together, 0 to compute line by line."""
    if len(program) > _LINES_AT_ONCE:
        return 0
    numbers = sum(math.prod(program.tensors[name].shape) for name in program.written)
    if numbers > _FEW_NUMBERS and work_of(program) > _WORK_AT_ONCE:
        return 0
    most = min(_NUMBERS_TOGETHER // numbers, _LINES_TOGETHER // len(program), MOST_TOGETHER)
    return 1 << max(1, most).bit_length() - 1  # so that they come out even between keyframes


def work_of(program: Program) -> int:
    """Return how long a pass takes, about, in the time that one number takes."""
    return sum(work_of_lines(program))


def work_of_lines(program: Program) -> tuple[int, ...]:
    """Return how long each line takes, about, in the time that one number takes.

    A product of matrices of a·b and b·c numbers adds up a·b·c products, the root of the product of
    their sizes and that of the result.
    """
    if program not in _work:
        sizes = {name: math.prod(tensor.shape) for name, tensor in program.tensors.items()}
        _work[program] = tuple(_work_of(each.executed, sizes) for each in program.instructions)
    return _work[program]


def _work_of(line: Instruction, sizes: Mapping[str, int]) -> int:
    numbers = sum(sizes[name] for name in line.writes)
    nodes = ast.walk(line.formula.tree) if line.formula else ()
    if not any(isinstance(node, ast.MatMult) for node in nodes):
        return _LINE_COSTS + numbers
    largest = sorted(sizes[name] for name in line.reads)[-2:]
    return _LINE_COSTS + numbers + math.isqrt(math.prod(largest) * numbers) // _PRODUCTS_COST_ONE


def is_made(program: Program) -> bool:
    """Tell whether there is that function already."""
    return program in _made


def _compiled(program: Program) -> Passes:
    return _function(_source(program))


@lru_cache(maxsize=256)
def _function(source: str) -> Passes:
    """Compile a function once, however many programs it is the pass of."""
    namespace = {**NAMESPACE, "asarray": np.asarray}
    exec(compile(source, "<a pass>", "exec"), namespace)
    passes: Passes = namespace["passes"]
    return passes


def _source(program: Program) -> str:
    """Return the function as text."""
    written = program.written
    last = {name: f"r{index}" for index, name in enumerate(written)}
    # Where a tensor stands: in the variable of what was written last, of the pass before at first.
    stands: dict[str, str] = {}
    carried: dict[str, str] = {}
    lines: list[str] = []
    index = 0
    for line in (each.executed for each in program.instructions):
        for name in line.reads:
            if name not in stands:
                stands[name] = carried[name] = last.get(name, f"c{len(carried)}")
        if line.formula is not None:
            lines += _assigned(program, line, stands, f"r{index}")
        for name in line.writes:
            stands[name] = f"r{index}"
            index += 1
    first = program.instructions[0]
    batch = "r0, r1" if first.phase is Phase.BATCH else "_"
    record = "".join(f"r{index}, " for index in range(len(written)))
    head = [f"{variable} = tensors[{name!r}]" for name, variable in carried.items()]
    body = [f"for {batch} in batches:", *_indented(*lines, f"done(({record}))")]
    return "\n".join(("def passes(tensors, batches, done):", *_indented(*head, *body)))


def _indented(*lines: str) -> list[str]:
    return [f" {line}" for line in lines]


def _assigned(
    program: Program, line: Instruction, stands: Mapping[str, str], variable: str
) -> list[str]:
    """Return the statements that compute a line and mark its result as read-only."""
    assert line.formula is not None, "the batch line computes nothing"
    value = line.formula.text({p: stands[line.names[p]] for p in line.formula.parameters})
    # NumPy makes bare numbers where an array without axes is meant.
    if line.rule is not None or () in program.tensors[line.writes[0]].shapes:
        value = f"asarray({value})"
    return [f"{variable} = {value}", f"{variable}.setflags(False)"]
