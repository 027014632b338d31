"""The rule's row below a person's own line: its numbers around the cell that differs most."""

import textwrap

from nnstep.engine.override.comparison import Comparison
from nnstep.tui.numbers import Number

from .sheet import MUTED, STRONG, TEXT, TOUCHED, Sheet, Writer, around, shown

# The lines of the sentences below the head and the row of numbers.
SENTENCES = 3
FIELD, LEAST_NAME = 9, 9


def lines_of(own: Comparison) -> int:
    """Return how many lines the rule takes at most."""
    return 2 + SENTENCES if own.different else 2


def put_rule(sheet: Sheet, own: Comparison, write: Writer, y: int) -> None:
    """Draw, from a line on, what the rule gives, `≠` before the cell that differs most."""
    width = sheet.width
    sheet.rule(0, width, y)
    sheet.put(1, y, " ≠ in place of ", TOUCHED)
    sheet.put(16, y, f"{own.rule.code} ", STRONG)
    if not own.different:
        sheet.put(1, y + 1, "which gives the same numbers.")
        return
    index = own.worst or ()
    row = index[:-1]
    numbers = own.reference[row] if index else own.reference
    size = len(numbers) if index else 1
    name = f"{own.name}[{', '.join([*map(str, row), ':'])}]" if index else own.name
    sheet.put(1, y + 1, name, MUTED)
    start = max(LEAST_NAME, len(name)) + 1
    places = around(index[-1] if index else 0, size, max(1, (width - start) // FIELD))
    for at, place in enumerate(places):
        value: Number = numbers[place : place + 1].item() if index else numbers.item()
        text = shown(value, write)
        end = start + (at + 1) * FIELD
        is_worst = not index or place == index[-1]
        sheet.put(end - len(text), y + 1, text, STRONG if is_worst else TEXT)
        if is_worst:
            sheet.put(end - len(text) - 1, y + 1, "≠", TOUCHED)
    said = " ".join(filter(None, (own.mistake, own.verdict)))
    for at, line in enumerate(textwrap.wrap(said, max(1, width - 1))[:SENTENCES]):
        sheet.put(1, y + 2 + at, line)
