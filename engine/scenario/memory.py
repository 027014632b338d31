"""How many numbers a network keeps at once, in its parameters and in the tensors of a batch."""

from itertools import pairwise

from nnstep.engine.limits import MAX_LIVE
from nnstep.engine.program.update import reserved_names

from .model import Data, Network, Optimizer
from .places import Keys
from .report import Report

_OF_A_PARAMETER = 2
"""The parameter itself and its gradient."""

_OF_A_UNIT = 4
"""z, a, da and dz, for each row of a batch."""


def check_memory(network: Network, optimizer: Optimizer | None, data: Data, report: Report) -> None:
    """Report a network whose tensors are too many numbers together."""
    kept = _parameters(network) * (_OF_A_PARAMETER + _buffers(optimizer))
    units = sum(layer.units for layer in network.layers)
    computed = _OF_A_UNIT * max(data.batch_sizes) * units
    if kept + computed <= MAX_LIVE:
        return
    keys: Keys = ("network", "layers")
    if computed > kept:
        keys = ("data", "batch_size" if data.batches is None else "batches")
    message = f"an iteration would hold {kept + computed:,} numbers, more than {MAX_LIVE:,}"
    report.error(keys, message)


def _parameters(network: Network) -> int:
    sizes = [network.inputs, *(layer.units for layer in network.layers)]
    biases = sum(layer.units for layer in network.layers if layer.bias is not None)
    return sum(inputs * units for inputs, units in pairwise(sizes)) + biases


def _buffers(optimizer: Optimizer | None) -> int:
    """Return how many tensors of a parameter's shape the optimizer keeps for each."""
    return sum(name.endswith("_W") for name in reserved_names(optimizer, ["W"]))
