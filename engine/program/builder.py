"""A program grows line by line: forward as it is written, backward by reverse-mode differentiation.

The applied operations are walked from the loss back; each says how the derivative of the loss by
its result becomes one by its inputs. Where a tensor is used more than once, the contributions add
up: `db = …`, then `db = db + …`.
"""

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct, field

from nnstep.engine.operations.formula import Formula, formula

from .program import Instruction, Phase, Program, Role, Tensor


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


class Applied(Struct, frozen=True):
    """An operation applied to named tensors.

    `inputs` maps the parameters of its formulas to tensors, and `result` is the parameter that
    stands for its output. `gradients` has, by parameter, the derivative of the loss by that input.
    """

    operation: str
    inputs: Mapping[str, str]
    output: str
    gradients: Mapping[str, Formula]
    result: str = "out"
    layer: int | None = None

    @property
    def names(self) -> Mapping[str, str]:
        """The tensors for every parameter that the gradients' formulas may have."""
        derivative = {f"d{self.result}": f"d{self.output}"}
        return {**self.inputs, self.result: self.output, **derivative}


_SUMMED = formula(lambda total, addition: total + addition)


class Backward(Struct):
    """Writes the backward pass of `applied`, in order of application, for the tensors `wanted`."""

    listing: Listing
    applied: Sequence[Applied]
    wanted: Collection[str]
    written: set[str] = field(default_factory=set)

    def write(self, loss: str) -> None:
        """Add the backward instructions; an operation that the loss does not need has none."""
        needed = self._needed()
        layers = {one.output: one.layer for one in self.applied}
        for one in reversed(self.applied):
            if one.output != loss and f"d{one.output}" not in self.written:
                continue
            for parameter, gradient in one.gradients.items():
                source = one.inputs.get(parameter)
                if source in needed:
                    layer = one.layer if one.layer is not None else layers.get(source)
                    self._contribute(one, source, gradient, layer)

    def _needed(self) -> set[str]:
        """Return the tensors wanted and those computed from them."""
        needed = set(self.wanted)
        for one in self.applied:
            if needed.intersection(one.inputs.values()):
                needed.add(one.output)
        return needed

    def _contribute(self, one: Applied, source: str, gradient: Formula, layer: int | None) -> None:
        target = f"d{source}"
        names = one.names
        if target in self.written:
            gradient = _SUMMED.on(addition=gradient)
            names = {**names, "total": target}
        tensor = Tensor(target, Role.GRADIENT, layer)
        self.listing.add(Phase.BACKWARD, one.operation, tensor, gradient, names, layer)
        self.written.add(target)
