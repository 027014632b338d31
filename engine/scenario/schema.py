"""The keys of a scenario file, table by table; the JSON Schema is made from them.

Where a table has a `kind`, the kind decides which other keys it takes; one that needs no further
key may be written as its name alone. These tables are made from the rows of the kinds.

A key that is not given has the value None: TOML has no null, so that nobody can write it.
msgspec allows only one table without a `kind` in a union, and none beside those with one; what
else may stand there is the "or" in the key's `Meta`.
"""

from collections.abc import Mapping
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union

import msgspec
from msgspec import Meta, Struct

from nnstep.engine.limits import MAX_COUNT
from nnstep.engine.operations.activations import ACTIVATIONS
from nnstep.engine.operations.initializers import INITIALIZERS
from nnstep.engine.operations.losses import LOSSES, Reduction
from nnstep.engine.operations.operation import Kind, Setting
from nnstep.engine.operations.optimizers import OPTIMIZERS
from nnstep.engine.text import listed

from .samples import DEFAULT_SAMPLES, GENERATORS

Amount = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]


class KindTable(Struct, tag_field="kind", forbid_unknown_fields=True, kw_only=True):
    """A table whose `kind` decides which other keys it takes."""


def _defaults(of_kinds: Mapping[str, Any], usual: Any) -> str:
    """Say which kinds have another default than the usual one, such as `4 for xor, else 100`."""
    others = [f"{value} for {name}" for name, value in of_kinds.items() if value != usual]
    return ", ".join([*others, f"else {usual}"])


class Loss(KindTable):
    """What every loss takes."""

    reduction: Annotated[
        Reduction | None,
        Meta(
            description="mean: over all elements (cross_entropy: over rows). batch_mean: sum over "
            "outputs, mean over rows. sum: over all. By default "
            f"{_defaults({name: row.usual for name, row in LOSSES.items()}, 'mean')}."
        ),
    ] = None
    from_logits: Annotated[
        bool,
        Meta(description="The outputs are logits; for the two cross-entropies only."),
    ] = False
    fuse: Annotated[
        bool,
        Meta(description="Derive sigmoid or softmax and its cross-entropy as one: dz = (a - y)/m."),
    ] = True


class Clip(Struct, forbid_unknown_fields=True, kw_only=True):
    """Gradient clipping: one of the two."""

    norm: Annotated[
        Positive | None, Meta(description="The largest norm of all gradients together.")
    ] = None
    value: Annotated[
        Positive | None, Meta(description="The largest magnitude of a gradient's element.")
    ] = None


class Optimizer(KindTable):
    """What every optimizer takes."""

    clip: Annotated[Clip | None, Meta(description="Clips the gradients before the update.")] = None


def _union(kinds: Mapping[str, Kind], base: type[Struct]) -> Any:
    """Make a table, with the keys of `base` besides its own, for each kind."""
    return Union[tuple(_table(kind, base) for kind in kinds.values())]  # noqa: UP007


def _table(kind: Kind, base: type[Struct]) -> type[Struct]:
    title = kind.title or "".join(word.capitalize() for word in kind.name.split("_"))
    fields = [
        (name, _annotated(each), msgspec.NODEFAULT if name in kind.needed else each.default)
        for name, each in kind.settings.items()
    ]
    return msgspec.defstruct(
        title,
        fields,
        bases=(base,),
        namespace={"__doc__": kind.description},
        module=__name__,
        tag=kind.name,
        kw_only=True,
    )


def _annotated(setting: Setting) -> Any:
    """Return the type of what a setting takes, as a field's annotation."""
    described = Meta(description=setting.description)
    if setting.words:
        return Annotated[Literal[setting.words], described]
    if isinstance(setting.default, bool):
        return Annotated[bool, described]
    limits: dict[str, Any] = {"ge": setting.at_least, "gt": setting.above, "lt": setting.below}
    if isinstance(setting.default, tuple):
        number = Annotated[float, Meta(**limits)]
        return Annotated[GenericAlias(tuple, (number,) * len(setting.default)), described]
    return Annotated[float, Meta(description=setting.description, **limits)]


