"""Inside a cell: every part becomes its value in turn, and each text is the calculation so far."""

import numpy as np
import pytest
from built_in import built_in
from commanding import give

from nnstep.engine.explain.reductions import MOST_STEPS
from nnstep.engine.explain.stages import Stage, Stages, window
from nnstep.engine.language.typed import TextError
from nnstep.engine.session.session import Session


def stages(name: str, place: int, tensor: str, index: tuple[int, ...]) -> list[Stage]:
    session = Session(built_in(name))
    session.seek(place)
    calculation = session.explain(tensor, index).calculation
    assert calculation is not None
    found: list[Stage] = []
    all_of = Stages(calculation)
    while (stage := all_of.stage(len(found))) is not None:
        found.append(stage)
    return found


def test_a_weighted_sum() -> None:
    found = stages("mazur", 2, "z1", (0, 0))
    assert [(stage.text, stage.next, stage.becomes) for stage in found] == [
        ("0.05 × 0.15 + 0.1 × 0.2 + 0.35", "0.05 × 0.15", "0.0075"),
        ("0.0075 + 0.1 × 0.2 + 0.35", "0.1 × 0.2", "0.02"),
        ("0.0075 + 0.02 + 0.35", "0.0075 + 0.02", "0.0275"),
        ("0.0275 + 0.35", "0.0275 + 0.35", "0.3775"),
        ("0.3775", "", ""),
    ]


def test_a_sum_of_one_product_is_that_product() -> None:
    found = stages("mazur", 9, "dW2", (0, 0))
    assert [stage.next for stage in found] == ["0.138499 × 0.593270", ""]
    assert [stage.text for stage in stages("mazur", 10, "db2", (0,))] == ["0.138498561629"]


def test_what_is_in_parentheses_is_marked_without_them() -> None:
    found = stages("mazur", 12, "dz1", (0, 0))
    assert [stage.next for stage in found] == [
        "0.0363503 × 0.593270", "1 − 0.593270", "0.0215655 × 0.406730", ""
    ]  # fmt: skip
    assert found[1].text == "0.0215655 × (1 − 0.593270)"


@pytest.mark.sweep(3)
@pytest.mark.parametrize(
    ("name", "place"), [("mazur", 16), ("blocks", 41), ("two-layer", 34), ("graph", 7)]
)
def test_there_are_as_many_as_parts_and_the_last_is_the_value(name: str, place: int) -> None:
    session = Session(built_in(name))
    session.seek(place)
    for tensor, array in session.values().items():
        for index in list(np.ndindex(array.shape))[:2]:
            why = session.explain(tensor, index)
            if why.calculation is None:
                continue
            made = Stages(why.calculation)
            assert made.count is not None
            last = made.stage(made.count)
            assert last is not None
            assert made.stage(made.count + 1) is None
            assert float(last.text) == pytest.approx(why.value, rel=1e-10)
            before = [made.stage(number) for number in range(made.count)]
            assert all(stage is not None and stage.next in stage.text for stage in before)


def test_many_terms_become_their_values_at_once() -> None:
    session = Session(built_in("digits"))
    session.seek(12)
    calculation = session.explain("dW1", (0, 2)).calculation
    assert calculation is not None
    many = type(calculation)(calculation.value, "sum", calculation.parts * 20)
    made = Stages(many)
    assert made.count is None
    second = made.stage(1)
    assert second is not None
    assert "×" not in second.text
    assert len(calculation.parts) * 20 > MOST_STEPS


def test_what_does_not_fit_is_cut_around_the_next_part() -> None:
    text = "".join(f"{n} × 1 + " for n in range(10, 60)) + "1"
    start = text.index("30 × 1")
    cut = window(Stage(text, start, start + 6, "30"), 40)
    assert len(cut.text) == 40
    assert cut.next == "30 × 1"
    assert cut.text[0] == cut.text[-1] == "…"
    first = window(Stage(text, 0, 6, "10"), 40)
    assert first.next == "10 × 1"
    assert first.text[-1] == "…"
    whole = Stage("1 + 2", 0, 5, "3")
    assert window(whole, 40) is whole


def test_the_prompt_writes_all_of_them() -> None:
    session = Session(built_in("mazur"))
    session.seek(30)
    assert give(session, "inside z1[0, 1] at 1").lines == (
        "z1[0, 1] = 0.39249999999999996, by step 1, z1 = x @ W1.T + b1:",
        "  0.05 * 0.25 + 0.1 * 0.3 + 0.35",
        "  0.0125 + 0.1 * 0.3 + 0.35",
        "  0.0125 + 0.03 + 0.35",
        "  0.042499999999999996 + 0.35",
        "  0.39249999999999996",
    )
    lines = give(session, "inside dW1[1, 0]").lines
    assert lines[-1] == f"  {session.explain('dW1', (1, 0)).value!r}"
    with pytest.raises(TextError, match=r"nothing to calculate in x\[0, 0\]"):
        give(session, "inside x[0, 0]")
