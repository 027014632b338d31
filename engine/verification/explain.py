"""What a wrong gradient looks like, and where to look for the mistake: a sentence for each kind."""

from collections.abc import Sequence

from nnstep.engine.text import listed

from .verdict import Fingerprint, TensorCheck, Verification

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
    names = [f"d{one.name}" for one in tensors[:most]]
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