def _names_alone(kinds: Mapping[str, Kind]) -> Any:
    """Return the names of the kinds that need no further key."""
    return Literal[tuple(name for name, kind in kinds.items() if not kind.needed)]


if TYPE_CHECKING:
    ActivationName: TypeAlias = str
    ActivationTable: TypeAlias = KindTable
    InitializerName: TypeAlias = str
    InitializerTable: TypeAlias = KindTable
    LossTable: TypeAlias = Loss
    OptimizerTable: TypeAlias = Optimizer
    GeneratorName: TypeAlias = str
else:
    ActivationName = _names_alone(ACTIVATIONS)
    ActivationTable = _union(ACTIVATIONS, KindTable)
    InitializerName = _names_alone(INITIALIZERS)
    InitializerTable = _union(INITIALIZERS, KindTable)
    LossTable = _union(LOSSES, Loss)
    OptimizerTable = _union(OPTIMIZERS, Optimizer)
    GeneratorName = Literal[tuple(GENERATORS)]


_DIALECT = "https://json-schema.org/draft/2020-12/schema"

Count = Annotated[int, Meta(ge=1, le=MAX_COUNT)]
Ordinal = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Dtype = Literal["float64", "float32", "float16"]
Numbers = Annotated[list[Any], Meta(description="Numbers, in lists of equal lengths.")]


