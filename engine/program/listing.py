"""A listing grows line by line, and keeps track of the tensors that its lines are about."""

from collections.abc import Mapping

from nnstep.engine.operations.formula import Formula

from .instruction import Instruction, Phase, Program, Role, Tensor


class Listing:
    """The instructions and tensors of a program in the making."""

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self.tensors: dict[str, Tensor] = {}

    def declare(self, tensor: Tensor) -> None:
        """Make a tensor known; what is known of one that is known already stays."""
        self.tensors.setdefault(tensor.name, tensor)

    def add_batch(self) -> None:
        """Add the instruction that takes the next rows of the data."""
        self.declare(Tensor("x", Role.DATA))
        self.declare(Tensor("y", Role.DATA))
        self.instructions.append(
            Instruction(Phase.BATCH, None, "batch", (), ("x", "y"), "x, y = next(batches)")
        )

    def add(
        self,
        phase: Phase,
        operation: str,
        target: Tensor,
        formula: Formula,
        names: Mapping[str, str],
        layer: int | None = None,
    ) -> None:
        """Add `target = formula`, with tensor `names` for the formula's parameters."""
        self.declare(target)
        self.instructions.append(
            Instruction(
                phase=phase,
                layer=layer,
                operation=operation,
                reads=tuple(dict.fromkeys(names[p] for p in formula.parameters)),
                writes=(target.name,),
                code=f"{target.name} = {formula.text(names)}",
                kernel=formula.over(names),
            )
        )

    def program(self, loss: str, parameters: tuple[str, ...], trained: tuple[str, ...]) -> Program:
        """Return the finished program."""
        return Program(tuple(self.instructions), self.tensors, loss, parameters, trained)
