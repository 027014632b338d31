"""Panes draw the snapshot they are given: its numbers, marks and changes, and nothing more."""

import re
from typing import Any, cast

import numpy as np
import pytest
from one_pane import (
    CODE,
    LIVE,
    PROGRAM,
    TENSORS,
    TO_LR,
    W1,
    OnePane,
    branch,
    program,
    scene,
    show,
    shown,
    snapshot,
)
from screen_text import screen_lines
from textual.app import App
from textual.pilot import Pilot

from nnstep.engine.arrays import Array
from nnstep.engine.faults.fault import Fault
from nnstep.engine.machine.edit import Edit
from nnstep.engine.program.program import Instruction, Phase, Program, Role, Tensor
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.panes.curves import LossPane
from nnstep.tui.panes.line_view import LineView
from nnstep.tui.panes.pane import Pane, Tab, in_order
from nnstep.tui.panes.program import ProgramPane
from nnstep.tui.panes.scene import Asked
from nnstep.tui.panes.status_line import place_of
from nnstep.tui.panes.step import StepView
from nnstep.tui.panes.strip import Strip
from nnstep.tui.panes.tensors import TensorPane

UPDATES = Program((CODE[2], TO_LR), {each.name: each for each in TENSORS}, "L", (), ())


def tensors() -> TensorPane:
    return TensorPane(Tab(2, "weights"), tuple(Role), id="weights")


def selected(pilot: Pilot[None]) -> tuple[str, Any] | None:
    pane = cast(OnePane, pilot.app).pane
    assert isinstance(pane, TensorPane)
    return pane.view.selected


async def draw(pilot: Pilot[None], now: Snapshot, **told: Any) -> list[str]:
    pane = cast(OnePane, pilot.app).pane
    if isinstance(pane, Pane):
        show(pane, now, **told)
    await pilot.pause()
    return screen_lines(pilot.app)


async def test_blocks_stand_under_their_layers_a_single_row_beside_its_name() -> None:
    async with shown(tensors()) as pilot:
        lines = await draw(pilot, snapshot())
    assert [line.rstrip("─") for line in lines[1:12]] == [
        "─ layer 1 ",
        "   W1 (2, 2)",
        "              0   0.1500   0.2000",
        "              1   0.2500   0.3000",
        "   v_W1 (2, 2)",
        "              0   0.0000   0.0000",
        "              1   0.0000   0.0000",
        "─ layer 2 ",
        "   W2 (1, 2)      1.0000   1.0000",
        "─ optimizer ",
        "   lr ()          0.5000",
    ]


async def test_the_dtype_is_said_once_and_where_it_differs() -> None:
    half = {name: array.astype(np.float16) for name, array in LIVE.items()}
    async with shown(tensors()) as pilot:
        assert (await draw(pilot, snapshot()))[0].split() == ["2", "weights"]
        lines = await draw(pilot, snapshot(tensors=half | {"W2": np.array([[3, 1]])}))
    assert lines[0].split() == ["2", "weights", "float16"]
    assert [line.split()[:4] for line in lines if "W2" in line] == [["W2", "(1,", "2)", "int64"]]


async def test_a_tensor_that_is_not_computed_yet_says_so_and_its_shape() -> None:
    async with shown(tensors()) as pilot:
        lines = await draw(pilot, snapshot(tensors={"lr": np.array(0.5)}))
    assert "   W1 ()         not computed yet" in lines


async def test_what_was_written_read_and_is_stale_is_marked() -> None:
    async with shown(tensors()) as pilot:
        lines = await draw(pilot, snapshot(last=CODE[2], stale=frozenset({"W2"})))
    assert "●  W1 (2, 2)" in lines
    assert "○  lr ()          0.5000" in lines
    assert " ≈ W2 (1, 2)      1.0000   1.0000" in lines
    assert "   v_W1 (2, 2)" in lines


async def test_after_a_unit_all_that_it_wrote_is_marked() -> None:
    async with shown(tensors()) as pilot:
        lines = await draw(
            pilot, snapshot(program=UPDATES, place=2, position=0, last=TO_LR), ran=range(2)
        )
    assert [line[0] for line in lines if "W1 (2, 2)" in line or "lr ()" in line] == ["●", " ", "●"]


async def test_values_of_the_iteration_before_are_said_to_be() -> None:
    traced = program(Tensor("z1", Role.VALUE, 1), Tensor("W1", Role.PARAMETER, 1))
    kept = {"z1": np.array([[1.0, 2.0]]), "W1": W1}
    async with shown(tensors()) as pilot:
        for position, is_old in ((0, True), (1, False)):
            now = snapshot(
                program=traced, tensors=kept, iteration=4, place=12 + position, position=position
            )
            lines = await draw(pilot, now)
            (title,) = [line for line in lines if "z1" in line]
            assert title.endswith("iteration 3") == is_old
            assert not any("iteration" in line for line in lines if "W1" in line)


