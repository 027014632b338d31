"""The loss of a network: its defaults, and which targets it accepts."""

from msgspec import UNSET

from . import kinds
from .convert import kind_of
from .model import Loss, Reduction
from .report import Report
from .settings import check_settings

CLASSIFICATION = ("binary_cross_entropy", "cross_entropy")
_DEFAULT_REDUCTIONS: dict[str, Reduction] = {
    "half_squared_error": "sum",
    "cross_entropy": "batch_mean",
}


def build_loss(table: kinds.LossTable, dtype: str, report: Report) -> Loss:
    """Return the loss that a `[loss]` table describes."""
    kind = kind_of(table)
    check_settings(table, dtype, ("loss",), report)
    if table.from_logits and kind not in CLASSIFICATION:
        report.error(("loss", "from_logits"), f"{kind} takes no logits; the cross-entropies do")
    reduction = table.reduction
    if reduction is UNSET:
        reduction = _DEFAULT_REDUCTIONS.get(kind, "mean")
    elif kind == "cross_entropy" and reduction == "mean":
        reduction = "batch_mean"
    delta = table.delta if isinstance(table, kinds.Huber) else 1.0
    return Loss(kind, reduction, table.from_logits, table.fuse, delta)
