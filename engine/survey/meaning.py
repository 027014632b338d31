"""What the numbers of the layers mean, in words: where the gradient is lost or grows, and why."""

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from .layers import Measures, Survey

VANISHED, EXPLODED = 1e-2, 1e2
"""The products of factors beyond which the gradient has vanished on its way, or exploded."""

MANY_OFF = 0.5
"""The share of a layer's units that are off from which on they are the reason."""


def passed(survey: Survey, layer: int) -> tuple[Measures, ...]:
    """Return the layers whose factors the gradient has passed down to a layer, the last first."""
    return tuple(line for line in survey.lines if line.layer is not None and line.layer >= layer)[
        1:
    ]


def product(factors: Sequence[float | None]) -> float | None:
    """Return the product of the factors; None if one of them is not known, or there is none."""
    known = [factor for factor in factors if factor is not None]
    return math.prod(known) if known and len(known) == len(factors) else None


def ratio(survey: Survey, line: Measures) -> float | None:
    """Return |dW| of the last layer beside that of a layer; None where one is not known or is 0."""
    top = survey.lines[0].gradient
    if top is None or not line.gradient:
        return None
    with np.errstate(all="ignore"):
        return float(np.divide(top, line.gradient))


def meaning(survey: Survey, line: Measures) -> str:
    """Return what the factors down to a layer say of its gradient; empty if they are not known."""
    if line.layer is None:
        return ""
    through = passed(survey, line.layer)
    total = product([each.factor for each in through])
    if total is None:
        return ""
    if not math.isfinite(total):
        return "A factor is not finite: there is a value in dz that is none."
    if total > EXPLODED:
        return (
            "The weights multiply the gradient by more than the slopes take away: it grows "
            f"{total:.3g} times."
        )
    if total >= VANISHED:
        return f"On its way to this layer the gradient is multiplied by {total:.3g}."
    return _why_vanished(through)


def _why_vanished(through: Sequence[Measures]) -> str:
    """Say what takes the gradient away: units that are off, or slopes and weights."""
    worst = max(through, key=lambda each: each.off or 0.0)
    if (off := worst.off or 0.0) >= MANY_OFF:
        return (
            f"{off:.0%} of the units of {worst.title} are off or saturated: they let next to "
            "nothing through."
        )
    units = "No unit is saturated" if not off else f"At most {off:.0%} of a layer are saturated"
    slopes = {each.slope for each in through}
    slope = max(each for each in slopes if each is not None) if slopes != {None} else None
    if slope is None or None in slopes or slope >= 1:
        return f"{units}: the weights themselves make the gradient smaller."
    return f"{units}; σ′ is at most {_fraction(slope)}, and the weights do not make up for it."


def _fraction(slope: float) -> str:
    near = Fraction(slope).limit_denominator(8)
    return str(near) if math.isclose(near, slope, rel_tol=1e-6) else f"{slope:.2f}"


def trend(survey: Survey) -> str:
    """Return how the gradients are beside those of the first iteration."""
    pairs = [(each.gradient, each.first) for each in survey.lines]
    known = [(now, then) for now, then in pairs if now is not None and then is not None]
    if not known or all(now == then for now, then in known):
        return ""
    what = "layer" if survey.lines[0].layer is not None else "parameter"
    for sign, word in ((1, "larger"), (-1, "smaller")):
        count = sum(sign * (now - then) > 0 for now, then in known)
        if count * 2 > len(known):
            many = f"every {what} has" if count == len(known) else f"{count} of {len(known)} have"
            return f"{many} a {word} gradient than in the first iteration"
    return "some gradients are larger than in the first iteration, others smaller"


def table(survey: Survey) -> Iterator[str]:
    """Yield the numbers of all layers as a table, under a line of headings."""
    is_network = survey.lines[0].layer is not None if survey.lines else False
    heads = (
        ("layer", "|W|", "|dW|", "at first", "x dz", "step/W", "off")
        if is_network
        else ("parameter", "size", "gradient", "at first", "step/size")
    )
    rows = [heads, *(_cells(line, is_network=is_network) for line in survey.lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _cells(line: Measures, *, is_network: bool) -> tuple[str, ...]:
    def number(value: float | None, digits: int = 4) -> str:
        return "-" if value is None else f"{value:.{digits}g}"

    sizes = (number(line.weights), number(line.gradient), number(line.first))
    if not is_network:
        return (line.parameter, *sizes, number(line.moved, 2))
    off = "-" if line.off is None else f"{line.off:.0%}"
    return (str(line.layer), *sizes, number(line.factor, 3), number(line.moved, 2), off)
