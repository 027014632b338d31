"""The samples as the network takes them, and the batches they are taken in."""

from msgspec import UNSET, UnsetType

from nnstep.engine.arrays import Array, frozen
from nnstep.engine.limits import MAX_ELEMENTS

from . import schema
from .model import Data, Network
from .numbers import typed
from .places import Keys
from .report import Report
from .settings import check_settings
from .sources import is_given, read_samples
from .targets import as_rows, fit_targets


def build_data(
    table: schema.Data, network: Network | None, dtype: str, seed: int, report: Report
) -> Data | None:
    """Return the samples that a `[data]` table describes; None if there are mistakes.

    They must fit the network, if there is one. `seed` is for generating them, unless the table has
    one of its own.
    """
    samples = read_samples(table, seed, report)
    if not check_settings(table, dtype, ("data",), report) or samples is None:
        return None
    x_keys, y_keys = _origins(table)
    x = typed(samples.x, dtype, x_keys, report)
    if x is not None and network is not None:
        x = as_rows(x, (len(samples.y), network.inputs), "an input row", x_keys, report)
    y = fit_targets(samples, network, dtype, y_keys, report)
    if x is None or y is None:
        return None
    if len(x) != len(y):
        report.error(y_keys, f"y has {len(y)} rows, x has {len(x)}; each sample has a target")
        return None
    return _in_batches(table, frozen(x), y, network, report)


def _origins(table: schema.Data) -> tuple[Keys, Keys]:
    """Return the keys that x and y come from; a file's elements count as its name's."""
    if table.x is not UNSET:
        return ("data", "x"), ("data", "y")
    source: Keys = ("data", "file" if table.generate is UNSET else "generate")
    return source, ("data", "target") if isinstance(table.target, str) else source


def _in_batches(
    table: schema.Data, x: Array, y: Array, network: Network | None, report: Report
) -> Data | None:
    """Divide the rows into batches; None if they cannot be."""
    batches = _batches(table, len(x), report)
    size = len(x) if isinstance(table.batch_size, UnsetType) else min(table.batch_size, len(x))
    largest = max(map(len, batches)) if batches else size
    widest = max((layer.units for layer in network.layers), default=0) if network else 0
    if largest * widest > MAX_ELEMENTS:
        message = f"a batch of {largest:,} rows is too large for a layer of {widest:,} units"
        keys = ("data", "batches" if batches else "batch_size")
        report.error(keys, f"{message}: more than {MAX_ELEMENTS:,} numbers")
    return Data(x, y, size, table.shuffle, batches)


def _batches(table: schema.Data, rows: int, report: Report) -> tuple[tuple[int, ...], ...] | None:
    """Return the rows of each iteration if the table lists them."""
    if isinstance(table.batches, UnsetType):
        return None
    for option in ("batch_size", "shuffle"):
        if is_given(table, option):
            message = f"'batches' and '{option}' exclude each other"
            report.error(("data", option), message, part="key")
    if not table.batches:
        report.error(("data", "batches"), "'batches' needs at least one list of rows")
    for number, batch in enumerate(table.batches):
        if report.is_full:
            break
        if not batch:
            report.error(("data", "batches", number), "a batch needs at least one row")
        for place, row in enumerate(batch):
            if row >= rows:
                message = f"there is no row {row}: there are {rows}, counted from 0"
                report.error(("data", "batches", number, place), message)
    return tuple(map(tuple, table.batches))