async def test_an_edited_cell_is_marked_until_its_tensor_is_written() -> None:
    edits = (Edit(1, "lr", (), 0.5), Edit(0, "W1", (1, 0), 0.25))
    async with shown(tensors()) as pilot:
        lines = await draw(pilot, snapshot(branches=(branch(edits=edits),)))
        assert " e lr ()          0.5000 e" in lines
        assert " e W1 (2, 2)" in lines
        assert "              1   0.2500 e 0.3000" in lines
        later = snapshot(branches=(branch(edits=edits),), place=3, position=0)
        lines = await draw(pilot, later)
        assert " e lr ()          0.5000 e" in lines
        assert "   W1 (2, 2)" in lines


async def test_the_tensor_at_which_a_fault_shows_is_marked() -> None:
    fault = Fault("diverging", None, "W1", 3, 0, 2.0, 1.0, "warning", "")
    at = snapshot(branches=(branch(faults=(fault,)),), place=3, position=0)
    async with shown(tensors()) as pilot:
        assert " ! W1 (2, 2)" in await draw(pilot, at)
        assert "   W1 (2, 2)" in await draw(pilot, snapshot())


async def test_arrows_tell_what_the_last_key_has_changed_and_a_jump_has_none() -> None:
    earlier = {**LIVE, "W1": np.array([[0.15, 0.1], [0.25, 0.4]])}
    now = snapshot(before=earlier, place=3, position=0, last=CODE[2])
    async with shown(tensors()) as pilot:
        lines = await draw(pilot, now, ran=range(2, 3))
        assert lines[3] == "              0   0.1500   0.2000 ▲"
        assert lines[4] == "              1   0.2500   0.3000 ▼"
        lines = await draw(pilot, now)
        assert lines[3] == "              0   0.1500   0.2000"


async def test_the_cell_in_question_and_its_sources_stand_in_brackets() -> None:
    asked = Asked("W1", (0, 1), frozenset({("W2", (0, 0)), ("W1", (1, 1))}))
    async with shown(tensors()) as pilot:
        lines = await draw(pilot, snapshot(), asked=asked)
        assert not any("[" in line for line in lines)
        lines = await draw(pilot, snapshot(), asked=asked, is_shown=True)
    assert lines[3:5] == [
        "              0   0.1500  [0.2000]",
        "              1   0.2500  ‹0.3000›",
    ]
    assert "   W2 (1, 2)     ‹1.0000›  1.0000" in lines


async def test_nan_and_infinity_are_words() -> None:
    wild = {**LIVE, "W1": np.array([[np.nan, np.inf], [-np.inf, 1e300]])}
    now = snapshot(tensors=wild, before=LIVE, place=3, position=0, last=CODE[2])
    async with shown(tensors()) as pilot:
        lines = await draw(pilot, now, ran=range(2, 3))
    assert lines[3].split() == ["0", "NaN", "≠", "+inf", "▲"]
    assert lines[4].split() == ["1", "-inf", "▼", "1.000e300", "▲"]


async def test_a_large_matrix_is_scrolled_with_the_cursor_and_names_what_it_shows() -> None:
    big = {**LIVE, "W1": np.arange(784 * 1024, dtype=float).reshape(784, 1024)}
    async with shown(tensors()) as pilot:
        lines = await draw(pilot, snapshot(tensors=big))
        assert lines[2].startswith("   W1 (784, 1024) ")
        assert lines[2].endswith("columns 0–3")
        await pilot.press("end", "pagedown", "down")
        lines = await draw(pilot, snapshot(tensors=big))
        assert re.search(r"columns \d+–1023$", lines[1])
        assert selected(pilot) == ("W1", (19, 1023))
        await pilot.press("home", "pageup", "up")
        assert selected(pilot) == ("W1", (0, 0))
        await pilot.press("ctrl+end")
        assert selected(pilot) == ("lr", ())


async def test_the_cursor_walks_from_block_to_block() -> None:
    async with shown(tensors()) as pilot:
        await draw(pilot, snapshot())
        seen = []
        for _ in range(7):
            seen.append(selected(pilot))
            await pilot.press("down")
    assert [name for name, _ in filter(None, seen)] == [
        "W1", "W1", "v_W1", "v_W1", "W2", "lr", "lr",
    ]  # fmt: skip