class Table(Struct, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


class ArrayFile(Table):
    """An array from a file."""

    file: Annotated[str, Meta(description="An NPZ or NPY file in the scenario's folder or below.")]
    array: Annotated[
        str | None, Meta(description="Which array of an NPZ file; left out if it has one.")
    ] = None


class Parameter(Table):
    """The first value of a program's parameter: from a file, or drawn."""

    file: Annotated[
        str | None, Meta(description="An NPZ or NPY file in the scenario's folder or below.")
    ] = None
    array: Annotated[
        str | None, Meta(description="Which array of an NPZ file; left out if it has one.")
    ] = None
    shape: Annotated[
        list[Count] | None,
        Meta(description="The shape to draw; in x @ W, the first axis has the inputs."),
    ] = None
    init: Annotated[
        InitializerName | InitializerTable | None,
        Meta(description="How it is drawn; by default xavier_uniform."),
    ] = None


class Layer(Table):
    """A dense layer."""

    units: Annotated[int, Meta(ge=1, le=MAX_COUNT, description="How many outputs it has.")]
    activation: Annotated[
        ActivationName | ActivationTable, Meta(description="The function applied to z.")
    ] = "identity"
    weights: Annotated[
        Numbers | ArrayFile | None,
        Meta(description="W at the start, shaped as the layout says."),
    ] = None
    init: Annotated[
        InitializerName | InitializerTable | None,
        Meta(description="How W is drawn, if not given; by default xavier_uniform."),
    ] = None
    bias: Annotated[
        bool | list[Any] | InitializerName | InitializerTable,
        Meta(
            description="b at the start, or how it is drawn; true: zeros; false: no bias.",
            extra={"or": ArrayFile},
            extra_json_schema={"or": "ArrayFile"},
        ),
    ] = True
    frozen: Annotated[
        list[Literal["weights", "bias"]], Meta(description="What the optimizer leaves alone.")
    ] = []


class Network(Table):
    """A stack of dense layers."""

    inputs: Annotated[int, Meta(ge=1, le=MAX_COUNT, description="How many numbers a sample has.")]
    layers: Annotated[list[Layer], Meta(min_length=1, description="From the input to the output.")]
    layout: Annotated[
        Literal["out_in", "in_out"],
        Meta(description="out_in: W is (units, inputs), z = x @ W.T + b; in_out: z = x @ W + b."),
    ] = "out_in"
    dtype: Annotated[Dtype, Meta(description="The type of every number.")] = "float64"
    seed: Annotated[Ordinal, Meta(description="For initialisers and shuffling.")] = 0
    input_gradient: Annotated[bool, Meta(description="Compute dx as well.")] = False
    l2: Annotated[Amount, Meta(description="Adds l2/2 · Σ W² to the loss.")] = 0.0


_SAMPLES = _defaults({name: row.samples for name, row in GENERATORS.items()}, DEFAULT_SAMPLES)
_NOISE = ", ".join(f"{name} {row.noise}" for name, row in GENERATORS.items() if row.noise)
_IN_GROUPS = [name for name, row in GENERATORS.items() if not row.two_classes]


class Data(Table):
    """The samples: written out, from a file, or generated."""

    x: Annotated[Numbers | None, Meta(description="Inputs, a row for each sample.")] = None
    y: Annotated[
        Numbers | None,
        Meta(description="Targets, a row for each sample; whole numbers are class indices."),
    ] = None
    file: Annotated[
        str | None, Meta(description="A CSV or NPZ file in the scenario's folder or below.")
    ] = None
    inputs: Annotated[
        list[str] | str | None,
        Meta(description="The file's columns (CSV) or array (NPZ, by default x) for x."),
    ] = None
    target: Annotated[
        list[str] | str | None,
        Meta(description="The file's column or columns (CSV) or array (NPZ, by default y) for y."),
    ] = None
    header: Annotated[
        bool,
        Meta(
            description="Whether the first row of a CSV file names its columns; if not, their "
            'names are "0", "1", and so on.'
        ),
    ] = True
    orient: Annotated[
        Literal["rows", "columns"],
        Meta(description="columns: x and y are written with a sample a column, not a row."),
    ] = "rows"
    one_hot: Annotated[bool, Meta(description="Make each class a row of one 1 and zeros.")] = False
    standardize: Annotated[
        bool, Meta(description="Shift and scale each input column to mean 0 and deviation 1.")
    ] = False
    generate: Annotated[
        GeneratorName | None,
        Meta(description="Points in the plane, their classes taken in turn."),
    ] = None
    samples: Annotated[
        Count | None,
        Meta(description=f"How many; by default {_SAMPLES}."),
    ] = None
    noise: Annotated[
        Amount | None,
        Meta(description=f"Deviation added to the coordinates; by default 0, for {_NOISE}."),
    ] = None
    seed: Annotated[
        Ordinal | None, Meta(description="For the noise; by default the network's seed.")
    ] = None
    classes: Annotated[
        Count | None, Meta(description=f"How many {listed(_IN_GROUPS, 'or')}; by default 2.")
    ] = None
    batch_size: Annotated[Count | None, Meta(description="Rows an iteration; by default all.")] = (
        None
    )
    shuffle: Annotated[bool, Meta(description="New order of rows each epoch.")] = False
    batches: Annotated[
        list[list[Ordinal]] | None, Meta(description="The rows of each iteration, in turn.")
    ] = None


class Run(Table):
    """Where the run ends, by one of the two, and what must not happen in it."""

    iterations: Annotated[Count | None, Meta(description="After so many.")] = None
    epochs: Annotated[Count | None, Meta(description="After so many.")] = None
    faults: Annotated[
        Literal["none"] | None, Meta(description="none: `nnstep check` fails if there is a fault.")
    ] = None


class Program(Table):
    """An expression, in place of a network and its loss."""

    code: Annotated[str, Meta(description="Assignments, one a line.")]
    loss: Annotated[str, Meta(description="The name whose derivatives are wanted.")]
    parameters: Annotated[
        dict[str, float | list[Any] | Parameter], Meta(description="Values with a gradient.")
    ] = {}
    inputs: Annotated[dict[str, float | list[Any] | ArrayFile], Meta(description="Constants.")] = {}
    dtype: Annotated[Dtype, Meta(description="The type of every number.")] = "float64"
    seed: Annotated[Ordinal, Meta(description="For initialisers and shuffling.")] = 0


class Breakpoint(Table):
    """Stops a run."""

    at: Annotated[str, Meta(description="A tensor, 'backward', 'backward 2', 'layer 2', 'line 7'.")]
    when: Annotated[str | None, Meta(description="A condition on tensors.")] = None
    hits: Annotated[Count, Meta(description="Stop at this hit and after.")] = 1
    every: Annotated[Count, Meta(description="Of those, stop at each so many.")] = 1
    log: Annotated[str | None, Meta(description="Print this and do not stop.")] = None


class Watch(Table):
    """An expression to keep in view."""

    show: Annotated[str, Meta(description="The expression, such as W1[0, 0].")]


class Override(Table):
    """A line of one's own in place of one of the program's."""

    line: Annotated[str, Meta(description="The line, such as dW1 = dz1.T @ x / 3.")]
    phase: Annotated[
        Literal["forward", "loss", "backward", "update"] | None,
        Meta(description="Where several lines write the tensor: the phase of the one meant."),
    ] = None
    nth: Annotated[Count | None, Meta(description="Of those in the phase, counted from 1.")] = None


class Note(Table):
    """Words for a line of the listing."""

    at: Annotated[str, Meta(description="A tensor, a phase, or a layer such as 'forward 2'.")]
    text: Annotated[str, Meta(description="The words.")]
    iteration: Annotated[Ordinal | None, Meta(description="By default every one.")] = None


class Expectation(Table):
    """A printed number that must come out: right within half a unit of its last digit."""

    at: Annotated[str, Meta(description="A tensor.")]
    value: Annotated[
        str | None, Meta(description='The number of one cell, as it is printed: "0.3775".')
    ] = None
    values: Annotated[
        list[Any] | None,
        Meta(description="In place of value: those of all cells, as text in lists of its shape."),
    ] = None
    cell: Annotated[list[Ordinal] | None, Meta(description="Which element, with value.")] = None
    iteration: Annotated[
        Ordinal | Literal["start"],
        Meta(description="At the end of which iteration; start: before the first one."),
    ] = 0
    phase: Annotated[
        Literal["backward"] | None,
        Meta(description="backward: as it is at the end of that phase, before it is clipped."),
    ] = None
    tol: Annotated[
        Positive | None,
        Meta(description="By how many units of the last digit it may differ; by default 0.5."),
    ] = None
    wrong: Annotated[
        str | None,
        Meta(description="Why the printed number is wrong: it must then differ."),
    ] = None


class Scenario(Table):
    """A scenario for nnstep: a network or an expression, its data and its optimizer."""

    format: Annotated[Literal[1], Meta(description="The version of this format.")]
    title: Annotated[str, Meta(description="A line; by default the file's name.")] = ""
    description: Annotated[str, Meta(description="Markdown.")] = ""
    source: Annotated[str, Meta(description="Where the example comes from.")] = ""
    network: Network | None = None
    loss: LossTable | None = None
    optimizer: OptimizerTable | None = None
    data: Data | None = None
    run: Run | None = None
    program: Program | None = None
    breakpoint: list[Breakpoint] = []
    watch: list[Watch] = []
    override: list[Override] = []
    note: list[Note] = []
    expect: list[Expectation] = []


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario file."""
    return {"$schema": _DIALECT, **_without_null(msgspec.json.schema(Scenario))}


def _without_null(part: Any) -> Any:
    """Take null, which stands for a key that is not given, out of a part of the schema."""
    if isinstance(part, list):
        return [_without_null(item) for item in part if item not in (None, {"type": "null"})]
    if not isinstance(part, dict):
        return part
    kept = {key: _without_null(item) for key, item in part.items() if item is not None}
    if other := kept.pop("or", None):
        kept["anyOf"].append({"$ref": f"#/$defs/{other}"})
    if len(kept.get("anyOf", ())) == 1:
        kept |= kept.pop("anyOf")[0]
    return kept
