"""The table `[data]`: samples from the file itself, from elsewhere or generated, in batches."""

import numpy as np
from msgspec.structs import replace

from nnstep.engine.arrays import Array, frozen
from nnstep.engine.limits import MAX_ELEMENTS
from nnstep.engine.operations.losses import LOSSES
from nnstep.engine.text import quoted

from . import schema
from .errors import Keys
from .model import Data, Network
from .numbers import check_settings, first, read_array, typed
from .report import Report
from .samples import DataError, Samples, one_hot, standardized


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
    x = typed(samples.as_written(samples.x), dtype, x_keys, report)
    if x is not None:
        x = samples.as_written(x)
    if network is not None and _fit_only_by_columns(samples, network):
        found = f"x has shape {samples.x.shape} and y {samples.y.shape}"
        message = f'{found}; where a sample is a column, write orient = "columns" in [data]'
        report.error(x_keys, message)
        return None
    if x is not None and network is not None:
        x = as_rows(x, (len(samples.y), network.inputs), "an input row", x_keys, report)
    y = fit_targets(samples, network, dtype, y_keys, report)
    if x is None or y is None:
        return None
    if len(x) != len(y):
        report.error(y_keys, f"y has {len(y)} rows, x has {len(x)}; each sample has a target")
        return None
    return _in_batches(table, frozen(x), y, network, report)


def _fit_only_by_columns(samples: Samples, network: Network) -> bool:
    """Tell whether the samples fit if each is a column of x and y, and not as they are."""
    x, y = samples.x, samples.y
    if x.ndim != 2 or x.shape[1] == network.inputs or x.shape[0] != network.inputs:
        return False
    return y.shape[-1:] == x.shape[1:]


def _origins(table: schema.Data) -> tuple[Keys, Keys]:
    """Return the keys that x and y come from; a file's elements count as its name's."""
    if table.x is not None:
        return ("data", "x"), ("data", "y")
    source: Keys = ("data", "file" if table.generate is None else "generate")
    return source, ("data", "target") if isinstance(table.target, str) else source


def _in_batches(
    table: schema.Data, x: Array, y: Array, network: Network | None, report: Report
) -> Data | None:
    """Divide the rows into batches; None if they cannot be."""
    batches = _batches(table, len(x), report)
    size = len(x) if table.batch_size is None else min(table.batch_size, len(x))
    largest = max(map(len, batches)) if batches else size
    widest = max((layer.units for layer in network.layers), default=0) if network else 0
    if largest * widest > MAX_ELEMENTS:
        message = f"a batch of {largest:,} rows is too large for a layer of {widest:,} units"
        keys = ("data", "batches" if batches else "batch_size")
        report.error(keys, f"{message}: more than {MAX_ELEMENTS:,} numbers")
    return Data(x, y, size, table.shuffle, batches)


def _batches(table: schema.Data, rows: int, report: Report) -> tuple[tuple[int, ...], ...] | None:
    """Return the rows of each iteration if the table lists them."""
    if table.batches is None:
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


_PREPARATION = ("one_hot", "standardize")
_OPTIONS = {
    "x": ("y", "orient"),
    "file": ("inputs", "target", "header", "orient", *_PREPARATION),
    "generate": ("samples", "noise", "seed", "classes", *_PREPARATION),
}


_DEFAULTS = dict(zip(schema.Data.__struct_fields__, schema.Data.__struct_defaults__, strict=True))


def read_samples(table: schema.Data, seed: int, report: Report) -> Samples | None:
    """Get the samples that a `[data]` table asks for; None if there are mistakes."""
    source = _source(table, report)
    if source is None:
        return None
    if source == "x":
        x = read_array(table.x, ("data", "x"), report)
        y = read_array(table.y, ("data", "y"), report)
        return None if x is None or y is None else _turned(Samples(x, y), table)
    try:
        samples = _file(table, report) if source == "file" else _generated(table, seed)
        return _prepared(samples, table, report)
    except DataError as error:
        _report(error, source, table, report)
        return None


def _turned(samples: Samples, table: schema.Data) -> Samples:
    """Return the samples as rows, however they are written."""
    return samples.turned() if table.orient == "columns" else samples


def _source(table: schema.Data, report: Report) -> str | None:
    """Return which of the three sources is meant; None if that is unclear or mixed up."""
    given = [name for name in _OPTIONS if is_given(table, name)]
    if not given:
        report.error(("data",), _missing(table))
        return None
    source, *others = given
    strangers = {
        name: owner
        for owner, options in _OPTIONS.items()
        for name in options
        if name not in _OPTIONS[source] and is_given(table, name)
    }
    for name in others:
        report.error(("data", name), f"'{source}' and '{name}' exclude each other", part="key")
    for name, owner in strangers.items():
        if owner not in given:
            message = f"'{name}' goes with '{owner}', not with '{source}'"
            report.error(("data", name), message, part="key")
    if source == "x" and not is_given(table, "y"):
        report.error(("data",), "the key 'y' is missing")
        return None
    return None if others or strangers else source


def is_given(table: schema.Data, name: str) -> bool:
    """Tell whether the table asks for something else than what holds without this key."""
    return bool(getattr(table, name) != _DEFAULTS[name])


def _missing(table: schema.Data) -> str:
    """Say which key a table without a source lacks, as far as its options tell."""
    owners = [
        source
        for source, options in _OPTIONS.items()
        if any(is_given(table, name) for name in options)
    ]
    if len(owners) == 1:
        return f"the key '{owners[0]}' is missing"
    return "'x' and 'y' are missing, or 'file', or 'generate'"


