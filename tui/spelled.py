"""Formulas in words of ASCII: `sqrt(v)` for √v, `1/2` for ½, where a terminal has no such signs.

What stands for a mark is one column wide; a formula may grow, and is spelled before it is fitted.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from nnstep.engine.insight import Insight

if TYPE_CHECKING:
    from nnstep.engine.explain.calculation import Calculation, Product

_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᵗ"
_RAISED = str.maketrans(_SUPERSCRIPTS, "0123456789-t")
_SUBSCRIPTS = "ᵢⱼₖₗₘₙₚᵣₛₜᵤᵥ"
_LOWERED = str.maketrans(_SUBSCRIPTS, "ijklmnprstuv")
_WORDS: Mapping[str, str] = {
    "½": "1/2",
    "√": "sqrt",
    "∂": "d",
    "ᵀ": ".T",
    "σ": "sigmoid",
    "η": "lr",
    "ε": "eps",
    "π": "pi",
    "≤": "<=",
    "≥": ">=",
    "⊙": "*",
    "·": "*",
    "′": "'",
    "←": "<-",
}


def spelled(text: str) -> str:
    """Return a formula, or a sentence about one, with words for the signs that ASCII has not."""
    if text.isascii():
        return text
    text = re.sub(r"√(\w+(?:\[[^]]*\])?(?:\.\d+)?)", r"sqrt(\1)", text)
    text = re.sub(rf"([{_SUPERSCRIPTS}]+)", lambda found: "^" + found[1].translate(_RAISED), text)
    text = re.sub(
        rf"Σ([{_SUBSCRIPTS}]*)",
        lambda found: f"sum_{found[1].translate(_LOWERED)}" if found[1] else "sum",
        text,
    )
    return "".join(_WORDS.get(sign, sign) for sign in text)


class Speller:
    """Spells what there is to say of a step; of one calculation always the same copy."""

    def __init__(self) -> None:
        self._calculation: Calculation | None = None
        self._spelled: Calculation | None = None

    def spelled(self, insight: Insight) -> Insight:
        """Return the same insight, its formulas in words."""
        why = insight.why
        if why is not None:
            why = replace(
                why,
                rule=spelled(why.rule),
                general=spelled(why.general),
                printed=spelled(why.printed),
                printings=tuple(map(spelled, why.printings)),
                special=spelled(why.special),
                sentence=spelled(why.sentence),
                was=spelled(why.was),
            )
        if insight.calculation is not self._calculation:
            self._calculation = insight.calculation
            self._spelled = _calculation(insight.calculation) if insight.calculation else None
        return replace(insight, why=why, calculation=self._spelled)


def _calculation(calculation: "Calculation") -> "Calculation":
    """Spell the rows that are no tensors; a product has the same rows."""
    from nnstep.engine.explain.calculation import Row, Rule

    copies: dict[int, Row] = {}

    def copy(row: Row) -> Row:
        # The sign of a sum tells how a row is drawn, and is a mark: it stays.
        kept = "Σ".join(map(spelled, row.text.split("Σ")))
        return copies.setdefault(id(row), row if kept == row.text else replace(row, text=kept))

    rows = tuple(row if isinstance(row, Rule) else copy(row) for row in calculation.rows)
    product: Product | None = calculation.product
    if product is not None:
        product = replace(
            product,
            left=copy(product.left),
            right=copy(product.right),
            added=tuple(map(copy, product.added)),
            result=copy(product.result),
        )
    return replace(calculation, rows=rows, formula=spelled(calculation.formula), product=product)
