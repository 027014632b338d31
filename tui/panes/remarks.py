"""What there is to remark on a calculation: how its parts make the result, where they are from."""

from collections.abc import Mapping
from functools import lru_cache

from nnstep.engine.arrays import Shape
from nnstep.engine.explain.calculation import Calculation
from nnstep.engine.program.program import Phase, Program
from nnstep.engine.session.snapshot import Snapshot
from nnstep.engine.text import cell_name


def remarks_on(calculation: Calculation, cell: Shape, snapshot: Snapshot) -> tuple[str, ...]:
    """Return the sentences to stand below a calculation, if there is room."""
    result, product = calculation.result, calculation.product
    if product is None:
        return (f"{result.tensor} = {calculation.formula}",) if calculation.formula else ()
    if product.added or product.left.shape[-1:] != (1,):
        return ()
    text = f"{cell_name(result.tensor or '', cell)} = one product"
    text += ": the batch has one row." if product.left.turned else "."
    names = (product.left.tensor or "", product.right.tensor or "")
    steps = [(name, step) for name in names if (step := _step_of(name, snapshot)) is not None]
    if steps:
        (name, step), *others = steps
        rest = "".join(f", {each} from step {at}" for each, at in others)
        text += f" {name} is from step {step}{rest}."
    return (text,)


def _step_of(name: str, snapshot: Snapshot) -> int | None:
    """Return the step that wrote what the last line read of a tensor; None for a first value."""
    lines, count = snapshot.program.instructions, len(snapshot.program)
    last = snapshot.place - 1
    steps = range(last - 1, max(-1, last - 1 - count), -1)
    return next((step for step in steps if name in lines[step % count].writes), None)


@lru_cache(maxsize=8)
def reasons_for_zeros(program: Program) -> Mapping[str, str]:
    """Return, for the tensors that may be 0 because a ReLU is off, these words."""
    return {
        line.writes[0]: "ReLU off"
        for line in program.instructions
        if line.operation == "relu" and line.phase is Phase.FORWARD
    }
