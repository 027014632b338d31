"""The pane of the step and the strip, on the screen: what one sees while one steps."""

import pytest
from built_in import built_in
from debugging import NARROW, ROOMY, WIDE, app_of, debugger
from msgspec.structs import replace
from screen_text import screen_lines, screen_text, until
from textual.pilot import Pilot

from nnstep.engine.session.session import Session
from nnstep.tui.numbers import format_value
from nnstep.tui.panes.large import enlarged
from nnstep.tui.panes.scene import Asked
from nnstep.tui.panes.step import StepPane
from nnstep.tui.panes.strip import Strip
from nnstep.tui.theme import DARK, palette_of


async def steps(pilot: Pilot[None], count: int) -> None:
    await until(pilot, lambda: debugger(pilot)._is_drawn)
    await pilot.press(*["s"] * count)
    await until(pilot, lambda: debugger(pilot).driver.snapshot.place == count)


def strip(pilot: Pilot[None]) -> list[str]:
    """Return the lines of the strip."""
    region = debugger(pilot).query_one(Strip).region
    return screen_lines(pilot.app)[region.y : region.bottom]


def step(pilot: Pilot[None]) -> list[str]:
    """Return the lines of the pane of the step, without its title and its edge."""
    region = debugger(pilot).query_one(StepPane).region
    lines = screen_lines(pilot.app)[region.y + 1 : region.bottom]
    return [line[region.x + 1 : region.right].rstrip() for line in lines]


async def test_before_the_first_step_it_says_how_one_begins() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        assert strip(pilot) == [
            "─ Mazur's 2-2-2 network, by hand ──────────────────────────── a reads about it ─",
            " s runs the line at ▶. Its numbers appear above on the right: what it reads,",
            " below it what it writes; and here, how each of them was computed.",
            " ? explains the marks and the words.",
        ]
        assert step(pilot)[-3:] == [
            "─ next ────────────────────────────────────",
            " ▶ x, y = next(batches)",
            "",
        ]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (
            2,
            [
                "─ z1[0, 0] = 0.3775 ────────────────────────── (1, 2) @ (2, 2) + (2,) → (1, 2) ─",
                " z1 = x W1ᵀ + b1     z1[n, i] = Σⱼ x[n, j]·W1[i, j] + b1[i]              step 1",
                " = 0.05 × 0.15 + 0.1 × 0.2 + 0.35 = 0.3775",
                " The weighted sum that enters neuron 0 of layer 1, before its activation.",
            ],
        ),
        (
            6,
            [
                "─ L = 0.2983711087600027 ───────────────────────────────── (1, 2), (1, 2) → () ─",
                " L = ½ Σ (a2 − y)²                                                       step 5",
                " = ½ (0.751365 − 0.01)² + ½ (0.772928 − 0.99)² = 0.274811 + 0.023560 = 0.298371",
                " Half the squared distance from output to target, all outputs added.",
            ],
        ),
        (
            12,
            [
                "─ dz1[0, 0] = 0.00877135468948693 ─────────────────── (1, 2) · (1, 2) → (1, 2) ─",
                " ∂L/∂z1 = ∂L/∂a1 ⊙ σ′(z1)     σ′(z) = σ(z)·(1 − σ(z)) = a·(1 − a)       step 11",
                " = 0.0363503 × 0.593270 × (1 − 0.593270) = 0.0087714",
                " The error at neuron 0, let through by the slope of its sigmoid: 24 % of it.",
            ],
        ),
    ],
)
async def test_the_strip_explains_the_cell_of_the_step(place: int, expected: list[str]) -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await steps(pilot, place)
        assert strip(pilot) == expected


async def test_every_operand_of_an_iteration_is_on_the_screen() -> None:
    """By `s` alone: every number that a line reads, and every one that it writes."""
    scenario = built_in("mazur")
    async with app_of(scenario).run_test(size=NARROW) as pilot:
        await until(pilot, lambda: debugger(pilot)._is_drawn)
        for place in range(1, 17):
            before = dict(debugger(pilot).driver.snapshot.tensors)
            await pilot.press("s")
            snapshot = debugger(pilot).driver.snapshot
            assert snapshot.place == place
            assert snapshot.last is not None
            shown = "\n".join(step(pilot))
            for name in snapshot.last.reads:
                for number in before[name].ravel().tolist():
                    assert format_value(number) in shown, (snapshot.last.code, name)
            for name in snapshot.last.writes:
                for number in snapshot.tensors[name].ravel().tolist():
                    assert format_value(number) in shown, (snapshot.last.code, name)


