"""What made a number that is not finite: the part of a calculation whose own operands are."""

from typing import Any

import numpy as np

from .digits import to_digits
from .nodes import Apply, Choose, Environment, Node, Reduce, value_of, values_of_terms

_BETWEEN = ("+", "-", "*", "/", "**")


def made_here(node: "int | Node", where: Environment) -> str:
    """Write the part that first is not finite, in numbers: `log(0)`, `1 / 0`, `exp(800)`."""
    for inner, environment in _parts(node, where):
        if not _is_finite(value_of(inner, environment)):
            return made_here(inner, environment)
    match node:
        case Apply(sign, operands):
            texts = [to_digits(value_of(each, where), 6) for each in operands]
            if sign in _BETWEEN and len(texts) == 2:
                return f" {sign} ".join(texts)
            return f"{sign}({', '.join(texts)})"
        case Reduce():
            return f"the sum of {node.count:,} numbers is too large for {_kind(node, where)}"
    return "a number that is not finite"


def _parts(node: "int | Node", where: Environment) -> "list[tuple[int | Node, Environment]]":
    """Return what a part of a calculation is made from; of a sum the first that is not finite."""
    match node:
        case Apply(_, operands):
            return [(each, where) for each in operands]
        case Choose(test, yes, no):
            return [(yes if value_of(test, where) else no, where)]
        case Reduce(_, letters, body):
            bad = np.flatnonzero(~np.isfinite(values_of_terms(node, where)))
            if len(bad):
                places = np.unravel_index(int(bad[0]), [letter.size for letter in letters])
                own = dict(zip(letters, map(int, places), strict=True))
                return [(body, {**where, **own})]
    return []


def _is_finite(value: Any) -> bool:
    return bool(np.isfinite(value))


def _kind(node: Node, where: Environment) -> str:
    return str(np.asarray(value_of(node, where)).dtype)
