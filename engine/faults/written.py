"""Where in the record of a pass the array is that an instruction wrote."""

from collections.abc import Sequence

from nnstep.engine.arrays import Array
from nnstep.engine.program.instruction import Phase, Program


class Written:
    """The indices, in the record of a pass, of what the instructions of a program write.

    `names` has the tensor of every index, and `counts` how many arrays there are before each
    instruction and, as its last number, after them all.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.names: list[str] = []
        self.counts = [0]
        self._last: dict[tuple[str, Phase], tuple[int, int]] = {}
        for position, line in enumerate(program.instructions):
            for name in line.writes:
                self._last[name, line.phase] = position, len(self.names)
                self.names.append(name)
            self.counts.append(len(self.names))
        self.loss = next(i for i, l in enumerate(program.instructions) if program.loss in l.writes)
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
