"""Compiling an optimizer: clipping, then the update of every trained parameter, line by line."""

from collections.abc import Iterable, Sequence

from nnstep.engine.operations.formula import Constant, call
from nnstep.engine.operations.functions import global_norm
from nnstep.engine.operations.optimizers import (
    CLIP_FACTOR,
    CLIPPED_NORM,
    CLIPPED_VALUE,
    COUNTED,
    UPDATES,
    Line,
)
from nnstep.engine.scenario.model import Clip, Optimizer

from .builder import Listing
from .program import Phase, Role, Tensor

RATE = "lr"
COUNT = "t"
NORM = "grad_norm"
FACTOR = "clip_factor"


def write_update(listing: Listing, optimizer: Optimizer, trained: Sequence[str]) -> None:
    """Add the update instructions of the parameters `trained`."""
    listing.declare(Tensor(RATE, Role.RATE))
    if optimizer.clip and trained:
        _write_clip(listing, optimizer.clip, trained)
    lines = UPDATES[optimizer.kind](_settings(optimizer))
    if trained and _count_updates(lines):
        count = Tensor(COUNT, Role.BUFFER)
        listing.add(Phase.UPDATE, "count", count, COUNTED, {COUNT: COUNT})
    start = float(optimizer.options.get("initial_accumulator_value", 0.0))  # type: ignore[arg-type]
    for parameter in trained:
        for line in lines:
            _write_line(listing, optimizer.kind, parameter, line, start)


def reserved_names(optimizer: Optimizer | None, parameters: Iterable[str]) -> frozenset[str]:
    """Return the names of the tensors that an optimizer of `parameters` brings along."""
    if optimizer is None:
        return frozenset()
    lines = UPDATES[optimizer.kind](_settings(optimizer))
    names = {RATE}
    for parameter in parameters:
        names |= {_tensor(line.writes, parameter) for line in lines} - {parameter, f"d{parameter}"}
    if _count_updates(lines):
        names.add(COUNT)
    if optimizer.clip:
        names |= {NORM, FACTOR}
    return frozenset(names)


def _count_updates(lines: Sequence[Line]) -> bool:
    return any(COUNT in line.formula.parameters for line in lines)


def _tensor(name: str, parameter: str) -> str:
    """Return the tensor that a name in an update rule stands for; buffers carry the parameter's."""
    fixed = {"p": parameter, "dp": f"d{parameter}", RATE: RATE, COUNT: COUNT}
    return fixed.get(name, f"{name}_{parameter}")


def _settings(optimizer: Optimizer) -> dict[str, Constant]:
    settings = dict(optimizer.options)
    betas = settings.pop("betas", None)
    if isinstance(betas, tuple):
        settings["beta1"], settings["beta2"] = betas
    return settings  # type: ignore[return-value]


def _write_clip(listing: Listing, clip: Clip, trained: Sequence[str]) -> None:
    """Add the clipping of the gradients: each value, or all by their norm together."""
    gradients = tuple(f"d{name}" for name in trained)
    if clip.kind == "value":
        clipped, names = CLIPPED_VALUE.bind(limit=clip.limit), {}
    else:
        norm = call(global_norm, gradients)
        tensor = Tensor(NORM, Role.SCRATCH)
        listing.add(Phase.UPDATE, "norm", tensor, norm, {name: name for name in gradients})
        factor = CLIP_FACTOR.bind(limit=clip.limit)
        tensor = Tensor(FACTOR, Role.SCRATCH)
        listing.add(Phase.UPDATE, "clip", tensor, factor, {"norm": NORM})
        clipped, names = CLIPPED_NORM, {"factor": FACTOR}
    for gradient in gradients:
        target = listing.tensors[gradient]
        listing.add(Phase.UPDATE, "clip", target, clipped, {"dp": gradient, **names})


def _write_line(listing: Listing, optimizer: str, parameter: str, line: Line, start: float) -> None:
    """Add one line of an update rule for one parameter, declaring the buffer that it writes."""
    names = {name: _tensor(name, parameter) for name in line.formula.parameters}
    target = _tensor(line.writes, parameter)
    layer = listing.tensors[parameter].layer
    tensor = Tensor(target, Role.BUFFER, layer, of=parameter, start=start)
    listing.add(Phase.UPDATE, optimizer, tensor, line.formula, names)