def _file(table: schema.Data, report: Report) -> Samples:
    """Read a CSV or an NPZ file; raise `DataError`."""
    from .datafiles import read_data_file

    name = str(table.file)
    kind = name.lower().rpartition(".")[2]
    if kind == "csv":
        from .datafiles import read_csv, row_in_place_of_header

        if table.orient == "columns":
            raise DataError("in a CSV file each sample is a row", "orient")
        inputs, target = _columns(table, "inputs"), _columns(table, "target")
        content = read_data_file(report.source.folder, name)
        samples = read_csv(content, inputs, target, header=table.header)
        if table.header and (row := row_in_place_of_header(content)):
            message = f"the first row, {quoted(','.join(row))}, is taken for the names of columns"
            report.warning(("data", "file"), f"{message}; header = false reads it as a sample")
        return samples
    if kind == "npz":
        from .datafiles import read_npz

        x, y = _array(table, "inputs", "x"), _array(table, "target", "y")
        return _turned(read_npz(read_data_file(report.source.folder, name), x, y), table)
    raise DataError(f"{quoted(name)} is neither a .csv nor an .npz file")


def _columns(table: schema.Data, option: str) -> list[str]:
    """Return the names of a CSV file's columns that an option asks for."""
    chosen = getattr(table, option)
    if chosen is None or not chosen:
        raise DataError(f"a CSV file needs '{option}', the names of columns", option)
    return [chosen] if isinstance(chosen, str) else chosen


def _array(table: schema.Data, option: str, default: str) -> str:
    """Return the name of an NPZ file's array that an option asks for."""
    chosen = getattr(table, option)
    if isinstance(chosen, list):
        raise DataError(f"in an NPZ file, '{option}' is the name of one array", option)
    return default if chosen is None else chosen


def _generated(table: schema.Data, seed: int) -> Samples:
    """Generate points; raise `DataError`."""
    from .samples import generate

    return generate(
        str(table.generate),
        samples=table.samples,
        noise=table.noise,
        seed=seed if table.seed is None else table.seed,
        classes=table.classes,
    )


def _prepared(samples: Samples, table: schema.Data, report: Report) -> Samples:
    """Standardize inputs and make class indices into rows, where the table asks for it."""
    x, y = samples.x, samples.y
    if table.standardize:
        x, constant = standardized(x)
        for column in constant:
            name = quoted(table.inputs[column]) if isinstance(table.inputs, list) else column + 1
            message = f"column {name} has one value throughout; it is shifted to 0, not scaled"
            report.warning(("data", "standardize"), message)
    return (
        replace(samples, x=x, y=one_hot(y), classes=None)
        if table.one_hot
        else replace(samples, x=x)
    )


def _report(error: DataError, source: str, table: schema.Data, report: Report) -> None:
    """Report a mistake at the option at fault, or at the source if the option is left out."""
    keys: Keys = ("data", error.option if is_given(table, error.option) else source)
    if error.element is not None and isinstance(getattr(table, error.option), list):
        keys = (*keys, error.element)
    report.error(keys, error.message)


def fit_targets(
    samples: Samples, network: Network | None, dtype: str, keys: Keys, report: Report
) -> Array | None:
    """Return y as the network's loss wants it; None if it does not accept it.

    The result has shape (rows, units) and the scenario's type, or, for class indices, shape (rows,)
    and type int64. Without a network, y keeps its shape.
    """
    y = samples.y
    if network is None:
        typed_y = typed(samples.as_written(y), dtype, keys, report)
        return None if typed_y is None else samples.as_written(typed_y)
    units = network.layers[-1].units
    targets = LOSSES[network.loss.kind].targets
    if targets == "classes" and _are_indices(y, units):
        return _indices(samples, units, keys, report)
    if samples.classes and len(samples.classes) > 2:
        message = f"the target names {len(samples.classes)} classes; one_hot = true makes them rows"
        report.error(keys, message)
        return None
    if targets == "probabilities":
        outside = first((y < 0) | (y > 1))
        if outside is not None:
            message = f"{network.loss.kind} takes targets from 0 to 1, not {y[outside]}"
            report.error((*keys, *samples.where(outside)), message)
            return None
    rows = as_rows(y, (len(samples.x), units), "a target row", keys, report)
    if rows is None or typed(samples.as_written(y), dtype, keys, report) is None:
        return None
    return frozen(rows.astype(dtype))


def as_rows(
    values: Array, shape: tuple[int, int], what: str, keys: Keys, report: Report
) -> Array | None:
    """Return values as rows of the width that `shape` has; a flat list will do for width 1.

    The number of rows in `shape` is only what the message says.
    """
    rows, width = shape
    if values.ndim == 1 and width == 1:
        return values.reshape(-1, 1)
    if values.ndim == 2 and values.shape[1] == width:
        return values
    message = f"expected shape {shape}, {what} of {width} for each sample; found {values.shape}"
    hint = "; one sample is [[…]]" if rows == 1 and values.ndim == 1 else ""
    report.error(keys, message + hint)
    return None


def _are_indices(y: Array, units: int) -> bool:
    """Tell whether y can only be meant as class indices."""
    flat = y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1)
    return flat and (units > 1 or y.dtype == np.int64)


def _indices(samples: Samples, units: int, keys: Keys, report: Report) -> Array | None:
    y = samples.y
    if y.dtype != np.int64:
        at = first((y != np.floor(y)) | (y < 0) | (y >= units))
        message = f"class indices are whole numbers from 0 to {units - 1}"
        if at is None:
            at = (0,) * y.ndim
            message += f": write {int(y[at])}, not {y[at]}"
        else:
            message += f", not {y[at]}"
        report.error((*keys, *samples.where(at)), message)
        return None
    outside = first((y < 0) | (y >= units))
    if outside is not None:
        message = f"there is no class {y[outside]}: the output has {units}, counted from 0"
        report.error((*keys, *samples.where(outside)), message)
        return None
    return frozen(y.reshape(-1))
