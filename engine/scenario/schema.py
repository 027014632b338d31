"""The keys of a scenario file, `format = 1`: what each is called, may hold and means.

This is the one place that lists them; `nnstep schema` prints it as a JSON Schema.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from nnstep.engine.limits import MAX_COUNT

from .kinds import (
    ActivationName,
    ActivationTable,
    Amount,
    InitializerName,
    InitializerTable,
    LossTable,
    OptimizerTable,
)

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

Count = Annotated[int, Meta(ge=1, le=MAX_COUNT)]
Ordinal = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
Dtype = Literal["float64", "float32", "float16"]
Numbers = Annotated[list[Any], Meta(description="Numbers, in lists of equal lengths.")]


class Table(Struct, forbid_unknown_fields=True, kw_only=True):
    """A table of the file."""


class Layer(Table):
    """A dense layer."""

    units: Annotated[int, Meta(ge=1, le=MAX_COUNT, description="How many outputs it has.")]
    activation: Annotated[
        ActivationName | ActivationTable, Meta(description="The function applied to z.")
    ] = "identity"
    weights: Annotated[
        Numbers | UnsetType, Meta(description="W at the start, shaped as the layout says.")
    ] = UNSET
    init: Annotated[
        InitializerName | InitializerTable | UnsetType,
        Meta(description="How W is drawn, if not given; by default xavier_uniform."),
    ] = UNSET
    bias: Annotated[
        bool | list[Any] | InitializerName | InitializerTable,
        Meta(description="b at the start, or how it is drawn; true: zeros; false: no bias."),
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


class Data(Table):
    """The samples: written out, from a file, or generated."""

    x: Annotated[Numbers | UnsetType, Meta(description="Inputs, a row for each sample.")] = UNSET
    y: Annotated[
        Numbers | UnsetType,
        Meta(description="Targets, a row for each sample; whole numbers are class indices."),
    ] = UNSET
    file: Annotated[
        str | UnsetType, Meta(description="A CSV or NPZ file in the scenario's folder or below.")
    ] = UNSET
    inputs: Annotated[
        list[str] | str | UnsetType,
        Meta(description="The file's columns (CSV) or array (NPZ, by default x) for x."),
    ] = UNSET
    target: Annotated[
        list[str] | str | UnsetType,
        Meta(description="The file's column or columns (CSV) or array (NPZ, by default y) for y."),
    ] = UNSET
    one_hot: Annotated[bool, Meta(description="Make each class a row of one 1 and zeros.")] = False
    standardize: Annotated[
        bool, Meta(description="Shift and scale each input column to mean 0 and deviation 1.")
    ] = False
    generate: Annotated[
        Literal["xor", "moons", "circles", "spirals", "blobs"] | UnsetType,
        Meta(description="Points in the plane, their classes taken in turn."),
    ] = UNSET
    samples: Annotated[
        Count | UnsetType, Meta(description="How many; by default 4 for xor, else 100.")
    ] = UNSET
    noise: Annotated[
        Amount | UnsetType,
        Meta(description="Deviation added to the coordinates; by default 0, for blobs 0.5."),
    ] = UNSET
    seed: Annotated[
        Ordinal | UnsetType, Meta(description="For the noise; by default the network's seed.")
    ] = UNSET
    classes: Annotated[
        Count | UnsetType, Meta(description="How many spirals or blobs; by default 2.")
    ] = UNSET
    batch_size: Annotated[
        Count | UnsetType, Meta(description="Rows an iteration; by default all.")
    ] = UNSET
    shuffle: Annotated[bool, Meta(description="New order of rows each epoch.")] = False
    batches: Annotated[
        list[list[Ordinal]] | UnsetType, Meta(description="The rows of each iteration, in turn.")
    ] = UNSET


class Run(Table):
    """Where the run ends: one of the two."""

    iterations: Annotated[Count | UnsetType, Meta(description="After so many.")] = UNSET
    epochs: Annotated[Count | UnsetType, Meta(description="After so many.")] = UNSET


class Program(Table):
    """An expression, in place of a network and its loss."""

    code: Annotated[str, Meta(description="Assignments, one a line.")]
    loss: Annotated[str, Meta(description="The name whose derivatives are wanted.")]
    parameters: Annotated[
        dict[str, float | list[Any]], Meta(description="Values with a gradient.")
    ] = {}
    inputs: Annotated[dict[str, float | list[Any]], Meta(description="Constants.")] = {}
    dtype: Annotated[Dtype, Meta(description="The type of every number.")] = "float64"
    seed: Annotated[Ordinal, Meta(description="For shuffling.")] = 0


class Breakpoint(Table):
    """Stops a run."""

    at: Annotated[str, Meta(description="A tensor, a phase, or a layer such as 'forward 2'.")]
    when: Annotated[str | UnsetType, Meta(description="A condition on tensors.")] = UNSET
    hits: Annotated[Count, Meta(description="Stop at this hit and after.")] = 1
    log: Annotated[str | UnsetType, Meta(description="Print this and do not stop.")] = UNSET


class Watch(Table):
    """An expression to keep in view."""

    show: Annotated[str, Meta(description="The expression, such as W1[0, 0].")]


class Note(Table):
    """Words for a line of the listing."""

    at: Annotated[str, Meta(description="A tensor, a phase, or a layer such as 'forward 2'.")]
    text: Annotated[str, Meta(description="The words.")]
    iteration: Annotated[Ordinal | UnsetType, Meta(description="By default every one.")] = UNSET


class Expectation(Table):
    """A number that must come out."""

    at: Annotated[str, Meta(description="A tensor.")]
    value: Annotated[str, Meta(description="The number as printed; its digits set the tolerance.")]
    iteration: Annotated[Ordinal, Meta(description="When.")] = 0
    cell: Annotated[list[Ordinal], Meta(description="Which element.")] = []


class Scenario(Table):
    """A scenario for nnstep: a network or an expression, its data and its optimizer."""

    format: Annotated[Literal[1], Meta(description="The version of this format.")]
    title: Annotated[str, Meta(description="A line; by default the file's name.")] = ""
    description: Annotated[str, Meta(description="Markdown.")] = ""
    source: Annotated[str, Meta(description="Where the example comes from.")] = ""
    network: Network | UnsetType = UNSET
    loss: LossTable | UnsetType = UNSET
    optimizer: OptimizerTable | UnsetType = UNSET
    data: Data | UnsetType = UNSET
    run: Run | UnsetType = UNSET
    program: Program | UnsetType = UNSET
    breakpoint: list[Breakpoint] = []
    watch: list[Watch] = []
    note: list[Note] = []
    expect: list[Expectation] = []


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a scenario file."""
    return {"$schema": _DIALECT, **msgspec.json.schema(Scenario)}
