"""Where the samples come from: written out in the scenario, in a data file, or generated."""

from msgspec import UNSET, UnsetType

from nnstep.engine.data.errors import DataError
from nnstep.engine.data.samples import Samples, one_hot, standardized
from nnstep.engine.text import quoted

from . import schema
from .numbers import read_array
from .places import Keys
from .report import Report

_PREPARATION = ("one_hot", "standardize")
_OPTIONS = {
    "x": ("y",),
    "file": ("inputs", "target", *_PREPARATION),
    "generate": ("samples", "noise", "seed", "classes", *_PREPARATION),
}


def read_samples(table: schema.Data, seed: int, report: Report) -> Samples | None:
    """Get the samples that a `[data]` table asks for; None if there are mistakes."""
    source = _source(table, report)
    if source is None:
        return None
    if source == "x":
        x = read_array(table.x, ("data", "x"), report)
        y = read_array(table.y, ("data", "y"), report)
        return None if x is None or y is None else Samples(x, y)
    try:
        samples = _file(table, report) if source == "file" else _generated(table, seed)
    except DataError as error:
        _report(error, source, table, report)
        return None
    return _prepared(samples, table, report)


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
    """Tell whether the table asks for this; what is not there has the value UNSET or False."""
    value = getattr(table, name)
    return value is not UNSET and value is not False


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
    from nnstep.engine.data.files import read_data_file

    name = str(table.file)
    kind = name.lower().rpartition(".")[2]
    if kind == "csv":
        from nnstep.engine.data.csv import read_csv

        inputs, target = _columns(table, "inputs"), _columns(table, "target")
        return read_csv(read_data_file(report.source.folder, name), inputs, target)
    if kind == "npz":
        from nnstep.engine.data.npz import read_npz

        x, y = _array(table, "inputs", "x"), _array(table, "target", "y")
        return read_npz(read_data_file(report.source.folder, name), x, y)
    raise DataError(f"{quoted(name)} is neither a .csv nor an .npz file")


def _columns(table: schema.Data, option: str) -> list[str]:
    """Return the names of a CSV file's columns that an option asks for."""
    chosen = getattr(table, option)
    if isinstance(chosen, UnsetType) or not chosen:
        raise DataError(f"a CSV file needs '{option}', the names of columns", option)
    return [chosen] if isinstance(chosen, str) else chosen


def _array(table: schema.Data, option: str, default: str) -> str:
    """Return the name of an NPZ file's array that an option asks for."""
    chosen = getattr(table, option)
    if isinstance(chosen, list):
        raise DataError(f"in an NPZ file, '{option}' is the name of one array", option)
    return default if isinstance(chosen, UnsetType) else chosen


def _generated(table: schema.Data, seed: int) -> Samples:
    """Generate points; raise `DataError`."""
    from nnstep.engine.data.generate import generate

    return generate(
        str(table.generate),
        samples=table.samples or None,
        noise=None if isinstance(table.noise, UnsetType) else table.noise,
        seed=seed if isinstance(table.seed, UnsetType) else table.seed,
        classes=table.classes or None,
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
    return Samples(x, one_hot(y), None) if table.one_hot else Samples(x, y, samples.classes)


def _report(error: DataError, source: str, table: schema.Data, report: Report) -> None:
    """Report a mistake at the option at fault, or at the source if the option is left out."""
    keys: Keys = ("data", error.option if is_given(table, error.option) else source)
    if error.element is not None and isinstance(getattr(table, error.option), list):
        keys = (*keys, error.element)
    report.error(keys, error.message)
