"""A line of numbers a layer: how large its weights and their gradient are, and how they move.

They are what a lecture on vanishing gradients is about: by how much each layer multiplies the
gradient on its way down, against the first iteration; how far the last update moved the weights;
how many units let nothing through.
"""

from collections.abc import Mapping
from itertools import takewhile

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array, Kernel
from nnstep.engine.explain.slope import largest_slope
from nnstep.engine.limits import MAX_WORK_OF_A_LINE_AT_ONCE
from nnstep.engine.operations.activations import ACTIVATIONS
from nnstep.engine.operations.operation import same_shape
from nnstep.engine.program.program import Instruction, Phase, Program, Role, Tensor
from nnstep.engine.session.asked import Asked
from nnstep.engine.session.snapshot import Snapshot

FLAT = 0.19
"""The share of its largest slope under which a unit counts as off: of a sigmoid that is so where
it is below 0.05 or above 0.95, since 4 · 0.05 · 0.95 = 0.19; of a tanh beyond 0.9."""


class Measures(Struct, frozen=True):
    """The numbers of a layer, or of a parameter of an expression; None where there is none yet.

    `weights` and `gradient` are the norms of the layer's weights and of their gradient before it is
    clipped, and `first` is what the latter was in iteration 0. `factor` is what the layer
    multiplies the gradient by on its way down. `moved` is the last update of the weights beside the
    weights, and `off` the share of the units that let nothing through. `slope` is the largest that
    the activation can have. `of_last_pass` says that this pass has not written the gradient yet.
    """

    layer: int | None
    parameter: str
    gradient_name: str
    weights: float
    gradient: float | None = None
    first: float | None = None
    factor: float | None = None
    moved: float | None = None
    off: float | None = None
    slope: float | None = None
    of_last_pass: bool = False

    @property
    def title(self) -> str:
        """What the line is about: a layer, or a parameter."""
        return self.parameter if self.layer is None else f"layer {self.layer}"


class Survey(Struct, frozen=True):
    """The numbers of all layers, the last layer first, as the gradient travels.

    Of an expression, which has no layers, they are those of its parameters.
    """

    lines: tuple[Measures, ...]

    def of(self, layer: int) -> Measures | None:
        """Return the numbers of a layer; None if there is no such layer."""
        return next((line for line in self.lines if line.layer == layer), None)


def norm(array: Array) -> float:
    """Return the Frobenius norm √Σ v² over all cells of an array of any shape."""
    with np.errstate(all="ignore"):
        return float(np.linalg.norm(np.asarray(array, np.float64).ravel()))


def factor_of(dz: Array, dz_above: Array) -> float:
    """Return |dz[l]| / |dz[l + 1]|, by what layer l multiplies the gradient that comes from above.

    The product over the layers from the last one down to l is |dz[l]| / |dz[last]|.
    """
    with np.errstate(all="ignore"):
        return float(np.divide(norm(dz), norm(dz_above)))


def moved_by(before: Array, after: Array) -> float:
    """Return |ΔW| / |W|: how far an update moves the weights, beside the weights before it."""
    with np.errstate(all="ignore"):
        difference = np.asarray(after, np.float64) - np.asarray(before, np.float64)
        return float(np.divide(norm(difference), norm(before)))


def share_off(slope: Array, largest: float) -> float:
    """Return the share of units whose slope is under `FLAT` of the largest, for every row.

    `slope` has shape (rows, units): what each unit multiplies its gradient by.
    """
    flat = (slope < FLAT * largest).reshape(-1, slope.shape[-1] if slope.ndim else 1)
    return float(flat.all(axis=0).mean())


class Surveyor:
    """Surveys a run at its snapshots; what is known of the first iteration is kept."""

    def __init__(self) -> None:
        self._first: tuple[object, Mapping[str, float]] = None, {}
        self._ways: tuple[Program | None, Mapping[int, Way]] = None, {}

    def survey(self, run: Asked, snapshot: Snapshot) -> Survey:
        """Return the numbers of every layer at the place of a snapshot of the present branch."""
        program, tensors = snapshot.program, snapshot.tensors
        measured = _measured(program)
        first = self._first_norms(run, snapshot, measured)
        before, after = _around_update(run, snapshot)
        gradients = _gradients(run, snapshot)
        if self._ways[0] is not program:
            self._ways = program, _ways(program)
        ways = self._ways[1]
        passed = program.instructions[: snapshot.position]
        written = {name for line in passed for name in line.writes}

        def measures(weights: Tensor) -> Measures:
            name, layer = program.gradients[weights.name], weights.layer
            gradient, factor, off, slope = gradients.get(name), None, None, None
            if layer is not None:
                factor = _factor(ways.get(layer), ways.get(layer + 1), gradients, written)
                off, slope = _units(ways.get(layer), tensors)
            is_moved = weights.name in program.trained and weights.name in before
            return Measures(
                layer=layer,
                parameter=weights.name,
                gradient_name=name,
                weights=norm(tensors[weights.name]),
                gradient=None if gradient is None else norm(gradient),
                first=first.get(weights.name),
                factor=factor,
                moved=moved_by(before[weights.name], after[weights.name]) if is_moved else None,
                off=off,
                slope=slope,
                of_last_pass=gradient is not None and bool(passed) and name not in written,
            )

        return Survey(tuple(map(measures, measured)))

    def _first_norms(
        self, run: Asked, snapshot: Snapshot, measured: tuple[Tensor, ...]
    ) -> Mapping[str, float]:
        """Return the norm of each gradient as iteration 0 has left it, before it is clipped."""
        end = _update_of(snapshot.program)
        if snapshot.place < end:
            return {}
        branch = snapshot.branch
        known = branch.seed, tuple(takewhile(lambda edit: edit.place <= end, branch.edits))
        if self._first[0] != known:
            tensors, gradients = run.values_at(end), snapshot.program.gradients
            norms = {each.name: norm(tensors[gradients[each.name]]) for each in measured}
            self._first = known, norms
        return self._first[1]