async def test_arrows_ask_about_operands_and_escape_goes_back() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await steps(pilot, 9)
        await pilot.press("0", "right", "up")
        assert strip(pilot)[0].startswith("─ a1[0, 1] = 0.596884378259767 ")
        assert "[0.5969]" in step(pilot)[1]
        await pilot.press("down", "left", "left")
        # The factor is drawn turned; the strip names the stored cell.
        assert strip(pilot)[0].startswith("─ dz2[0, 0] = ")
        await pilot.press("escape")
        assert strip(pilot)[0].startswith("─ dW2[0, 0] = ")


async def test_the_index_follows_the_step() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await steps(pilot, 3)
        await pilot.press("0", "right", "s")
        assert strip(pilot)[0].startswith("─ z2[0, 1] = ")


async def test_a_click_chooses_a_cell() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await steps(pilot, 9)
        line = next(y for y, text in enumerate(screen_lines(pilot.app)) if "-0.0227" in text)
        column = screen_lines(pilot.app)[line].index("-0.0227") + 2
        await pilot.click(offset=(column, line))
        assert strip(pilot)[0].startswith("─ dW2[1, 1] = ")


async def test_names_that_are_long_are_not_cut() -> None:
    """They have a line of their own, or stand beside several lines, or take from the bars."""
    async with app_of(built_in("two-layer")).run_test(size=NARROW) as pilot:
        await steps(pilot, 6)
        assert "    −(y·log(a2) + (1 − y)·log(1 − a2))" in step(pilot)
    async with app_of(built_in("rows")).run_test(size=NARROW) as pilot:
        await steps(pilot, 6)
        text = "\n".join(step(pilot))
        assert "    −(y·log(a2) + (1" in text
        assert "    − y)·log(1 − a2)" in text
        assert "…" not in text
    async with app_of(built_in("xor")).run_test(size=NARROW) as pilot:
        await steps(pilot, 8)
        assert any("dz2[0,0]·a1[0,0] -0.151081 ██" in line for line in step(pilot))


async def test_wide_strips_have_labels_and_say_more() -> None:
    async with app_of(built_in("mazur")).run_test(size=WIDE) as pilot:
        await steps(pilot, 9)
        lines = strip(pilot)
        assert "step 8, just run · (2, 1) @ (1, 2) → (2, 2)" in lines[0]
        labels = [line[1:11].strip() for line in lines[1:] if line[1:11].strip()]
        assert labels == ["rule", "numbers", "meaning", "from", "feeds", "before"]
        text = "\n".join(lines)
        assert "a1[0, 0]    0.59327    step 2      a1 = sigmoid(z1)" in text
        assert "kept from the forward pass" in text
        assert "W2[0, 0]               step 15     W2 = W2 - lr * dW2" in text
        assert "no value yet: this is the first iteration" in text


async def test_the_tallest_strips_say_what_the_factors_are_and_whether_they_were_checked() -> None:
    async with app_of(built_in("mazur")).run_test(size=ROOMY) as pilot:
        await steps(pilot, 9)
        text = "\n".join(strip(pilot))
        assert "the error of output 0, before its activation" in text
        assert "what neuron 0 of layer 1 gives" in text
        assert "check     not compared with a difference quotient here yet: v" in text
        await pilot.press("v")
        await until(pilot, lambda: type(pilot.app.screen).__name__ == "Report")
        await pilot.press("escape")
        await until(pilot, lambda: type(pilot.app.screen).__name__ == "Debugger")
        text = "\n".join(strip(pilot))
        assert "check     4 of 4 cells compared with difference quotients: pass" in text
        await pilot.press("i")
        assert "compared with difference quotients" not in "\n".join(strip(pilot))


