"""A verification as text: a table of cells and a sentence for each wrong gradient."""

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from nnstep.engine.text import cell_name

from .explanation import explanations, gradient_names, number, shortened
from .verdict import STEP, Kinked, TensorCheck, Verdict, Verification

COLUMNS = 80
_METHOD = f"By central differences, h = {STEP:.0e}, in float64."
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
        *_wrapped(_summary(verification)),
        *_table(verification.tensors),
        *_wrapped(explanations(verification)),
        *_wrapped(_notes(verification)),
    ]


def _wrapped(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        yield from textwrap.wrap(text, COLUMNS, break_on_hyphens=False)


def _summary(verification: Verification) -> Iterator[str]:
    """Yield the sentences that the report begins with: what was found, and how."""
    if not verification.tensors:
        yield "There are no parameters, and so no gradients to verify."
    elif not math.isfinite(verification.loss):
        yield f"Gradients cannot be verified: the loss is {verification.loss}, not finite."
    else:
        yield _found(verification)
        yield _METHOD


def _found(verification: Verification) -> str:
    """Return what the comparison has come to."""
    verdict, tensors = verification.verdict, verification.tensors
    found = [one for one in tensors if one.verdict is verdict]
    of = f"{gradient_names(found, most=3)} ({len(found)} of {_counted(len(tensors), 'tensor')})"
    match verdict:
        case Verdict.FAIL:
            return f"Gradients WRONG: {of}."
        case Verdict.SUSPICIOUS:
            return f"Gradients doubtful: {of}."
        case Verdict.NOT_FINITE:
            return f"Gradients not finite, and so not verified: {of}."
        case Verdict.UNDECIDED:
            return "No gradient could be verified."
        case _:
            cells = f"{verification.checked} of {_counted(verification.total, 'cell')}"
            where = f"{cells} in {_counted(len(tensors), 'tensor')}"
            error = verification.worst_error
            return f"Gradients verified: {where} agree to {error:.0e}."


def _notes(verification: Verification) -> Iterator[str]:
    """Yield what a reader must know to judge the verdict."""
    tensors = verification.tensors
    chosen, tried = verification.chosen, verification.tried
    for anew in verification.anew:
        was = "was" if len(anew.gradients) == 1 else "were"
        yield f"{shortened(anew.gradients, most=6)} {was} computed anew: {anew.why}."
    if verification.edited:
        yield f"Edited in this pass: {shortened(verification.edited, most=6)}."
    yield from (f"Warning: {doubt.message}." for doubt in verification.doubts)
    if verification.cancelled:
        yield f"Cancelled after {tried} of {_counted(chosen, 'cell')}: the rest is not verified."
    if verification.sampled:
        yield f"A sample: {chosen} of {_counted(verification.total, 'cell')}, some of every tensor."
    if skipped := sum(one.skipped for one in tensors):
        yield f"{_counted(skipped, 'cell')} skipped at a kink, where there is no one slope."
        kinks = [(one, kink) for one in tensors for kink in one.kinks]
        yield from (_kink(one, kink) for one, kink in kinks[:_MOST_KINKS])
        if len(kinks) > _MOST_KINKS:
            yield f"And {len(kinks) - _MOST_KINKS} more like these."
    if unsure := sum(one.undecided for one in tensors):
        what = f"{_counted(unsure, 'cell')} unsure"
        yield f"{what}: too small to tell from the rounding errors of the loss."
    if silent := [one for one in tensors if one.silent and one.size > 1]:
        are = "is" if len(silent) == 1 else "are"
        what = f"{gradient_names(silent, most=6)} {are} 0 in every cell, as the numeric gradient is"
        yield f"{what}: a wrong factor would not show."
    if verification.rows == 1 and verification.averages:
        yield "The batch has one row, so a missing 1/m would not show."


_MOST_KINKS = 3


def _kink(one: TensorCheck, kink: Kinked) -> str:
    """Return where a cell's kink is, and its two slopes."""
    cell = cell_name(one.name, kink.index)
    where = f"{kink.operation} in {kink.tensor}"
    slopes = f"{number(kink.below)} below, {number(kink.above)} above"
    return f"{cell} is at a kink of {where}: slopes {slopes}; the gradient {number(kink.analytic)}."


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
        "gradient": number(worst.analytic) if worst else "",
        "numeric": number(worst.numeric) if worst else "",
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


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