async def test_more_than_two_axes_have_leading_indices_and_class_indices_are_integers() -> None:
    kept = {"W1": np.arange(12.0).reshape(2, 3, 2), "W2": np.array([3, 1])}
    async with shown(tensors()) as pilot:
        lines = await draw(pilot, snapshot(tensors=kept))
    assert [line.split() for line in lines[3:9]] == [
        ["0,0", "0.0000", "1.0000"],
        ["0,1", "2.0000", "3.0000"],
        ["0,2", "4.0000", "5.0000"],
        ["1,0", "6.0000", "7.0000"],
        ["1,1", "8.0000", "9.0000"],
        ["1,2", "10.0000", "11.0000"],
    ]
    assert ["W2", "(2,)", "int64", "3", "1"] in [line.split() for line in lines]


async def test_following_scrolls_to_what_was_written_unless_told_not_to() -> None:
    tall = {**LIVE, "W1": np.zeros((50, 2))}
    async with shown(tensors()) as pilot:
        lines = await draw(pilot, snapshot(tensors=tall, last=TO_LR), follow=False)
        assert not any("●  lr ()" in line for line in lines)
        lines = await draw(pilot, snapshot(tensors=tall, last=TO_LR), follow=True)
    assert any("●  lr ()" in line for line in lines)


def test_what_was_to_come_into_view_may_be_gone_before_the_pane_is_drawn() -> None:
    view = StepView()
    for written, follow in ("W1", True), ("W2", False):
        line = Instruction(Phase.UPDATE, None, "sgd", (written,), (written,), "")
        now = snapshot(last=line)
        view.show(now, scene(now, follow=follow))
    view.arrange(40, 10)
    assert view.has("W2")


async def test_the_title_shows_where_the_focus_is() -> None:
    def is_reversed(app: App[None]) -> bool:
        return any(
            segment.style.reverse
            for strip in app.screen._compositor.render_strips()
            for segment in strip
            if segment.style
        )

    async with shown(tensors()) as pilot:
        await draw(pilot, snapshot())
        assert is_reversed(pilot.app)
        pilot.app.screen.set_focus(None)
        await pilot.pause()
        assert not is_reversed(pilot.app)


async def test_a_click_selects_a_cell_and_the_wheel_scrolls() -> None:
    async with shown(tensors(), height=10) as pilot:
        await draw(pilot, snapshot())
        pane = cast(OnePane, pilot.app).pane
        assert isinstance(pane, TensorPane)
        await pilot.click(TensorPane, offset=(31, 4))
        assert pane.has_focus
        assert selected(pilot) == ("W1", (1, 1))
        pane.post_message(_wheel(pane))
        await pilot.pause()
        assert screen_lines(pilot.app)[1] == "   W1 (2, 2)"
        assert "v_W1" in screen_lines(pilot.app)[3]


def _wheel(pane: LineView) -> Any:
    from textual.events import MouseScrollDown

    return MouseScrollDown(pane, 5, 5, 0, 1, 0, False, False, False)


async def test_the_listing_tells_done_current_and_pending_lines_apart() -> None:
    async with shown(ProgramPane(Tab(1, "program"), id="program")) as pilot:
        lines = await draw(pilot, snapshot(place=1, position=1))
        assert lines[1:4] == [
            " ● forward 1  z1 = x @ W1.T",
            " ▶ backward 1 dW1 = z1.T @ x",
            "   update     W1 = W1 - lr * dW1",
        ]
        lines = await draw(pilot, snapshot(place=3, position=0, finished=True))
        assert [line[1] for line in lines[1:4]] == ["·", "·", "●"]


async def test_a_narrow_listing_is_shorter_and_scrolls_sideways() -> None:
    async with shown(ProgramPane(Tab(1, "program"), id="program"), width=26, height=4) as pilot:
        lines = await draw(pilot, snapshot(place=0, position=0))
        assert lines[3] == "   update W1 = W1 - lr * …"
        await pilot.press("greater_than_sign")
        lines = await draw(pilot, snapshot(place=0, position=0))
        assert lines[3] == "   update …= W1 - lr * dW1"


async def test_a_long_listing_keeps_the_current_line_in_view() -> None:
    long = Program(CODE * 40, PROGRAM.tensors, "L", (), ())
    async with shown(ProgramPane(Tab(1, "program"), id="program"), height=10) as pilot:
        for position in (0, 60, 119, 3):
            lines = await draw(pilot, snapshot(program=long, place=position, position=position))
            assert sum("▶" in line for line in lines) == 1
        await pilot.press("end")
        lines = await draw(pilot, snapshot(program=long, place=3, position=3))
        assert "W1 = W1" in lines[-1]


async def test_the_loss_shows_last_change_best_and_a_curve() -> None:
    losses = np.array([0.5, 0.2, np.nan, 0.3])
    async with shown(LossPane(Tab(5, "loss"), id="loss"), height=12) as pilot:
        assert "no loss yet" in (await draw(pilot, snapshot()))[1]
        lines = await draw(pilot, snapshot(losses=losses[:2]))
        assert lines[0].split() == ["5", "loss", "best", "0.2000"]
        assert lines[1] == " L 0.2000 ▼ -0.300"
        lines = await draw(pilot, snapshot(losses=losses))
        assert "×" in lines[2]
        assert lines[-1].split() == ["iteration", "0", "3"]


