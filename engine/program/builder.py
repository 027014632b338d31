"""A program grows line by line: forward as it is written, backward by reverse-mode differentiation.

The applied operations are walked from the loss back; each says how the derivative of the loss by
its result becomes one by its inputs. Where a tensor is used more than once, the contributions add
up: `db = …`, then `db = db + …`. Where the derivative by a temporary would only be a copy, there is
no line for it: the lines that follow read what would have been copied.
"""

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct, field

from nnstep.engine.arrays import Shape
from nnstep.engine.operations.formula import Constant, Formula, formula, variable
from nnstep.engine.operations.half import in_half
from nnstep.engine.scenario.model import Data

from .program import Doubt, Instruction, Phase, Program, Role, Shapes, Tensor


class Applied(Struct, frozen=True):
    """An operation applied to named tensors.

    `inputs` maps the parameters of its formulas to tensors, and `result` is the parameter that
    stands for its output. `gradients` has, by parameter, the derivative of the loss by that input.
    The `settings` stand in all these formulas already. `sides` is what the operation says of its
    kinks, if it has any.
    """

    operation: str
    value: Formula
    inputs: Mapping[str, str]
    output: str
    gradients: Mapping[str, Formula]
    result: str = "out"
    settings: Mapping[str, Constant] = field(default_factory=dict)
    layer: int | None = None
    sides: Formula | None = None

    @property
    def names(self) -> Mapping[str, str]:
        """The tensors for every parameter that the gradients' formulas may have."""
        derivative = {f"d{self.result}": f"d{self.output}"}
        return {**self.inputs, self.result: self.output, **derivative}


class Listing:
    """The instructions and tensors of a program in the making.

    `data` is where its batches come from, None if it has none. The lines of a run of float16 have
    sums that are rounded once.
    """

    def __init__(self, data: Data | None, dtype: str) -> None:
        self.instructions: list[Instruction] = []
        self.tensors: dict[str, Tensor] = {}
        self.doubts: list[Doubt] = []
        self._is_half = dtype == "float16"
        self._rows = data.batch_sizes if data else (1,)
        if data:
            self._add_batch(data)

    def _add_batch(self, data: Data) -> None:
        """Add the instruction that takes the next rows of the data."""
        for name, array in (("x", data.x), ("y", data.y)):
            shapes = tuple((rows, *array.shape[1:]) for rows in self._rows)
            self.declare(Tensor(name, Role.DATA, shapes=shapes))
        self.instructions.append(
            Instruction(Phase.BATCH, None, "batch", (), ("x", "y"), "x, y = next(batches)")
        )

    def always(self, shape: Shape) -> Shapes:
        """Return the shapes of a tensor that has the same one in every batch."""
        return (shape,) * len(self._rows)

    def declare(self, tensor: Tensor) -> None:
        """Make a tensor known; what is known of one that is known already stays."""
        self.tensors.setdefault(tensor.name, tensor)

    def add(
        self,
        phase: Phase,
        operation: str,
        target: Tensor,
        formula: Formula,
        names: Mapping[str, str],
        layer: int | None = None,
        settings: Mapping[str, Constant] | None = None,
        sides: Formula | None = None,
        source: str = "",
    ) -> None:
        """Add `target = formula`, with tensor `names` for the formula's parameters."""
        self.declare(target)
        if self._is_half:
            formula = in_half(formula)
        named = {parameter: names[parameter] for parameter in formula.parameters}
        self.instructions.append(
            Instruction(
                phase=phase,
                layer=layer,
                operation=operation,
                reads=tuple(dict.fromkeys(named.values())),
                writes=(target.name,),
                code=f"{target.name} = {formula.text(named)}",
                kernel=formula.over(named),
                formula=formula,
                names=named,
                settings=settings or {},
                sides=sides,
                source=source,
            )
        )

    def apply(self, phase: Phase, applied: Applied, role: Role, shapes: Shapes) -> None:
        """Add the line of an operation; its result has a role and, batch by batch, these shapes."""
        target = Tensor(applied.output, role, applied.layer, shapes=shapes)
        names, sides = applied.names, applied.sides
        self.add(
            phase,
            applied.operation,
            target,
            applied.value,
            names,
            applied.layer,
            applied.settings,
            sides.on(**{each: variable(names[each]) for each in sides.parameters})
            if sides
            else None,
        )

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters, in order."""
        return tuple(t.name for t in self.tensors.values() if t.role is Role.PARAMETER)

    @property
    def trained(self) -> tuple[str, ...]:
        """The names of the parameters that are not frozen."""
        return tuple(name for name in self.parameters if not self.tensors[name].frozen)

    def program(self, loss: str) -> Program:
        """Return the finished program."""
        lines = tuple(self.instructions)
        doubts = tuple(self.doubts)
        return Program(lines, self.tensors, loss, self.parameters, self.trained, doubts)


_SUMMED = formula(lambda total, addition: total + addition)


class Backward(Struct):
    """Writes the backward pass of `applied`, in order of application, for the tensors `wanted`.

    `sources` has, by what an operation writes, the line that its derivatives are said to be of.
    Each of the `temporaries` is used once, and nobody asks for its derivative: `same` has the
    tensor that it is where it would be a copy.
    """

    listing: Listing
    applied: Sequence[Applied]
    wanted: Collection[str]
    sources: Mapping[str, str]
    temporaries: Collection[str] = ()
    written: set[str] = field(default_factory=set)
    same: dict[str, str] = field(default_factory=dict)

    def write(self, loss: str) -> None:
        """Add the backward instructions; an operation that the loss does not need has none."""
        needed = self._needed()
        layers = {one.output: one.layer for one in self.applied}
        for one in reversed(self.applied):
            upstream = f"d{one.output}"
            if one.output != loss and upstream not in self.written and upstream not in self.same:
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
        target = gradient_of(self.listing.tensors[source], layer)
        names = {name: self.same.get(tensor, tensor) for name, tensor in one.names.items()}
        if source in self.temporaries and gradient.is_variable:
            self.same[target.name] = names[gradient.parameters[0]]
            return
        if target.name in self.written:
            gradient = _SUMMED.on(addition=gradient)
            names = {**names, "total": target.name}
        self.listing.add(
            Phase.BACKWARD,
            one.operation,
            target,
            gradient,
            names,
            layer,
            one.settings,
            source=self.sources[one.output],
        )
        self.written.add(target.name)


def gradient_of(tensor: Tensor, layer: int | None = None) -> Tensor:
    """Return the tensor that is the derivative of the loss by another, computed in a layer."""
    return Tensor(f"d{tensor.name}", Role.GRADIENT, layer, of=tensor.name, shapes=tensor.shapes)