async def test_what_a_cell_was_computed_from_comes_into_view_in_the_other_panes() -> None:
    async with app_of(built_in("digits")).run_test(size=WIDE) as pilot:
        await steps(pilot, 8)
        await pilot.press("0", *"jjjjjjjjj", *"lllll")
        right = [line[81:] for line in screen_lines(pilot.app)[1:11]]
        assert any("a1 (64, 32)" in line for line in right)
        assert any(line.startswith("   0") and "‹0.1609›" in line for line in right)


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_a_calculation_without_room_has_its_result(size: tuple[int, int]) -> None:
    async with app_of(built_in("digits")).run_test(size=size) as pilot:
        await steps(pilot, 5)
        (line,) = (line for line in strip(pilot) if "= exp(0.407807) / " in line)
        assert line.endswith(" … = 0.117203")


async def test_an_edited_cell_says_what_it_was() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await steps(pilot, 9)
        debugger(pilot).do("set a1[0, 1] = 0.9")
        await pilot.press("0", "right", "up")
        lines = strip(pilot)
        assert lines[0].startswith("─ a1[0, 1] = 0.9   ▲ +0.303116 from 0.596884 ──")
        assert lines[1:] == [
            " a1 = σ(z1) does not hold here: the value was typed in, before step 9",
            " it was 0.596884 = 1 / (1 + exp(-0.3925))",
            " Typed in by you. 6 tensors were computed from the old value and are stale (≈).",
        ]
        # The line read the old value, and that is what stands in its calculation.
        assert "0.5969" in "\n".join(step(pilot))


async def test_large_is_the_calculation_alone_with_six_digits() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await steps(pilot, 9)
        await pilot.press("0", "right", "z", "z")
        assert screen_text(pilot.app).splitlines()[1:15] == [
            "",
            "    dW2 = dz2.T @ a1",
            "",
            "",
            "                                  @ ○ a1 (1, 2)",
            "",
            "                                       0.593270      ‹0.596884›",
            "",
            "    ○ dz2.T (2, 1)                = ● dW2 (2, 2)",
            "",
            "    0   ‹0.138499›                     0.082167      [0.082668]",
            "",
            "    1   -0.038098                     -0.022603      -0.022740",
            "",
        ]


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_a_click_chooses_a_cell_of_the_large_calculation(size: tuple[int, int]) -> None:
    async with app_of(built_in("mazur")).run_test(size=size) as pilot:
        await steps(pilot, 9)
        await pilot.press("0", "z", "z")
        line = next(y for y, text in enumerate(screen_lines(pilot.app)) if "-0.022603" in text)
        column = screen_lines(pilot.app)[line].index("-0.022603")
        await pilot.click(offset=(column + 3, line))
        assert strip(pilot)[0].startswith("─ dW2[1, 0] = ")
        assert "[-0.022603]" in screen_lines(pilot.app)[line]
        x, y = pilot.app.cursor_position
        assert (y, column <= x < column + len("-0.022603")) == (line, True)
        assert "z all panes" in screen_lines(pilot.app)[-1]


async def test_a_fast_run_shows_the_tensor_written_last_only() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await steps(pilot, 2)
        driver = debugger(pilot).driver
        await pilot.press("plus", "plus", "plus", "space")
        await until(pilot, lambda: driver.snapshot.place > 20)
        name = driver.snapshot.written[0]
        shown = step(pilot)
        assert not driver.is_calm
        assert not any("○" in line for line in shown)
        await pilot.press("space")
        await until(pilot, lambda: not driver.is_busy)
        await until(pilot, lambda: any("○" in line for line in step(pilot)) or name == "x")


async def test_a_source_may_be_an_operand_that_the_step_does_not_lay_out() -> None:
    async with app_of().run_test(size=WIDE) as pilot:
        while not _ran(pilot).startswith("W1 = W1 - lr"):
            await pilot.press("s")
        view = debugger(pilot).query_one(StepPane).view
        assert view.scene is not None
        assert view.has("lr")
        view.ask(replace(view.scene, asked=Asked("L", (), foremost=(("lr", ()),))))
        await pilot.press("s")
        assert debugger(pilot).focused is debugger(pilot).stage.focus


def _ran(pilot: Pilot[None]) -> str:
    last = debugger(pilot).driver.snapshot.last
    return last.code if last else ""


def test_a_step_without_a_calculation_is_drawn_large() -> None:
    snapshot = Session(built_in("mazur")).snapshot()
    lines = enlarged([], snapshot, None, 80, palette_of(DARK))
    assert [sum(len(text) for text, _ in line) for line in lines] == [80, 80]