@pytest.mark.sweep(9)
@pytest.mark.parametrize("height", [1, 12])
@pytest.mark.parametrize("width", range(1, 70))
async def test_no_figure_of_the_loss_is_ever_cut(width: int, height: int) -> None:
    losses = np.array([5.693e-06, 5.588e-06])
    known = {"5.588e-6", "5.693e-6", "-1.05e-7", "5", "0", "1"}
    async with shown(LossPane(Tab(5, "loss"), id="loss"), width=width, height=height) as pilot:
        lines = await draw(pilot, snapshot(losses=losses))
    words = " ".join(lines[1:] or [lines[0][8:]]).split()
    assert {word for word in words if word[0] in "-0123456789"} <= known


async def test_losses_that_are_all_not_finite_are_drawn() -> None:
    async with shown(LossPane(Tab(5, "loss"), id="loss"), height=12) as pilot:
        lines = await draw(pilot, snapshot(losses=np.array([np.nan, np.inf])))
    assert "×" in lines[2]
    assert "best" not in lines[0]


async def test_the_strip_has_all_digits_of_the_cell_and_its_change() -> None:
    earlier = {**LIVE, "W1": np.array([[0.15, 0.1], [0.25, 0.4]])}
    now = snapshot(before=earlier, place=3, position=0, last=CODE[2])
    strip = Strip(id="strip")
    async with shown(strip, width=50, height=4) as pilot:
        strip.show(now, scene(now, asked=Asked("W1", (1, 1))))
        await pilot.pause()
        lines = screen_lines(pilot.app)
        assert lines[0].startswith("─ W1[1, 1] = 0.3   ▼ -0.1 from 0.4 ─")
        assert lines[0].endswith("─ (2, 2) ─")
        strip.message = "a sentence " * 9
        await pilot.pause()
        lines = screen_lines(pilot.app)
        assert lines[0].startswith("─ W1[1, 1] = 0.3   ▼ -0.1 from 0.4 ─")
        assert " ".join(lines[1:]).split() == ["a", "sentence"] * 9


async def test_numbers_never_touch_whatever_they_are() -> None:
    now = {**LIVE, "W1": np.array([[-4.894e-04, -4.894e-04], [-1e-300, -1e300]])}
    for width in (43, 42, 30):
        async with shown(tensors(), width=width) as pilot:
            lines = await draw(pilot, snapshot(tensors=now))
        words = " ".join(lines[3:5]).split()
        for word in words:
            float(word)
        assert words.count("-4.894e-4") == 2


def test_the_active_tab_is_the_first_where_not_all_fit() -> None:
    tabs = (Tab(2, "weights"), Tab(3, "z/a"), Tab(4, "gradients"))
    assert in_order(tabs, tabs[2], 40) == tabs
    assert [tab.digit for tab in in_order(tabs, tabs[2], 20)] == [4, 2, 3]


def test_the_place_in_words() -> None:
    first = ["step 2 of 30", "iteration 0", "epoch 0"]
    forward = place_of(snapshot(position=0))
    assert list(forward.values()) == [*first, "forward 1"]
    assert place_of(snapshot(finished=True))["phase"] == "end of the run"
    assert place_of(snapshot(total=None))["step"] == "step 2"


async def test_drawing_the_same_again_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with shown(tensors()) as pilot:
        await draw(pilot, snapshot())
        pane = cast(OnePane, pilot.app).pane
        with monkeypatch.context() as patched:
            patched.setattr(pane, "refresh", lambda *regions: pytest.fail(f"again: {regions}"))
            await draw(pilot, snapshot())


async def test_a_step_in_a_huge_matrix_paints_only_what_is_visible() -> None:
    read: list[Any] = []

    class Watched(np.ndarray[Any, Any]):
        def __getitem__(self, index: Any) -> Any:
            value = super().__getitem__(index)
            read.append(np.size(value))
            return value

    big: Array = np.zeros((784, 1024)).view(Watched)
    async with shown(tensors()) as pilot:
        await draw(pilot, snapshot(tensors={**LIVE, "W1": big}))
    # A row is taken first, as a view, and then the columns that fit.
    assert len(read) < 100


async def test_what_a_pane_wants_is_known_before_anything_is_computed() -> None:
    wanted = []
    for live in (LIVE, {}):
        pane = tensors()
        async with shown(pane) as pilot:
            await draw(pilot, snapshot(tensors=live))
            wanted.append(pane.wanted(60))
    assert wanted[0] == wanted[1]
    assert wanted[0].height > len(LIVE)
