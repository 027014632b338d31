"""The loss is compared with that of the branch that was left, on one scale and by name."""

import numpy as np
import pytest
from building import network
from one_pane import branch, show, shown, snapshot
from screen_text import screen_lines
from textual.pilot import Pilot

from nnstep.engine.scenario.model import Run
from nnstep.engine.session.session import Session
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.numbers import format_value
from nnstep.tui.panes.braille import BLANK, MARK, same_values
from nnstep.tui.panes.curves import LossPane, PlotPane, other_branch
from nnstep.tui.panes.pane import Tab
from nnstep.tui.theme import DARK, palette_of

SIZE = (50, 12)
MAIN = branch(losses=np.linspace(4.0, 2.0, 40))
B1 = branch(name="b1", parent="main", losses=np.linspace(4.0, 1.0, 20))
B2 = branch(name="b2", parent="b1", losses=np.full(3, 1.5))


def loss_pane() -> LossPane:
    return LossPane(Tab(5, "loss"), id="loss")


def on_b1(left: str | None = "main", count: int = 20) -> Snapshot:
    return snapshot(branches=(MAIN, B1, B2), branch=B1, left=left, losses=B1.losses[:count])


async def drawn(pilot: Pilot[None], pane: LossPane, now: Snapshot) -> list[str]:
    show(pane, now)
    await pilot.pause()
    return screen_lines(pilot.app)


def test_the_branch_to_compare_with_is_the_one_left_or_else_the_parent() -> None:
    assert other_branch(on_b1("b2")) is B2
    assert other_branch(on_b1(None)) is MAIN
    assert other_branch(on_b1("b1")) is MAIN
    assert other_branch(on_b1("gone")) is MAIN
    assert other_branch(snapshot(branches=(MAIN, B1), branch=MAIN)) is None
    assert other_branch(snapshot(branches=(MAIN,), branch=MAIN)) is None


async def test_both_curves_are_drawn_on_one_scale_and_named() -> None:
    pane = loss_pane()
    async with shown(pane, *SIZE) as pilot:
        lines = await drawn(pilot, pane, on_b1())
    assert lines[1].startswith(" L 1.0000 ▼ ")
    assert lines[2] == " ⠒⠒ b1  ⠂⠂ main 3.0256"
    assert lines[3].split()[0] == "4.0000"
    assert lines[-2].split()[0] == "1.0000"
    assert lines[-1].split() == ["iteration", "0", "39"]
    ends = [row[12:].rstrip(BLANK) for row in lines[3:-1]]
    # The other branch reaches the right edge, this one the middle, where it is lowest.
    assert max(map(len, ends)) == 38
    assert len(ends[-1]) == 19


async def test_the_other_curve_differs_in_colour_and_in_its_dots() -> None:
    palette, pane = palette_of(DARK), loss_pane()
    right_half = 0x08 | 0x10 | 0x20 | 0x80
    async with shown(pane, *SIZE) as pilot:
        await drawn(pilot, pane, on_b1())
        dots: dict[object, int] = {}
        for strip in pilot.app.screen._compositor.render_strips()[3:-1]:
            for segment in strip:
                for character in segment.text.strip(f"{BLANK} 0123456789."):
                    if segment.style:
                        color = segment.style.color
                        dots[color] = dots.get(color, 0) | ord(character) - ord(BLANK)
    assert dots[palette.muted.color] & right_half == 0
    assert dots[palette.text.color] & right_half


async def test_without_another_branch_there_is_one_curve_and_no_names() -> None:
    pane, alone = loss_pane(), branch(losses=MAIN.losses)
    async with shown(pane, *SIZE) as pilot:
        compared = await drawn(pilot, pane, on_b1())
        lines = await drawn(pilot, pane, snapshot(branches=(alone,), losses=alone.losses))
    assert "main" in compared[2]
    assert not any("main" in line for line in lines)
    assert lines[-1].split() == ["iteration", "0", "39"]


async def test_the_loss_of_the_other_branch_is_that_of_this_iteration() -> None:
    pane = loss_pane()
    async with shown(pane, *SIZE) as pilot:
        assert (await drawn(pilot, pane, on_b1("b2", 2)))[2].endswith("b2 1.5000")
        assert (await drawn(pilot, pane, on_b1("b2", 4)))[2].endswith("b2")
        assert (await drawn(pilot, pane, on_b1("b2", 0)))[2].endswith("b2")


