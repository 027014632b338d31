"""Compiling an optimizer: clipping, then the update of every trained parameter, line by line."""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from nnstep.engine.operations.formula import call, variable
from nnstep.engine.operations.functions import global_norm
from nnstep.engine.operations.operation import Settings
from nnstep.engine.operations.optimizers import (
    CLIP_FACTOR,
    CLIPPED_NORM,
    CLIPPED_VALUE,
    COUNTED,
    OPTIMIZERS,
    WHOLE_COUNT,
    Line,
)
from nnstep.engine.scenario.model import Clip, Optimizer

from .builder import Listing, gradient_of
from .program import Phase, Role, Tensor

RATE = "lr"
COUNT = "t"
NORM = "grad_norm"
FACTOR = "clip_factor"


def write_update(
    listing: Listing, optimizer: Optimizer, trained: Sequence[str], dtype: str
) -> None:
    """Add the update instructions of the parameters `trained`, in a run of some dtype."""
    single = listing.always(())
    listing.declare(Tensor(RATE, Role.RATE, shapes=single, start=float(optimizer.lr)))
    if optimizer.clip and trained:
        _write_clip(listing, optimizer.clip, trained)
    settings = _settings(optimizer)
    lines = _lines(optimizer.kind, settings, dtype)
    if trained and _count_updates(lines):
        count = Tensor(COUNT, Role.BUFFER, shapes=single, start=0)
        listing.add(Phase.UPDATE, "count", count, COUNTED, {COUNT: COUNT})
    for parameter in trained:
        for line in lines:
            _write_line(listing, optimizer.kind, parameter, line, settings)


def reserved_names(
    optimizer: Optimizer | None, parameters: Iterable[str], dtype: str
) -> frozenset[str]:
    """Return the names of the tensors that an optimizer of `parameters` brings along."""
    if optimizer is None:
        return frozenset()
    lines = _lines(optimizer.kind, _settings(optimizer), dtype)
    names = {RATE}
    for parameter in parameters:
        names |= {_tensor(line.writes, parameter) for line in lines} - {parameter, f"d{parameter}"}
    if _count_updates(lines):
        names.add(COUNT)
    if optimizer.clip:
        names |= {NORM, FACTOR}
    return frozenset(names)


def _lines(kind: str, settings: Settings, dtype: str) -> list[Line]:
    """Return the lines of an optimizer, with what the count of updates is as an exponent."""
    count = variable(COUNT) if dtype == "float64" else WHOLE_COUNT
    lines = OPTIMIZERS[kind].lines(settings)
    return [replace(line, formula=line.formula.on(count=count)) for line in lines]


def _count_updates(lines: Sequence[Line]) -> bool:
    return any(COUNT in line.formula.parameters for line in lines)


def _tensor(name: str, parameter: str) -> str:
    """Return the tensor that a name in an update rule stands for; its own carry the parameter's."""
    fixed = {"p": parameter, "dp": f"d{parameter}", RATE: RATE, COUNT: COUNT}
    return fixed.get(name, f"{name}_{parameter}")


def _settings(optimizer: Optimizer) -> Settings:
    """Return the settings of an optimizer but for the rate, which is a tensor."""
    settings = OPTIMIZERS[optimizer.kind].filled(optimizer.options)
    return {name: value for name, value in settings.items() if name != RATE}


def _write_clip(listing: Listing, clip: Clip, trained: Sequence[str]) -> None:
    """Add the clipping of the gradients: each value, or all by their norm together."""
    gradients = tuple(gradient_of(listing.tensors[name]).name for name in trained)
    limit: Settings = {"limit": clip.limit}
    if clip.kind == "value":
        clipped, names, settings = CLIPPED_VALUE.bind(**limit), {}, limit
    else:
        single = listing.always(())
        norm = call(global_norm, gradients)
        tensor = Tensor(NORM, Role.SCRATCH, shapes=single)
        listing.add(Phase.UPDATE, "norm", tensor, norm, {name: name for name in gradients})
        tensor = Tensor(FACTOR, Role.SCRATCH, shapes=single)
        factor = CLIP_FACTOR.bind(**limit)
        listing.add(Phase.UPDATE, "clip", tensor, factor, {"norm": NORM}, settings=limit)
        clipped, names, settings = CLIPPED_NORM, {"factor": FACTOR}, {}
    for gradient in gradients:
        target, named = listing.tensors[gradient], {"dp": gradient, **names}
        listing.add(Phase.UPDATE, "clip", target, clipped, named, settings=settings)


def _write_line(
    listing: Listing, optimizer: str, parameter: str, line: Line, settings: Settings
) -> None:
    """Add one line of an update rule for one parameter, declaring what it writes."""
    names = {name: _tensor(name, parameter) for name in line.formula.parameters}
    target = _tensor(line.writes, parameter)
    layer, shapes = listing.tensors[parameter].layer, listing.tensors[parameter].shapes
    if line.remembers:
        tensor = Tensor(target, Role.BUFFER, layer, of=parameter, shapes=shapes, start=line.start)
    else:
        tensor = Tensor(target, Role.SCRATCH, layer, of=parameter, shapes=shapes)
    listing.add(Phase.UPDATE, optimizer, tensor, line.formula, names, settings=settings)
