"""What there is to remark on a calculation: how its parts make the result, and where they are from."""

from collections.abc import Mapping

from nnstep.engine.arrays import Shape
from nnstep.engine.explain.calculation import Calculation
from nnstep.engine.explain.explanation import Explanation
from nnstep.engine.program.program import Phase, Program
from nnstep.engine.text import cell_name


def remarks_on(calculation: Calculation, cell: Shape, why: Explanation | None) -> tuple[str, ...]:
    """Return the sentences to stand below a calculation, if there is room."""
    result = calculation.result
    product = calculation.product
    if product is None:
        return (f"{result.tensor} = {calculation.formula}",) if calculation.formula else ()
    if product.added or product.left.shape[-1:] != (1,):
        return ()
    text = f"{cell_name(result.tensor or '', cell)} = one product"
    text += ": the batch has one row." if product.left.turned else "."
    steps = {source.name: source.step for source in why.sources} if why else {}
    found = [(name, step) for name, step in steps.items() if step is not None]
    if found:
        (name, step), *others = found
        rest = "".join(f", {each} from step {at}" for each, at in others)
        text += f" {name} is from step {step}{rest}."
    return (text,)


def reasons_for_zeros(program: Program) -> Mapping[str, str]:
    """Return, for the tensors that may be 0 because a ReLU is off, these words."""
    return {
        line.writes[0]: "ReLU off"
        for line in program.instructions
        if line.operation == "relu" and line.phase is Phase.FORWARD
    }
