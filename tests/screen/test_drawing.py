"""The line that has just run, drawn as on paper: the frames of the design, and every other line."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from built_in import built_in
from random_programs import random_expression, random_network

from nnstep import scenarios
from nnstep.engine import Session
from nnstep.engine.arrays import Shape
from nnstep.engine.insight import Insight
from nnstep.engine.scenario.model import Scenario
from nnstep.tui.panes.drawing import draw, moved, view_of
from nnstep.tui.panes.scene import Asked, Scenes
from nnstep.tui.panes.sheet import Sheet, View, one, shown

WIDTH, HEIGHT = 43, 17


def look(
    session: Session,
    index: Shape | None = None,
    name: str = "",
    row: int | None = None,
    *,
    explained: bool = True,
) -> View:
    """Look at the line that has just run, at a cell of what it wrote or of another tensor."""
    calculation, snapshot = session.calculation(), session.snapshot()
    assert calculation is not None
    result = calculation.result
    name = name or str(result.tensor)
    if index is None:
        index = (0,) * len(session.value(name).shape)
    why = session.explain(name, index) if explained else None
    insight = Insight(calculation, why)
    scene = Scenes(session.program).scene(snapshot, asked=Asked(name, index), insight=insight)
    return view_of(calculation, snapshot, scene, row)


def drawn(name: str, place: int, index: Shape | None = None) -> list[str]:
    """Draw the line before a place, without the empty lines at the end."""
    session = Session(built_in(name))
    session.seek(place)
    lines = [line.rstrip() for line in draw(look(session, index), WIDTH, HEIGHT).text()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def test_frame_5_2_a_forward_line() -> None:
    assert drawn("mazur", 2) == [
        "                     @ ○ W1.T (2, 2)",
        "                       ‹0.1500›  0.2500",
        "                       ‹0.2000›  0.3000",
        "                     + ○ b1 (2,)",
        "                       ‹0.3500›  0.3500",
        "○ x (1, 2)           = ● z1 (1, 2)",
        "0 ‹0.0500› ‹0.1000›    [0.3775]  0.3925",
        "",
        " z1[0, 0] = the sum of 3",
        "   b1[0]            0.350000 ████████▍ 93 %",
        "   x[0, 1]·W1[0, 1] 0.020000 ▌          5 %",
        "   x[0, 0]·W1[0, 0] 0.007500 ▏          2 %",
    ]


def test_frame_5_3_a_loss() -> None:
    assert drawn("mazur", 6) == [
        "  ○ a2 (1, 2)      ‹0.7514› ‹0.7729›",
        "− ○ y (1, 2)       ‹0.0100› ‹0.9900›",
        "                   ────────────────",
        "=   a2 − y          0.7414  -0.2171",
        "    ½ (a2 − y)²     0.2748   0.0236",
        "                   ────────────────",
        "Σ ● L ()           [0.2984]",
        "",
        " L = the sum of 2",
        "   output 0         0.274811 ████████▎ 92 %",
        "   output 1         0.023560 ▊          8 %",
    ]


def test_frame_5_4_a_product() -> None:
    assert drawn("mazur", 9, (0, 1)) == [
        "                @ ○ a1 (1, 2)",
        "                    0.5933   ‹0.5969›",
        "○ dz2.T (2, 1)  = ● dW2 (2, 2)",
        "0  ‹0.1385›         0.0822   [0.0827]",
        "1  -0.0381         -0.0226   -0.0227",
        "",
        " dW2[0, 1] = one product: the batch has one",
        " row. dz2 is from step 7, a1 from step 2.",
    ]


def test_in_three_lines_a_product_is_its_result() -> None:
    session = Session(built_in("mazur"))
    session.seek(9)
    for height in (2, 3):
        text = draw(look(session, (0, 1)), 20, height).text()
        assert " ".join(" ".join(text[:2]).split()) == "● dW2 (2, 2) 0 0.0822 [0.0827]"


def test_frame_5_5_a_slope() -> None:
    assert drawn("mazur", 12) == [
        "  ○ da1 (1, 2)     ‹0.0364›  0.0414",
        "× ○ a1 (1, 2)      ‹0.5933›  0.5969",
        "×   1 − a1          0.4067   0.4031",
        "                   ────────────────",
        "= ● dz1 (1, 2)     [0.0088]  0.0100",
        "",
        " a1·(1 − a1) is the sigmoid's slope at z1:",
        "  0.2413   0.2406     at most 0.25",
    ]


def test_frame_5_6_an_update_of_adam() -> None:
    """The root of v_hat has its operand above it: every number that is read can be seen."""
    assert drawn("two-layer", 19) == [
        " row 0 of 3                   0        1",
        "  ○ m_hat_W1 (3, 2)    ‹-0.3112› -0.6225",
        "  ○ v_hat_W1 (3, 2)     ‹0.0969›  0.3875",
        "÷   √v_hat_W1 + 1e-8     0.3112   0.6225",
        "× ○ lr ()               ‹0.1000›",
        "                        ────────────────",
        "=   the step            -0.1000  -0.1000",
        "  ○ W1 before (3, 2)    ‹0.5000›  0.2500",
        "                        ────────────────",
        "− ● W1 (3, 2)           [0.6000]▲ 0.3500 ▲",
    ]


def test_frame_5_7_a_sum_over_the_rows() -> None:
    """Terms that nearly cancel have no bars."""
    assert drawn("rows", 9) == [
        "  ○ dz2 (4, 1)",
        "    0   ‹-0.1053›",
        "    1    ‹0.1252›",
        "    2   ‹-0.1286›",
        "    3    ‹0.1077›",
        "       ─────────",
        "Σ ● db2 (1,)",
        "      [-9.712e-4]",
        "",
        " db2[0] = the sum of 4 rows",
        "   dz2[2, 0]       -0.128622           28 %",
        "   dz2[1, 0]        0.125234           27 %",
        "   dz2[3, 0]        0.107676           23 %",
        "   dz2[0, 0]       -0.105259           23 %",
    ]


def test_frame_5_8_a_product_of_many_terms() -> None:
    lines = drawn("digits", 8, (9, 5))
    assert lines[:10] == [
        "  n  dz2[n,9] × a1[n,5]     product  share",
        "  0   ‹-0.0149› ‹0.1609›   -0.0024 █▋   41%",
        " 30   ‹-0.0144› ‹0.1369›   -0.0020 █▍   34%",
        " 41   ‹-0.0144› ‹0.0685› -9.844e-4 ▋    17%",
        " 42    ‹0.0012› ‹0.1956›  2.430e-4 ▏     4%",
        " 12    ‹0.0010› ‹0.1920›  1.929e-4 ▏     3%",
        " 32  ‹8.095e-4› ‹0.0624›  5.048e-5 ▏     1%",
        "  3  ‹8.868e-4› ‹0.0221›  1.959e-5 ▏    <1%",
        " 57 of 64 are 0: a1[n, 5] is 0, ReLU off",
        "",
    ]
    assert lines[10] == "● dW2 (10, 32)                  columns 3–5"
    assert lines[-1].startswith("9 ")
    assert "[-0.0049]" in lines[-1]


def test_the_classes_of_a_batch() -> None:
    assert drawn("digits", 7)[:7] == [
        " row 0 of 64, y[0] = 9       0        1",
        "  ○ a2                 ‹0.1172›  0.1698",
        "− ○ one_hot(y)         ‹0.0000›  0.0000",
        "                       ────────────────",
        "=   a2 − one_hot(y)     0.1172   0.1698",
        "÷   len(a2)                 64",
        "                       ────────────────",
    ]


def test_a_branch_that_is_taken() -> None:
    assert drawn("digits", 11, (0, 4))[:5] == [
        " row 0 of 64              3          4",
        "  ○ z1              -0.4055   ‹-0.4665›",
        "    z1 ≤ 0              yes        yes",
        "→   0  if yes             0          0",
        "  ○ da1  if no    -3.114e-4   8.896e-4",
    ]


def test_the_parts_of_a_sigmoid() -> None:
    assert drawn("mazur", 3) == [
        "  ○ z1 (1, 2)       ‹0.3775›  0.3925",
        "    exp(−z1)         0.6856   0.6754",
        "    1 + exp(−z1)     1.6856   1.6754",
        "                    ────────────────",
        "= ● a1 (1, 2)       [0.5933]  0.5969",
        "",
        " a1 = 1 / (1 + exp(−z1))",
    ]


def test_rows_that_were_taken_have_their_numbers() -> None:
    session = Session(built_in("digits"))
    session.seek(1)
    lines = draw(look(session), WIDTH, HEIGHT).text()
    data = session.scenario.data
    assert data is not None
    for line, x, y in zip(lines[2:], session.value("x"), session.value("y"), strict=False):
        number = int(line.split()[0])
        assert (data.x[number] == x).all()
        assert int(line.split()[-1]) == data.y[number] == y


# Every line

SIZES = [(43, 17), (20, 8), (78, 40)]


def lines_of(scenario: Scenario) -> Iterator[Session]:
    """Yield a session after each line of the first pass."""
    session = Session(scenario)
    for _ in range(len(session.program)):
        session.step()
        yield session


def check_sheet(sheet: Sheet, view: View, width: int, height: int) -> None:
    assert len(sheet.text()) == height
    assert {len(line) for line in sheet.text()} == {width}
    assert any(cell.spot == view.spot for cell in sheet.cells), "the cell in question is not there"
    for cell in sheet.cells:
        text = shown(one(view.rows[cell.spot.row], cell.spot.index), view.write)
        assert sheet.text()[cell.y][cell.end - len(text) : cell.end] == text


@pytest.mark.sweep(11)
@pytest.mark.parametrize("name", scenarios.names())
def test_every_line_of_every_scenario_fits_any_box(name: str) -> None:
    for session in lines_of(built_in(name)):
        view = look(session)
        for width, height in SIZES:
            check_sheet(draw(view, width, height), view, width, height)


@pytest.mark.sweep(7)
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("drawn_at_random", [random_network, random_expression])
def test_every_line_of_random_programs_fits_any_box(
    drawn_at_random: Callable[[int], Scenario], seed: int
) -> None:
    for session in lines_of(drawn_at_random(seed)):
        if session.value(session.snapshot().written[0]).size:
            view = look(session, explained=False)
            for width, height in SIZES:
                check_sheet(draw(view, width, height), view, width, height)


@pytest.mark.parametrize("name", ["graph", "mazur", "rows"])
def test_a_box_may_be_as_narrow_as_it_likes(name: str) -> None:
    for session in lines_of(built_in(name)):
        view = look(session)
        for width in (1, 2, 3, 5, 8, 12):
            for height in (1, 3, 30):
                draw(view, width, height)


def test_every_operand_of_every_line_of_mazur_is_on_the_screen() -> None:
    for session in lines_of(built_in("mazur")):
        view = look(session)
        sheet = draw(view, WIDTH, HEIGHT)
        for number, row in enumerate(view.rows):
            seen = {cell.spot.index for cell in sheet.cells if cell.spot.row == number}
            missing = {*_cells(row.shape)} - seen
            assert not missing or row.tensor is None, (session.snapshot().last, row.text)


def _cells(shape: Shape) -> list[Shape]:
    return list(np.ndindex(shape))


@pytest.mark.sweep(2)
@pytest.mark.parametrize("name", ["two-layer", "xor", "rows", "blocks", "graph", "lamsal"])
def test_every_operand_of_the_cell_in_question_is_on_the_screen(name: str) -> None:
    for session in lines_of(built_in(name)):
        if session.place > 1 or not session.scenario.data:
            check_sources(session)


def check_sources(session: Session) -> None:
    """Check that every source of every cell of what was written is there, if the cell is chosen."""
    calculation = session.calculation()
    assert calculation is not None
    for index in _cells(calculation.result.shape):
        view = look(session, index)
        sheet = draw(view, WIDTH, HEIGHT)
        seen = {
            (row.tensor, row.stored(cell.spot.index))
            for cell in sheet.cells
            if (row := view.rows[cell.spot.row]).tensor and not row.written
        }
        classes = {row.classes for row in view.rows}
        hidden = {each for each in view.sources - seen if each[0] not in classes}
        # A row of which a product is 0 says so in one line.
        assert not hidden or "are 0" in "".join(sheet.text()), (session.snapshot().last, hidden)


def test_arrows_lead_into_the_operands_and_back() -> None:
    session = Session(built_in("mazur"))
    session.seek(9)
    view = look(session, (0, 1))
    sheet = draw(view, WIDTH, HEIGHT)

    def after(rows: int, columns: int) -> tuple[str | None, Shape]:
        spot = moved(sheet, view, rows, columns)
        assert spot is not None
        row = view.rows[spot.row]
        return row.tensor, row.stored(spot.index)

    assert after(0, -1) == ("dW2", (0, 0))
    assert after(1, 0) == ("dW2", (1, 1))
    assert after(-1, 0) == ("a1", (0, 1))


def test_arrows_lead_to_every_term() -> None:
    """The terms that do not fit are reached by going down."""
    session = Session(built_in("digits"))
    session.seek(2)
    visited: set[Shape] = set()
    row = 0
    view = look(session, (0, 18), "x", row)
    for _ in range(40):
        sheet = draw(view, WIDTH, HEIGHT)
        visited.add(view.spot.index)
        further = moved(sheet, view, 1, 0)
        if further is None or further.row != row or further.index[0]:
            break
        view = look(session, view.rows[row].stored(further.index), "x", row)
    factors = session.value("x")[0] * session.value("W1")[0]
    assert len(visited) == (factors != 0).sum()
