"""The status line tells where the run is, dropping what says least where there is no room."""

import pytest
from one_pane import branch, shown, snapshot
from screen_text import screen_lines

from nnstep.engine.faults.fault import Fault, Level
from nnstep.engine.session.snapshot import BranchView, Snapshot
from nnstep.tui.panes.bars import StatusLine
from nnstep.tui.theme import DARK, palette_of

FULL = " step 412 of 980 · iteration 37 · epoch 9 · forward, layer 1 · branch main"


def fault(name: str, place: int, level: Level = "warning") -> Fault:
    return Fault(name, None, "L", place, 0, 2.0, 1.0, level, "")


def at(*others: BranchView, newest: int = 412, faults: tuple[Fault, ...] = ()) -> Snapshot:
    main = branch(newest=newest, faults=faults)
    return snapshot(
        place=412, total=980, position=0, iteration=37, epoch=9, branches=(main, *others)
    )


async def line_of(now: Snapshot, width: int, activity: str = "", title: str = "A title") -> str:
    status = StatusLine(title, id="status")
    async with shown(status, width, 1) as pilot:
        status.show(now, activity)
        await pilot.pause()
        (line,) = screen_lines(pilot.app)
        return line


async def test_everything_with_the_title_at_the_right() -> None:
    assert await line_of(at(), 100) == f"{FULL}{'A title'.rjust(99 - len(FULL))}"
    assert await line_of(at(), 80) == FULL


async def test_before_the_newest_step_it_says_which_that_is() -> None:
    line = await line_of(at(newest=600), 100, title="")
    assert line == FULL.replace("980 ·", "980 · newest 600 ·")
    assert "newest" not in await line_of(at(newest=412), 100)


B1 = branch(name="b1", parent="main")


@pytest.mark.parametrize(
    ("others", "width", "line"),
    [
        ((), 73, " step 412 of 980 · iteration 37 · epoch 9 · forward, layer 1"),
        ((B1,), 73, " step 412 of 980 · iteration 37 · forward, layer 1 · branch main"),
        ((B1,), 63, " step 412 of 980 · iteration 37 · branch main"),
        ((B1,), 44, " step 412 of 980 · iteration 37"),
        ((B1,), 30, " step 412 of 980"),
        ((B1,), 12, " step 412 of"),
    ],
)
async def test_what_says_least_is_left_out_first(
    others: tuple[BranchView, ...], width: int, line: str
) -> None:
    assert await line_of(at(*others), width) == line


async def test_an_epoch_that_is_the_iteration_says_nothing() -> None:
    now = snapshot(place=412, total=980, position=0, iteration=9, epoch=9, branches=(branch(), B1))
    line = await line_of(now, 70)
    assert line == " step 412 of 980 · iteration 9 · forward, layer 1 · branch main"


async def test_while_it_runs_the_phase_says_least() -> None:
    line = await line_of(at(), 80, "running, flat out")
    assert line == (" step 412 of 980 · iteration 37 · epoch 9 · branch main · running, flat out")


@pytest.mark.parametrize(
    ("faults", "width", "badge"),
    [
        ((fault("diverging", 412),), 120, "! diverging"),
        ((fault("diverging", 412),), 80, "! 1 fault"),
        ((fault("diverging", 5), fault("dead units", 9)), 120, "! dead units +1"),
        ((fault("diverging", 5), fault("dead units", 9)), 80, "! 2 faults"),
        ((fault("diverging", 5), fault("dead units", 413)), 120, "! diverging"),
        ((fault("stalled", 5, "info"),), 120, None),
        ((fault("diverging", 413),), 120, None),
    ],
)
async def test_faults_up_to_here_are_shown(
    faults: tuple[Fault, ...], width: int, badge: str | None
) -> None:
    line = await line_of(at(newest=413, faults=faults), width, title="")
    if badge is None:
        assert "!" not in line
    else:
        assert line.endswith(f"  {badge}")


async def test_a_fault_stands_out() -> None:
    status, error = StatusLine("", id="status"), palette_of(DARK).error
    async with shown(status, 100, 1) as pilot:
        status.show(at(faults=(fault("diverging", 5),)), "")
        await pilot.pause()
        (strip,) = pilot.app.screen._compositor.render_strips()
        (badge,) = [segment for segment in strip if "diverging" in segment.text]
    assert badge.text == " ! diverging "
    assert badge.style is not None
    assert (badge.style.reverse, badge.style.color) == (True, error.color)
