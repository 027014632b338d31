"""What a wrong gradient looks like, in sentences: the mistake, its cells, what else it may be."""

from collections.abc import Callable, Mapping, Sequence

from nnstep.engine.text import cell_name, listed

from .verdict import BAD, Fingerprint, TensorCheck, Verification

MOST_CELLS = 3
"""The wrong cells that are named."""


def explanations(verification: Verification) -> list[str]:
    """Return a sentence or two for each mistake that is recognised; tensors alike share theirs.

    The mistake nearest the loss comes first; what comes behind it in phase backward, and is not
    recognised, has it handed on.
    """
    alike: dict[object, list[TensorCheck]] = {}
    inherited: list[TensorCheck] = []
    handed_on = False
    for one in verification.tensors:
        if not one.fits or one.wrong:
            alike[one.name] = [one]
        elif one.fingerprint or (one.ratio is not None and not handed_on):
            ratio = None if one.ratio is None else f"{one.ratio:.4g}"
            alike.setdefault((one.fingerprint, ratio, one.divisor, one.detail), []).append(one)
            handed_on = handed_on or one.fingerprint in _HANDED_ON
        elif handed_on and one.verdict in BAD:
            inherited.append(one)
    told = (group for group in alike.values() if not _is_chance(group))
    sentences = [_explained(group, verification) for group in told]
    if inherited:
        names, have = gradient_names(inherited, most=6), "has" if len(inherited) == 1 else "have"
        sentences.append(
            f"{names} {have} it handed on by phase backward, if nothing else is wrong."
        )
    return sentences


_HANDED_ON = frozenset(
    {
        Fingerprint.MISSING_DERIVATIVE,
        Fingerprint.TWICE,
        Fingerprint.AT_Z,
        Fingerprint.AT_A,
        Fingerprint.OTHER_SLOPE,
        Fingerprint.TRANSPOSED_WEIGHTS,
        Fingerprint.UPDATED_WEIGHTS,
        Fingerprint.STALE,
        Fingerprint.OTHER_TENSOR,
    }
)


def gradient_names(tensors: Sequence[TensorCheck], most: int) -> str:
    """Return the names of gradients as a sentence has them, of which at most `most` are named."""
    return shortened([one.gradient for one in tensors], most)


def shortened(names: Sequence[str], most: int) -> str:
    """Return names as a sentence has them, of which at most `most` are named."""
    return listed([*names[:most], f"{len(names) - most} more"] if names[most:] else names)


def number(value: float) -> str:
    """Return a number with four digits, or three where that is too long."""
    value += 0.0  # makes -0.0 plain 0
    text = f"{value:.4g}"
    return text if len(text) <= 10 else f"{value:.3g}"


def _is_chance(group: Sequence[TensorCheck]) -> bool:
    """Tell whether the ratio is that of a single cell, and so says nothing."""
    one = group[0]
    single = len(group) == one.checked == 1
    return not one.wrong and single and one.fingerprint is None and one.ratio != 0


def _explained(group: Sequence[TensorCheck], verification: Verification) -> str:
    one = group[0]
    if not one.fits:
        return _of_shape(one)
    texts = [_cells(one)] if one.wrong else []
    texts.append(_sentence(group, verification))
    if one.alternatives:
        others = listed((_alternative(other, verification) for other in one.alternatives), "or")
        texts.append(f"It may also be {others}.")
    return " ".join(filter(None, texts))


def _of_shape(one: TensorCheck) -> str:
    shapes = f"{one.gradient} has shape {one.gradient_shape}, and {one.name} {one.shape}"
    match one.fingerprint:
        case Fingerprint.TRANSPOSED:
            return f"{shapes}, transposed: {_ORDER}."
        case Fingerprint.NOT_SUMMED:
            return f"{shapes}: it has a row a sample, and is not summed; sum over axis 0."
        case _:
            return f"{shapes}: they must agree."


def _cells(one: TensorCheck) -> str:
    """Return which cells of a gradient are wrong, where the others are right."""
    told = [
        f"{cell_name(one.gradient, cell.index)} is {number(cell.analytic)} "
        f"(numeric {number(cell.numeric)})"
        for cell in one.wrong[:MOST_CELLS]
    ]
    if more := len(one.wrong) - len(told):
        told.append(f"{more} more {'is' if more == 1 else 'are'} wrong")
    right = one.checked - len(one.wrong)
    agree = "the other cell agrees" if right == 1 else f"the other {right} cells agree"
    return f"{listed(told)}; {agree}."


def _sentence(group: Sequence[TensorCheck], verification: Verification) -> str:
    """Return what mistake it is, "" if that is not known and the cells say it all."""
    one, names = group[0], gradient_names(group, most=6)
    if one.wrong:
        names = listed(cell_name(one.gradient, cell.index) for cell in one.wrong[:MOST_CELLS])
    single = len(group) == 1 and len(one.wrong) < 2
    is_, has = ("is", "has") if single else ("are", "have")
    if one.fingerprint in _BY_RATIO:
        return _BY_RATIO[one.fingerprint](f"{names} {is_}", _Of(one, verification))
    if one.fingerprint in _BY_MAKING:
        return _BY_MAKING[one.fingerprint].format(
            names=names, is_=is_, has=has, detail=one.detail, order=_ORDER
        )
    if one.ratio is None:
        return ""
    if one.ratio == 0:
        missing = "0, and the numeric gradient is not: a contribution is missing"
        return "" if one.wrong else f"{names} {is_} {missing}."
    times = f"{one.ratio:.6g} times the numeric gradient"
    if one.wrong:
        return f"That is {times}."
    return f"{names} {is_} {times} in every cell: look for a factor that is the same for all."


