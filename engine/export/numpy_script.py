"""A scenario as a NumPy script: its listing, which prints the same bits without nnstep."""

from collections.abc import Iterator

import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.program.program import Drawn, Instruction, Phase, Program, Role, Tensor
from nnstep.engine.scenario.model import Scenario

from .literals import Arrays
from .script import (
    Script,
    comment,
    drawn,
    first_values,
    formulas,
    heading,
    is_random,
    is_single,
    iterations_of,
    named,
    parts,
    shown_gradients,
    write_data,
    write_sources,
)
from .sources import Sources, called_by

_OWN_NAMES = {"np", "show", "iteration", "print", "range"}
_ABOUT = (
    "The program of nnstep as a script that needs NumPy alone. It prints the loss, the gradients "
    "and the updated parameters of every iteration, the same numbers to the last bit."
)
_ABOUT_SINGLE = (
    "np.asarray around a single number keeps it an array, as in the run: NumPy does not round "
    "powers of its scalars and powers of its arrays alike."
)


def numpy_script(
    scenario: Scenario, program: Program, iterations: int | None = None, beside: str | None = None
) -> Script:
    """Return a script that runs a program of a scenario.

    Large arrays are loaded from the NPZ file of the name `beside`, in the script's folder; without
    a name they stand in the script. Raises `ExportError` if they are too large for that.
    """
    writer = _Writer(scenario, program, Arrays("np", beside))
    return Script(writer.text(iterations_of(scenario, iterations)), writer.arrays.stored)


class _Writer:
    """Writes one script, part by part; `raised` has the lines that write a base of a power."""

    def __init__(self, scenario: Scenario, program: Program, arrays: Arrays) -> None:
        self.scenario = scenario
        self.program = program
        self.arrays = arrays
        self.functions = called_by(each.tree for each in formulas(program))
        self.names = named(program, self._taken())
        self.raised = _raised(program, self.functions)

    def text(self, iterations: int) -> str:
        """Return the whole script."""
        data = write_data(self.scenario, self.arrays)
        first = ["# First values.", *self._first_values(), ""]
        loop = [f"for iteration in range({iterations}):", *self._iteration()]
        sources = write_sources(self.scenario, self.program, self.arrays)
        # The imports of the head depend on what all else has stored.
        return "\n".join([self._head(), "", "", *sources, *data, *first, *loop, ""])

    def _taken(self) -> set[str]:
        """Return the names that mean something else in the script than a tensor."""
        functions = self.functions
        taken = {*_OWN_NAMES, *functions.texts, *functions.modules, *functions.builtins}
        if self.scenario.data:
            taken |= {"X", "Y", "in_batches", "batches", "len"}
        if is_random(self.scenario, self.program):
            taken.add("rng")
        if self.arrays.beside:
            taken |= {"stored", "Path"}
        return taken

    def _head(self) -> str:
        words = [heading(self.scenario, _ABOUT)]
        if self.raised:
            words.append(comment(_ABOUT_SINGLE))
        modules = [f"import {module}" for module in sorted(self.functions.modules)]
        if self.arrays.stored:
            modules.append("from pathlib import Path")
        imports = "\n".join([*modules, *([""] if modules else []), "import numpy as np"])
        quiet = 'np.seterr(all="ignore")  # inf and nan are looked at, not warned of'
        defined = [*self.functions.texts.values(), self._show()]
        return "\n\n\n".join(["\n\n".join([*words, imports, quiet]), *defined])

    def _show(self) -> str:
        exact = self.scenario.dtype == "float64"
        digits = "" if exact else ".astype(str).astype(float)"
        of = "" if exact else f" of {self.scenario.dtype}"
        return (
            f'def show(name, tensor):\n    """Print a tensor with all its digits{of}."""\n'
            f'    print(name, "=", np.asarray(tensor){digits}.tolist())'
        )

    def _first_values(self) -> Iterator[str]:
        for tensor, start in first_values(self.program):
            yield f"{self.names(tensor.name)} = {self._first_value(tensor, start)}"

    def _first_value(self, tensor: Tensor, start: Array | Drawn | float) -> str:
        dtype = self.scenario.dtype
        if isinstance(start, Drawn):
            rounded = "" if dtype == "float64" else f".astype(np.{dtype})"
            value = drawn(start, tensor.shape)
            return f"({value}){rounded}" if rounded else value
        if isinstance(start, np.ndarray):
            return self.arrays.text(tensor.name, start)
        if tensor.of is not None:
            like = self.names(tensor.of)
            return f"np.full_like({like}, {start!r})" if start else f"np.zeros_like({like})"
        if tensor.role is Role.BUFFER:
            return f"np.array({start!r})"
        return repr(start) if dtype == "float64" else f"np.{dtype}({start!r})"

    def _iteration(self) -> Iterator[str]:
        yield '    print("iteration", iteration)'
        last = len(self.program.instructions) - 1
        position = 0
        for title, lines in parts(self.program):
            if title != Phase.BATCH:
                yield f"\n    # {title}"
            for line in lines:
                yield f"    {self._line(line)}"
                if line.writes[0] == self.program.loss and line.phase is Phase.LOSS:
                    yield self._shown(self.program.loss)
                position += 1
            phase = lines[-1].phase
            ends = position > last or self.program.instructions[position].phase is not phase
            if phase is Phase.BACKWARD and ends:
                yield from map(self._shown, shown_gradients(self.program))
            if phase is Phase.UPDATE and ends:
                yield from map(self._shown, self.program.trained)

    def _line(self, line: Instruction) -> str:
        if line.phase is Phase.BATCH:
            return line.code
        code = self.names.code(line)
        if line.writes[0] not in self.raised:
            return code
        target, value = code.split(" = ", 1)
        return f"{target} = np.asarray({value})"

    def _shown(self, tensor: str) -> str:
        return f'    show("{tensor}", {self.names(tensor)})'


def _raised(program: Program, functions: Sources) -> set[str]:
    """Return the single numbers that a line reads which raises to a power, itself or by a call."""
    raising = {name for name, text in functions.texts.items() if "**" in text}
    raised: set[str] = set()
    for line in program.instructions:
        if line.formula is None:
            continue
        called = called_by([line.formula.tree]).texts
        if "**" in line.code or raising & called.keys():
            raised |= {name for name in line.reads if is_single(program, name)}
    written = {name for line in program.instructions for name in line.writes}
    return raised & written
