"""The steps inside a cell: its arithmetic, as one part after the other becomes its value."""

from .expansion import Part

MOST_STEPS = 500


def reductions(calculation: Part) -> tuple[str, ...]:
    """Return the arithmetic, then each time one part replaced by its value, last the value.

    Parts that are alike are replaced one by one, from the left; beyond `MOST_STEPS` of them, all
    terms of a sum at once.
    """
    from .writing import arithmetic

    folds = type(calculation.value).__name__ != "float64"
    texts = [arithmetic(calculation, folds)]
    part = calculation
    while part.parts:
        part = all_at_once(part) if steps(part) > MOST_STEPS else replaced(part)
        text = arithmetic(part, folds)
        if text != texts[-1]:
            texts.append(text)
    return tuple(texts)


def steps(part: Part) -> int:
    """Return how many parts there are to be replaced by their values."""
    return bool(part.parts) + sum(map(steps, part.parts))


def replaced(part: Part) -> Part:
    """Replace the first part, from the left, whose own parts are numbers."""
    for place, each in enumerate(part.parts):
        if each.parts:
            parts = (*part.parts[:place], replaced(each), *part.parts[place + 1 :])
            return Part(part.value, part.sign, parts)
    return Part(part.value)


def all_at_once(part: Part) -> Part:
    """Replace all parts of the longest list in a calculation by their values."""
    if len(part.parts) > 2:
        return Part(part.value, part.sign, tuple(Part(each.value) for each in part.parts))
    parts = tuple(
        all_at_once(each) if steps(each) > MOST_STEPS / 2 else each for each in part.parts
    )
    return Part(part.value, part.sign, parts)