async def test_in_one_line_there_is_only_this_branch() -> None:
    pane = loss_pane()
    async with shown(pane, 80, 1) as pilot:
        (line,) = await drawn(pilot, pane, on_b1())
    assert line.startswith(" 5 loss  L 1.0000 ▼")
    assert "main" not in line
    assert BLANK not in line[45:]


async def test_long_names_are_shortened() -> None:
    long = branch(name="a" * 40, losses=MAIN.losses)
    pane, now = loss_pane(), snapshot(branches=(long, B1), branch=B1, left=long.name)
    async with shown(pane, 43, 12) as pilot:
        lines = await drawn(pilot, pane, now)
    assert lines[2].startswith(f" ⠒⠒ b1  ⠂⠂ {'a' * 11}…")


async def test_marks_show_where_either_loss_is_not_finite() -> None:
    wild = branch(losses=np.array([1.0, 2.0, 3.0, np.nan]))
    now = snapshot(branches=(wild, B1), branch=B1, left="main", losses=np.array([np.inf, 2.0]))
    pane = loss_pane()
    async with shown(pane, *SIZE) as pilot:
        top = (await drawn(pilot, pane, now))[3][12:]
    assert top[0] == top[-1] == MARK


async def test_it_is_drawn_again_only_when_a_curve_has_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    history, pane, painted = np.linspace(1.0, 0.5, 100), loss_pane(), []

    def now(count: int, other: int) -> Snapshot:
        # As in a session, every snapshot has views of its own.
        main, b1 = branch(losses=MAIN.losses[:other]), branch(name="b1", parent="main")
        return snapshot(branches=(main, b1), branch=b1, left="main", losses=history[:count])

    async with shown(pane, *SIZE) as pilot:
        with monkeypatch.context() as patched:
            paint = pane.paint

            def counted(width: int, height: int) -> object:
                painted.append((width, height))
                return paint(width, height)

            patched.setattr(pane, "paint", counted)
            for count, other, times in (
                (10, 5, 1), (10, 5, 1), (11, 5, 2), (10, 5, 3), (10, 6, 4), (10, 6, 4),
            ):  # fmt: skip
                show(pane, now(count, other))
                assert len(painted) == times
            renamed = branch(name="new", parent="main")
            show(
                pane,
                snapshot(
                    branches=(MAIN, renamed), branch=renamed, left="main", losses=history[:10]
                ),
            )
            assert len(painted) == 5
        await pilot.pause()


def test_only_beginnings_of_one_history_are_known_to_be_the_same() -> None:
    one, other = np.ones(9), np.ones(9)
    assert same_values(one, one)
    assert same_values(one[:4], one[:4])
    assert not same_values(one[:4], one[:5])
    assert not same_values(one[:4], other[:4])
    assert not same_values(one, other)


async def test_the_losses_of_a_session_with_an_edit_in_the_past() -> None:
    session = Session(network(run=Run(iterations=30)))
    session.seek(20 * len(session.program))
    session.seek(5 * len(session.program))
    session.edit("W1", (0, 0), 9.0)
    session.seek(8 * len(session.program))
    now, pane = session.snapshot(), loss_pane()
    async with shown(pane, *SIZE) as pilot:
        lines = await drawn(pilot, pane, now)
    assert lines[2].startswith(" ⠒⠒ b1  ⠂⠂ main ")
    assert lines[2].split()[-1] == format_value(float(now.branches[0].losses[7]))
    assert lines[-1].split()[-2:] == ["0", "19"]


async def test_a_plot_shows_any_series_with_its_scale() -> None:
    pane = PlotPane("norm(dW1)", np.array([np.nan, 1.0, 3.0]))
    async with shown(pane, *SIZE) as pilot:
        await pilot.pause()
        lines = screen_lines(pilot.app)
        assert lines[0] == " norm(dW1)"
        assert lines[1] == " 3.0000 ▲ +2.00"
        assert lines[2].split()[0] == "3.0000"
        assert lines[2][12] == MARK
        assert lines[-2].split()[0] == "1.0000"
        assert lines[-1].split() == ["iteration", "0", "2"]
    async with shown(PlotPane("mean(a1)", np.empty(0)), *SIZE) as pilot:
        await pilot.pause()
        assert screen_lines(pilot.app)[:2] == [" mean(a1)", " no value yet"]
