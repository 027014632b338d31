"""Where in the record of a pass the array is that an instruction wrote."""

from collections.abc import Sequence

from nnstep.engine.arrays import Array
from nnstep.engine.program.instruction import Phase, Program, Role


class Written:
    """The indices, in the record of a pass, of what the instructions of a program write.

    `names` has the tensor of every index, and `counts` how many arrays there are before each
    instruction and, as its last number, after them all. From `computed` on arrays are not data, and
    `loss` is the position that computes the loss.

    What an update leaves in a parameter or a buffer is `carried` into the next pass: once it is not
    finite it never is again. Gradients are `followed` by such a parameter: if one is not finite,
    neither is what it updates.
    """

    def __init__(self, program: Program, clips_values: bool = False) -> None:
        self.program = program
        self.names: list[str] = []
        self.counts = [0]
        self.carried: set[int] = set()
        self.followed: set[int] = set()
        self._last: dict[tuple[str, Phase], tuple[int, int]] = {}
        updated = {line.writes[0] for line in program.instructions if line.phase is Phase.UPDATE}
        followed = {f"d{name}" for name in updated.intersection(program.parameters)}
        for position, line in enumerate(program.instructions):
            for name in line.writes:
                index = len(self.names)
                self._last[name, line.phase] = position, index
                self.names.append(name)
                role = program.tensors[name].role
                if line.phase is Phase.UPDATE and role in (Role.PARAMETER, Role.BUFFER):
                    self.carried.add(index)
                # Clipping makes a finite value of an infinite one.
                elif name in followed and not (clips_values and line.phase is Phase.BACKWARD):
                    self.followed.add(index)
            self.counts.append(len(self.names))
        losses = (at for at, line in enumerate(program.instructions) if program.loss in line.writes)
        self.loss = next(losses)
        first = program.instructions[0]
        self.computed = len(first.writes) if first.phase is Phase.BATCH else 0

    def last(self, name: str, phase: Phase) -> tuple[int, int] | None:
        """Return the position that writes a tensor last in a phase, and the index of what it wrote.

        None if the phase does not write it.
        """
        return self._last.get((name, phase))

    def at(self, name: str, phase: Phase) -> tuple[int, int]:
        """Do the same for a tensor that the phase is known to write."""
        return self._last[name, phase]

    def tensors(self, record: Sequence[Array]) -> dict[str, Array]:
        """Return what a whole pass has left behind, by name."""
        return dict(zip(self.names, record, strict=True))

    def position(self, count: int) -> int:
        """Return how many instructions wrote the first `count` arrays of a record."""
        return self.counts.index(count)
