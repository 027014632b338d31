"""A verification as text: a table of cells and a sentence for each wrong gradient."""

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from nnstep.engine.text import listed

from .verdict import STEP, Fingerprint, TensorCheck, Verdict, Verification

COLUMNS = 80
_METHOD = f"(central differences, h = {STEP:.0e}, float64)"
_HEADINGS = (
    "verdict",
    "tensor",
    "shape",
    "cells",
    "kinks",
    "unsure",
    "worst cell",
    "gradient",
    "numeric",
    "error",
)
_OPTIONAL = ("kinks", "unsure")
_CLIPPED = {"worst cell": 16, "tensor": 6}
_LEFT_ALIGNED = frozenset({"verdict", "tensor", "shape", "worst cell"})


def report_lines(verification: Verification) -> list[str]:
    """Return the summary, a line for each tensor, and what there is to know and to explain.

    In the table, `cells` says how many were compared of how many there are, `kinks` how many were
    skipped at one, and `unsure` how many the rounding errors leave undecided.
    """
    return [
        *_wrapped([_summary(verification)]),
        *_table(verification.tensors),
        *_wrapped(explanations(verification)),
        *_wrapped(_notes(verification)),
    ]


def _wrapped(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from textwrap.wrap(text, COLUMNS, break_on_hyphens=False)


def _summary(verification: Verification) -> str:
    """Return the sentence that the report begins with."""
    verdict, tensors = verification.verdict, verification.tensors
    if not tensors:
        return "There are no parameters, and so no gradients to verify."
    if not math.isfinite(verification.loss):
        return f"Gradients cannot be verified: the loss is {verification.loss}, not finite."
    found = [one for one in tensors if one.verdict is verdict]
    of = f"{gradient_names(found, most=3)} ({len(found)} of {_counted(len(tensors), 'tensor')})"
    match verdict:
        case Verdict.FAIL:
            return f"Gradients WRONG: {of} {_METHOD}."
        case Verdict.SUSPICIOUS:
            return f"Gradients doubtful: {of} {_METHOD}."
        case Verdict.NOT_FINITE:
            return f"Gradients not finite, and so not verified: {of} {_METHOD}."
        case Verdict.UNDECIDED:
            return f"No gradient could be verified {_METHOD}."
        case _:
            cells = f"{verification.checked} of {_counted(verification.total, 'cell')}"
            where = f"{cells} in {_counted(len(tensors), 'tensor')}"
            error = verification.worst_error
            return f"Gradients verified: {where} agree to {error:.0e} {_METHOD}."


def _notes(verification: Verification) -> Iterator[str]:
    """Yield what a reader must know to judge the verdict."""
    tensors = verification.tensors
    chosen, tried = verification.chosen, verification.tried
    if verification.cancelled:
        yield f"Cancelled after {tried} of {_counted(chosen, 'cell')}: the rest is not verified."
    if verification.sampled:
        yield f"A sample: {chosen} of {_counted(verification.total, 'cell')}, some of every tensor."
    if skipped := sum(one.skipped for one in tensors):
        yield f"{_counted(skipped, 'cell')} skipped at a kink, where there is no one slope."
    if unsure := sum(one.undecided for one in tensors):
        what = f"{_counted(unsure, 'cell')} unsure"
        yield f"{what}: too small to tell from the rounding errors of the loss."
    if verification.rows == 1 and verification.averages:
        yield "The batch has one row, so a missing 1/m would not show."


def _table(tensors: Sequence[TensorCheck]) -> Iterator[str]:
    """Yield the headings and a row for each tensor; shapes only if there is room for them."""
    if not tensors:
        return
    rows = [_row(one) for one in tensors]
    names = [name for name in _HEADINGS if name not in _OPTIONAL or any(r[name] for r in rows)]
    gap = 2
    if _width(names, rows, gap) > COLUMNS:
        gap = 1
    if _width(names, rows, gap) > COLUMNS:
        names.remove("shape")
    for name, least in _CLIPPED.items():
        _clip(name, rows, max(least, _column(name, rows) + COLUMNS - _width(names, rows, gap)))
    for row in ({name: name for name in names}, *rows):
        yield (" " * gap).join(_aligned(name, row, rows) for name in names).rstrip()


def _row(one: TensorCheck) -> dict[str, str]:
    worst = one.worst
    return {
        "verdict": one.verdict.upper() if one.verdict is Verdict.FAIL else one.verdict,
        "tensor": one.name,
        "shape": str(one.shape),
        "cells": f"{one.checked}/{one.size}",
        "kinks": str(one.skipped or ""),
        "unsure": str(one.undecided or ""),
        "worst cell": one.cell,
        "gradient": _number(worst.analytic) if worst else "",
        "numeric": _number(worst.numeric) if worst else "",
        "error": f"{worst.error:.0e}" if worst and one.checked else "",
    }


def _width(names: Sequence[str], rows: Sequence[dict[str, str]], gap: int) -> int:
    return sum(_column(name, rows) + gap for name in names) - gap


def _column(name: str, rows: Sequence[dict[str, str]]) -> int:
    return max(len(name), *(len(row[name]) for row in rows))


def _clip(name: str, rows: Sequence[dict[str, str]], width: int) -> None:
    """Shorten the texts of a column; of a cell's, the index at its end is what counts."""
    for row in rows:
        text = row[name]
        if len(text) > width:
            row[name] = f"…{text[1 - width :]}" if text.endswith("]") else f"{text[: width - 1]}…"


def _aligned(name: str, row: dict[str, str], rows: Sequence[dict[str, str]]) -> str:
    width = _column(name, rows)
    return row[name].ljust(width) if name in _LEFT_ALIGNED else row[name].rjust(width)


def _number(value: float) -> str:
    value += 0.0  # makes -0.0 plain 0
    text = f"{value:.4g}"
    return text if len(text) <= 10 else f"{value:.3g}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


_ALTERNATIVES = {
    Fingerprint.SIGN: "a lost minus sign",
    Fingerprint.MISSING_MEAN: "a missing 1/m",
    Fingerprint.SUM_FOR_MEAN: "a sum over rows in place of a mean",
    Fingerprint.MEAN_FOR_SUM: "a mean over rows in place of a sum",
    Fingerprint.DOUBLED: "a factor 2, as of a squared error",
    Fingerprint.HALVED: "a missing factor 2, as of a squared error",
}


def explanations(verification: Verification) -> list[str]:
    """Return a sentence or two for each mistake that is recognised; tensors alike share theirs."""
    alike: dict[object, list[TensorCheck]] = {}
    for one in verification.tensors:
        if not one.fits:
            alike[one.name] = [one]
        elif one.ratio is not None or one.fingerprint:
            ratio = None if one.ratio is None else f"{one.ratio:.4g}"
            alike.setdefault((one.fingerprint, ratio, one.divisor), []).append(one)
    told = (group for group in alike.values() if not _is_chance(group))
    return [_explained(group, verification.rows) for group in told]


def gradient_names(tensors: Sequence[TensorCheck], most: int) -> str:
    """Return the names of gradients as a sentence has them, of which at most `most` are named."""
    names = [one.gradient for one in tensors[:most]]
    return listed([*names, f"{len(tensors) - most} more"] if tensors[most:] else names)


def _is_chance(group: Sequence[TensorCheck]) -> bool:
    """Tell whether the ratio is that of a single cell, and so says nothing."""
    one = group[0]
    return len(group) == one.checked == 1 and one.fingerprint is None and one.ratio != 0


def _explained(group: Sequence[TensorCheck], rows: int | None) -> str:
    text = _sentence(group, rows)
    if group[0].alternatives:
        others = listed((_ALTERNATIVES[other] for other in group[0].alternatives), "or")
        text += f" It may also be {others}."
    return text


def _sentence(group: Sequence[TensorCheck], rows: int | None) -> str:
    one = group[0]
    names = gradient_names(group, most=6)
    is_, has = ("is", "has") if len(group) == 1 else ("are", "have")
    if not one.fits:
        shapes = f"{names} has shape {one.gradient_shape}, and {one.name} {one.shape}"
        return (
            f"{shapes}, transposed: {_ORDER}." if one.fingerprint else f"{shapes}: they must agree."
        )
    match one.fingerprint:
        case Fingerprint.MISSING_MEAN:
            of = f"{names} {is_} {one.divisor} times the numeric gradient"
            return f"{of}, and {_count(one.divisor, rows)}: the 1/m of the mean is missing."
        case Fingerprint.SUM_FOR_MEAN:
            of = f"{names} {is_} {one.divisor} times the numeric gradient"
            why = f"{_count(one.divisor, rows)}, but the weights' gradient is right"
            return f"{of}, and {why}: take the mean over the rows, not the sum."
        case Fingerprint.MEAN_FOR_SUM:
            of = f"{names} {is_} 1/{one.divisor} of the numeric gradient"
            why = "take the sum over the rows, not the mean"
            return f"{of}, and {_count(one.divisor, rows)}: {why}; any 1/m is inside dz already."
        case Fingerprint.SIGN:
            what = "look for a lost minus, such as y - a in place of a - y"
            return f"{names} {has} the opposite sign of the numeric gradient: {what}."
        case Fingerprint.DOUBLED:
            what = "the derivative of half a squared error is a - y, without the 2"
            return f"{names} {is_} twice the numeric gradient: {what}."
        case Fingerprint.HALVED:
            what = "the derivative of a squared error is 2 * (a - y)"
            return f"{names} {is_} half the numeric gradient: {what}."
        case Fingerprint.TRANSPOSED:
            return f"{names} {is_} the numeric gradient transposed: {_ORDER}."
        case None if one.ratio == 0:
            return f"{names} {is_} 0, and the numeric gradient is not: a contribution is missing."
        case None:
            times = f"{one.ratio:.6g} times the numeric gradient in every cell"
            return f"{names} {is_} {times}: look for a factor that is the same for all."


_ORDER = "look for a matrix product whose factors are the wrong way round"


def _count(divisor: int | None, rows: int | None) -> str:
    if divisor == rows:
        return f"the batch has {rows} rows"
    return f"the mean is over {divisor} numbers"