def _gradients(run: Asked, snapshot: Snapshot) -> Mapping[str, Array]:
    """Return the gradients as phase backward left them, before they are clipped."""
    program, tensors = snapshot.program, snapshot.tensors
    lines, names = program.instructions, {*program.gradients.values()}
    update, start = _update_of(program), snapshot.place - snapshot.position
    clips = any(name in names for line in lines[update:] for name in line.writes)
    place = start + update - (0 if snapshot.position > update else len(program))
    if not clips or place < 0:
        return tensors
    fresh = {name for line in lines[: min(snapshot.position, update)] for name in line.writes}
    known = run.values_at(place)
    return {
        name: tensors[name] if name in fresh and snapshot.position <= update else known[name]
        for name in names
        if name in known
    }


def _around_update(
    run: Asked, snapshot: Snapshot
) -> tuple[Mapping[str, Array], Mapping[str, Array]]:
    """Return the tensors before and after the last whole update; nothing if there was none."""
    count, start = len(snapshot.program), snapshot.place - snapshot.position
    update = _update_of(snapshot.program)
    if update == count or start == 0:
        return {}, {}
    return run.values_at(start - count + update), run.values_at(start)


def _measured(program: Program) -> tuple[Tensor, ...]:
    """Return the parameter to measure of each layer, the last layer first: that of most axes.

    Of an expression, which has no layers, return all its parameters.
    """
    parameters = program.with_role(Role.PARAMETER)
    layers = sorted({each.layer for each in parameters if each.layer is not None}, reverse=True)
    if not layers:
        return parameters
    of_layer = ([each for each in parameters if each.layer == layer] for layer in layers)
    return tuple(max(own, key=lambda tensor: len(tensor.shape)) for own in of_layer)


class Way(Struct, frozen=True, eq=False):
    """The line that computes the output of a layer, the derivative by what it takes, and its line.

    Either of the latter is None where the program has none. `kernel` computes that line from arrays
    in the order of its formula's parameters.
    """

    forward: Instruction
    dz: str | None
    back: Instruction | None
    kernel: Kernel | None


def _ways(program: Program) -> Mapping[int, Way]:
    """Return how the gradient passes the activation of every layer."""
    writers = {
        name: line.rule or line
        for line in program.instructions
        if line.phase is Phase.BACKWARD
        for name in line.writes
    }
    gradients = program.gradients
    found: dict[int, Way] = {}
    for line in program.instructions:
        if line.layer is not None and line.phase is Phase.FORWARD:
            own = line.rule or line
            dz = gradients.get(own.reads[0])
            back = writers.get(dz) if dz else None
            kernel = back.formula.function if back and back.formula else None
            found[line.layer] = Way(own, dz, back, kernel)
    return found


def _factor(
    way: Way | None, above: Way | None, gradients: Mapping[str, Array], written: set[str]
) -> float | None:
    """Return the factor of a layer, if its dz and that of the layer above are of one pass."""
    if way is None or above is None or way.dz is None or above.dz is None:
        return None
    if way.dz not in gradients or above.dz not in gradients:
        return None
    is_of_one_pass = (way.dz in written) == (above.dz in written)
    return factor_of(gradients[way.dz], gradients[above.dz]) if is_of_one_pass else None


def _update_of(program: Program) -> int:
    """Return the position of the first line of phase update; the length if there is none."""
    lines = enumerate(program.instructions)
    return next((at for at, line in lines if line.phase is Phase.UPDATE), len(program))


def _units(way: Way | None, tensors: Mapping[str, Array]) -> tuple[float | None, float | None]:
    """Return the share of a layer's units that are off, and the largest slope they can have.

    Both are None where the gradient does not pass through a slope of each unit: an output that is
    fused with its loss, an identity, a softmax. So is the share where there are more slopes than a
    key may wait for.
    """
    if way is None or way.back is None:
        return None, None
    line, back = way.forward, way.back
    row = ACTIVATIONS.get(line.operation)
    if row is None or row.operation.shape is not same_shape:
        return None, None
    if back.formula is None or way.kernel is None or "da" not in back.names or len(back.names) == 1:
        return None, None
    largest = largest_slope(line.operation) or 1.0
    a = tensors.get(line.writes[0])
    if a is None or not a.ndim or a.size > MAX_WORK_OF_A_LINE_AT_ONCE:
        return None, largest
    known = {**tensors, back.names["da"]: np.ones_like(a)}
    if any(name not in known for name in back.names.values()):
        return None, largest
    with np.errstate(all="ignore"):
        slope = way.kernel(*(known[back.names[p]] for p in back.formula.parameters))
    return share_off(np.asarray(slope), largest), largest
