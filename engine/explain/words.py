"""What a cell is in the network, in a few words: `the weight from input 1 to neuron 0`."""

from nnstep.engine.arrays import Shape
from nnstep.engine.program.program import Phase, Program, Role


def in_words(name: str, index: Shape, program: Program) -> str:
    """Say what a cell of a network's tensor stands for; "" where that has no plain words."""
    tensor = program.tensors.get(name)
    last = max((line.layer or 0 for line in program.instructions), default=0)
    if tensor is None or not last:
        return ""
    if tensor.role is Role.RATE:
        return "the learning rate"
    if tensor.role is Role.DATA and name == "x" and len(index) == 2:
        return f"input {index[1]}"
    if tensor.layer is None or not index:
        return ""
    unit = index[-1]
    neuron = f"output {unit}" if tensor.layer == last else f"neuron {unit} of layer {tensor.layer}"
    if tensor.role is Role.PARAMETER and name.startswith("W") and len(index) == 2:
        return _of_weight(name, index, program)
    if tensor.role is Role.PARAMETER and name.startswith("b"):
        return f"the bias of {neuron}"
    return {
        f"z{tensor.layer}": f"what enters {neuron}, before its activation",
        f"a{tensor.layer}": f"what {neuron} gives",
        f"dz{tensor.layer}": f"the error of {neuron}, before its activation",
        f"da{tensor.layer}": f"the error of {neuron}, behind its activation",
    }.get(name, "")


def _of_weight(name: str, index: Shape, program: Program) -> str:
    """Say from where to where a weight leads, which its layout tells."""
    is_turned = any(
        f"{name}.T" in line.code for line in program.instructions if line.phase is Phase.FORWARD
    )
    to, start = index if is_turned else index[::-1]
    before = "input" if program.tensors[name].layer == 1 else "neuron"
    return f"the weight from {before} {start} to neuron {to}"
