"""The terms of a sum: the largest first, each with its share; zeros and the rest in a line."""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.tui.numbers import format_value

from .sheet import MUTED, Sheet

BLOCKS = " ▏▎▍▌▋▊▉█"
# The columns of a bar, and of the share behind it; a long name takes columns of the bar.
BAR, SHARE = 9, 5
LEAST_BAR = 4
# Under this share of the sum of absolute values, the terms nearly cancel.
CANCELLING = 0.05


class Term(Struct, frozen=True):
    """One term: how it is called, and its value."""

    name: str
    value: float


class Shares(Struct, frozen=True, eq=False):
    """Terms in the order of their sizes; `order` has their places, largest first, zeros last."""

    values: Array
    order: Array
    total: float
    zeros: int

    @property
    def nearly_cancel(self) -> bool:
        """Whether next to nothing is left of the sum."""
        return self.total > 0 and abs(float(self.values.sum())) < CANCELLING * self.total

    def share(self, at: int) -> float:
        """Return how much of the sum of absolute values a term has."""
        value = abs(float(self.values[at]))
        return value / self.total if self.total and np.isfinite(self.total) else np.nan


def shares_of(values: Array) -> Shares:
    """Put terms in order."""
    values = np.asarray(values, dtype=np.float64).ravel()
    with np.errstate(all="ignore"):
        sizes = np.abs(values)
        order = np.argsort(-np.where(np.isnan(sizes), np.inf, sizes), kind="stable")
        return Shares(values, order, float(sizes.sum()), int((values == 0).sum()))


def percent(share: float) -> str:
    """Write a share in at most four columns."""
    if np.isnan(share):
        return "–"
    return "<1%" if 0 < share < 0.005 else f"{share * 100:.0f}%"


def bar(share: float, width: int) -> str:
    """Draw a share as a bar, at least an eighth of a column."""
    if np.isnan(share) or not share:
        return ""
    eighths = max(1, round(share * width * 8))
    full, rest = divmod(eighths, 8)
    return "█" * full + (BLOCKS[rest] if rest else "")


def six_digits(value: float) -> str:
    """Write a number with six decimals, a small one with six digits."""
    if value == 0 or not np.isfinite(value):
        return format_value(value)
    if 1e-3 <= abs(value) < 1e5:
        return f"{value:.6f}"
    digits, _, exponent = f"{value:.5e}".partition("e")
    return f"{digits}e{int(exponent)}"


def put_terms(
    sheet: Sheet, y: int, title: str, terms: Sequence[Term], *, until: int | None = None
) -> int:
    """Write a title and the terms below it, as many as there is room for; return the line after."""
    end = sheet.height if until is None else until
    shares = shares_of(np.array([term.value for term in terms]))
    if end - y < 2:
        return y
    sheet.put(1, y, title)
    terms, bars = _named_to_fit(terms, sheet.width)
    kept = [at for at in shares.order.tolist() if terms[at].value != 0] or shares.order.tolist()
    room = end - y - 1
    zero_line = 1 if 0 < shares.zeros < len(terms) else 0
    fitting = room - zero_line if len(kept) + zero_line <= room else room - zero_line - 1
    for at in kept[: max(0, fitting)]:
        y += 1
        _put_term(sheet, y, terms[at], shares, at, bars)
    if rest := kept[max(0, fitting) :]:
        y += 1
        left = Term(f"{len(rest)} more", float(shares.values[rest].sum()))
        _put_name(sheet, y, left, bars)
    if zero_line:
        y += 1
        sheet.put(3, y, f"{shares.zeros} of {len(terms)} are 0", MUTED)
    return y + 1


def _named_to_fit(terms: Sequence[Term], width: int) -> tuple[Sequence[Term], int]:
    """Leave the blanks out of long names, then columns out of the bars; return how many are left.

    Names stand beside their values then.
    """
    number = max(len(six_digits(term.value)) for term in terms)

    def lacking(terms: Sequence[Term]) -> int:
        return max(len(term.name) for term in terms) - _room(width, number, BAR)

    if lacking(terms) > 0:
        terms = [Term(term.name.replace(", ", ","), term.value) for term in terms]
    return terms, max(LEAST_BAR, BAR - max(0, lacking(terms)))


def _room(width: int, number: int, bars: int) -> int:
    """Return how many columns there are for a name before a number of so many."""
    return max(0, width - SHARE - bars - 1 - number - 4)


def _put_name(sheet: Sheet, y: int, term: Term, bars: int) -> None:
    number = six_digits(term.value)
    room = _room(sheet.width, len(number), bars)
    sheet.put(3, y, term.name if len(term.name) <= room else f"{term.name[: room - 1]}…")
    sheet.put(sheet.width - SHARE - bars - 1 - len(number), y, number)


def _put_term(sheet: Sheet, y: int, term: Term, shares: Shares, at: int, bars: int) -> None:
    _put_name(sheet, y, term, bars)
    share = shares.share(at)
    if not shares.nearly_cancel:
        sheet.put(sheet.width - SHARE - bars, y, bar(share, bars), MUTED)
    text = percent(share).replace("%", " %") if share >= 0.005 else percent(share)
    sheet.put(sheet.width - len(text), y, text)