class _Of:
    """What sentences about a ratio need to know: the count, and what it is the count of."""

    def __init__(self, one: TensorCheck, verification: Verification) -> None:
        self.divisor = one.divisor
        of_rows = one.divisor == verification.rows
        over = f"the mean is over {one.divisor} numbers"
        self.count = f"the batch has {verification.rows} rows" if of_rows else over
        self.of_squares = verification.of_squares
        self.twice = ", so that it is divided by the rows twice" if verification.averages else ""


_BY_RATIO: Mapping[Fingerprint | None, Callable[[str, _Of], str]] = {
    Fingerprint.MISSING_MEAN: lambda these, of: (
        f"{these} {of.divisor} times the numeric gradient, and {of.count}: the 1/m of the mean is "
        "missing."
    ),
    Fingerprint.SUM_FOR_MEAN: lambda these, of: (
        f"{these} {of.divisor} times the numeric gradient, and {of.count}, but the weights' "
        "gradient is right: take the mean over the rows, not the sum."
    ),
    Fingerprint.MEAN_FOR_SUM: lambda these, of: (
        f"{these} 1/{of.divisor} of the numeric gradient, and {of.count}: take the sum over the "
        f"rows, not the mean; any 1/m is inside dz already{of.twice}."
    ),
    Fingerprint.DIVIDED_TWICE: lambda these, of: (
        f"{these} 1/{of.divisor} of the numeric gradient, and {of.count}: divided by the rows "
        "twice; the 1/m of the mean is inside dz already."
    ),
    Fingerprint.DOUBLED: lambda these, of: (
        f"{these} twice the numeric gradient: "
        + (
            "the derivative of half a squared error is a - y, without the 2."
            if of.of_squares
            else "look for a factor 2 too many."
        )
    ),
    Fingerprint.HALVED: lambda these, of: (
        f"{these} half the numeric gradient: "
        + (
            "the derivative of a squared error is 2 * (a - y)."
            if of.of_squares
            else "look for a factor 2 that is missing."
        )
    ),
}

_BY_MAKING: Mapping[Fingerprint | None, str] = {
    Fingerprint.SIGN: "{names} {has} the opposite sign of the numeric gradient: look for a lost "
    "minus, such as y - a in place of a - y.",
    Fingerprint.TRANSPOSED: "{names} {is_} the numeric gradient transposed: {order}.",
    Fingerprint.MISSING_DERIVATIVE: "In {names} the derivative of {detail} is missing: dz is da "
    "times it, not da itself.",
    Fingerprint.TWICE: "In {names} the derivative of {detail} is multiplied in twice.",
    Fingerprint.AT_Z: "In {names} the derivative of {detail} is taken at z where a belongs: its "
    "formula is one over a.",
    Fingerprint.AT_A: "In {names} the derivative of {detail} is taken at a: z belongs there.",
    Fingerprint.OTHER_SLOPE: "In {names} the derivative is that of {detail}, and forward another "
    "activation is computed.",
    Fingerprint.TRANSPOSED_WEIGHTS: "In {names} {detail} is transposed where da is computed from "
    "the dz of the layer behind.",
    Fingerprint.UPDATED_WEIGHTS: "In {names} {detail} is updated too early: da is computed with "
    "the weights that the forward pass used, before their update.",
    Fingerprint.STALE: "{names} {has} a stale activation: {detail} of the last pass, not of this.",
    Fingerprint.OTHER_TENSOR: "{names} {is_} computed with another tensor: {detail}.",
    Fingerprint.ONE_ROW: "{names} {is_} dz of row {detail} alone: sum over the rows, over axis 0.",
}

_ORDER = "look for a matrix product whose factors are the wrong way round"


def _alternative(other: Fingerprint, verification: Verification) -> str:
    is_factor = other in (Fingerprint.DOUBLED, Fingerprint.HALVED)
    of_squares = ", as of a squared error" if is_factor and verification.of_squares else ""
    return _ALTERNATIVES[other] + of_squares


_ALTERNATIVES = {
    Fingerprint.SIGN: "a lost minus sign",
    Fingerprint.MISSING_MEAN: "a missing 1/m",
    Fingerprint.SUM_FOR_MEAN: "a sum over rows in place of a mean",
    Fingerprint.MEAN_FOR_SUM: "a mean over rows in place of a sum",
    Fingerprint.DIVIDED_TWICE: "a division by the rows twice",
    Fingerprint.DOUBLED: "a factor 2",
    Fingerprint.HALVED: "a missing factor 2",
    Fingerprint.ONE_ROW: "dz of one row alone, not summed over the rows",
}
