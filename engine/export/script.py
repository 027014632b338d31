"""What the scripts for NumPy and for PyTorch have in common: names, data, batches, first values."""

import json
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping

from msgspec import Struct, field

from nnstep.engine.arrays import Array
from nnstep.engine.machine.start import run_length
from nnstep.engine.operations.formula import Formula, formula, variable
from nnstep.engine.operations.initializers import INITIALIZERS
from nnstep.engine.program.program import Drawn, Instruction, Program, Role, Tensor
from nnstep.engine.scenario.model import Data, Scenario
from nnstep.engine.text import a_title

from .literals import Arrays


class Script(Struct, frozen=True):
    """The text of a script, and the arrays of the NPZ file that it loads, if it loads one."""

    text: str
    stored: Mapping[str, Array] = field(default_factory=dict)


class Names(Struct):
    """The variable of a script for each tensor: its own name, unless that means something else."""

    of: dict[str, str]

    def __call__(self, tensor: str) -> str:
        """Return the variable for a tensor."""
        return self.of[tensor]

    def code(self, line: Instruction) -> str:
        """Return a line of the listing, with the script's variables."""
        assert line.formula is not None, "only the batch line has no formula"
        names = {parameter: self(tensor) for parameter, tensor in line.names.items()}
        return f"{self(line.writes[0])} = {line.formula.text(names)}"


def named(program: Program, taken: Collection[str]) -> Names:
    """Return the variables for the tensors of a program, none of them one of the names `taken`."""
    names: dict[str, str] = {}
    for tensor in program.tensors:
        name = tensor
        while name in taken or (name != tensor and name in program.tensors):
            name += "_"
        names[tensor] = name
    return Names(names)


def iterations_of(scenario: Scenario, iterations: int | None) -> int:
    """Return how many iterations to run: those asked for, or the file's, else one."""
    length = run_length(scenario, iterations)
    return 1 if length is None else length


def heading(scenario: Scenario, words: str) -> str:
    """Return the comment at the head of a script."""
    texts = [a_title(scenario.title), a_title(scenario.source), "", words]
    return comment(*texts if scenario.source else texts[:1] + texts[2:])


def comment(*texts: str) -> str:
    """Return texts as a comment, each from a new line on."""
    lines = [line for text in texts for line in textwrap.wrap(text, 96) or [""]]
    return "\n".join(f"# {line}".rstrip() for line in lines)


def write_sources(scenario: Scenario, program: Program, arrays: Arrays) -> list[str]:
    """Return what a script takes numbers from: the file beside it, and a random generator."""
    sources = []
    if arrays.stored:
        sources.append(f"stored = np.load(Path(__file__).with_name({json.dumps(arrays.beside)}))")
    if is_random(scenario, program):
        sources.append(f"rng = np.random.default_rng({scenario.seed})")
    return [*sources, ""] if sources else []


# Data and batches


def is_random(scenario: Scenario, program: Program) -> bool:
    """Tell whether a run draws numbers: for first values, or to shuffle the rows."""
    starts = [tensor.start for tensor in program.tensors.values()]
    drawn = (INITIALIZERS[s.by.kind].is_random for s in starts if isinstance(s, Drawn))
    return any(drawn) or bool(scenario.data and scenario.data.shuffle)


def write_data(
    scenario: Scenario, arrays: Arrays, permuted: str = "rng.permutation(len(X))"
) -> list[str]:
    """Return the lines that give X and Y, a row a sample, and the batches; none without data.

    `permuted` gives the rows in a new order, as what the library takes for indices.
    """
    data = scenario.data
    if data is None:
        return []
    numbers = f"X = {arrays.text('X', data.x)}\nY = {arrays.text('Y', data.y)}"
    return ["# The data, a sample a row.", numbers, f"\n\n{_batches(data, permuted)}\n"]


def _batches(data: Data, permuted: str) -> str:
    """Return the generator of the batches, in the order in which the run has them."""
    size = data.batch_size
    body: tuple[str, ...]
    if data.batches is not None:
        listed = repr([list(rows) for rows in data.batches])
        if len(listed) < 80:
            body = (f"    for rows in {listed}:", "        yield X[rows], Y[rows]")
        else:
            lists = (f"        {list(rows)}," for rows in data.batches)
            wrapped = [each for one in lists for each in _wrapped(one)]
            body = ("    for rows in [", *wrapped, "    ]:", "        yield X[rows], Y[rows]")
    elif data.shuffle:
        body = (
            f"    order = {permuted}",
            f"    for start in range(0, len(X), {size}):",
            f"        rows = order[start : start + {size}]",
            "        yield X[rows], Y[rows]",
        )
    elif size >= len(data.x):
        body = ("    yield X, Y",)
    else:
        body = (
            f"    for start in range(0, len(X), {size}):",
            f"        yield X[start : start + {size}], Y[start : start + {size}]",
        )
    return "\n".join(
        [
            "def in_batches():",
            '    """Yield the samples of one iteration after the other, for ever."""',
            "    while True:",
            *(f"    {line}" for line in body),
            "",
            "",
            "batches = in_batches()",
        ]
    )


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, 92, subsequent_indent=" " * 9)


# First values


def first_values(program: Program) -> Iterator[tuple[Tensor, Array | Drawn | float]]:
    """Yield the tensors that are there before step 0, in order, and what they start from."""
    for tensor in program.tensors.values():
        if tensor.start is not None:
            yield tensor, tensor.start


def drawn(start: Drawn, shape: tuple[int, ...]) -> str:
    """Return the expression that draws a first value from `rng`, or gives it as the rule says."""
    row = INITIALIZERS[start.by.kind]
    settings = row.filled(start.by.options)
    rule = formula(row.values).on(random=variable("rng"))
    rule = rule.bind(shape=shape, inputs=start.fan_in, units=start.fan_out, **settings)
    return rule.text({"rng": "rng"})


# Lines


def parts(program: Program) -> Iterator[tuple[str, list[Instruction]]]:
    """Yield the parts of a listing, phase and layer in words, each with its lines."""
    title, lines = "", list[Instruction]()
    for line in program.instructions:
        layer = "" if line.layer is None else f", layer {line.layer}"
        if (here := f"{line.phase}{layer}") != title:
            if lines:
                yield title, lines
            title, lines = here, []
        lines.append(line)
    yield title, lines


def shown_gradients(program: Program) -> Iterable[str]:
    """Return the gradients that a script prints: of all parameters, and of the data if wanted."""
    gradients = program.gradients
    wanted = [*program.parameters, *(t.name for t in program.with_role(Role.DATA))]
    return [gradients[name] for name in wanted if name in gradients]


def formulas(program: Program) -> list[Formula]:
    """Return the formulas of all lines."""
    return [line.formula for line in program.instructions if line.formula is not None]


def is_single(program: Program, tensor: str) -> bool:
    """Tell whether a tensor is a single number."""
    return program.tensors[tensor].shape == ()
