"""The optimizer: an update rule with all its options, and what PyTorch asks of them."""

import msgspec
from msgspec import UnsetType

from . import kinds
from .convert import kind_of
from .model import Clip, Optimizer
from .report import Report
from .settings import check_settings


def build_optimizer(table: kinds.OptimizerTable, dtype: str, report: Report) -> Optimizer:
    """Return the optimizer that an `[optimizer]` table describes."""
    check_settings(table, dtype, ("optimizer",), report)
    if not isinstance(table.clip, UnsetType):
        check_settings(table.clip, dtype, ("optimizer", "clip"), report)
    if isinstance(table, kinds.Sgd) and table.nesterov:
        if not table.momentum:
            report.error(("optimizer", "nesterov"), "nesterov needs momentum > 0")
        if table.dampening:
            report.error(("optimizer", "dampening"), "nesterov needs dampening = 0")
    options = msgspec.structs.asdict(table)
    clip = _clip(options.pop("clip"), report)
    return Optimizer(kind_of(table), options.pop("lr"), options, clip)


def _clip(table: kinds.Clip | UnsetType, report: Report) -> Clip | None:
    if isinstance(table, UnsetType):
        return None
    if not isinstance(table.norm, UnsetType):
        if not isinstance(table.value, UnsetType):
            message = "'norm' and 'value' exclude each other"
            report.error(("optimizer", "clip", "value"), message, part="key")
        return Clip("norm", table.norm)
    if not isinstance(table.value, UnsetType):
        return Clip("value", table.value)
    report.error(("optimizer", "clip"), "clip needs norm = … or value = …")
    return None
