"""The status line tells where the run is, dropping what says least where there is no room."""

import re

import numpy as np
import pytest
from msgspec.structs import replace
from one_pane import branch, scene, shown, snapshot
from screen_text import screen_lines

from nnstep.engine.faults.fault import Fault, Level
from nnstep.engine.session.snapshot import BranchView, Snapshot
from nnstep.tui.panes.status_line import StatusLine
from nnstep.tui.theme import DARK, palette_of

FULL = " step 412 of 980 · iteration 37 · epoch 9 · forward 1"


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
        status.activity = activity
        status.show(now, scene(now))
        await pilot.pause()
        (line,) = screen_lines(pilot.app)
        return line


LOSSES = np.array([0.9, 0.5, 0.29])


async def test_everything_with_the_title_at_the_right() -> None:
    assert await line_of(at(), 100) == f"{FULL}{'no loss yet   A title'.rjust(99 - len(FULL))}"
    assert await line_of(at(), 80) == f"{FULL}{'no loss yet   A title'.rjust(79 - len(FULL))}"


async def test_before_the_newest_step_it_says_which_that_is() -> None:
    line = await line_of(at(newest=600), 100, title="")
    assert line.startswith(FULL.replace("980 ·", "980 · newest 600 ·"))
    assert "newest" not in await line_of(at(newest=412), 100)


B1 = branch(name="b1", parent="main")


@pytest.mark.parametrize(
    ("others", "width", "line"),
    [
        ((), 80, f"{FULL}     L 0.2900 ▼ CURVE"),
        ((B1,), 90, f"{FULL} · branch main  L 0.2900 ▼ CURVE"),
        ((B1,), 80, " step 412 of 980 · iteration 37 · forward 1 · branch main  L 0.2900 ▼ CURVE"),
        ((B1,), 70, " step 412 of 980 · iteration 37 · forward 1    L 0.2900 ▼ CURVE"),
        ((B1,), 60, " step 412 of 980 · iteration 37 · forward 1     L 0.2900 ▼"),
        ((B1,), 54, " step 412 of 980 · iteration 37 · forward 1 L 0.2900"),
    ],
)
async def test_what_says_least_is_left_out_first(
    others: tuple[BranchView, ...], width: int, line: str
) -> None:
    drawn = await line_of(replace(at(*others), losses=LOSSES), width)
    text = re.sub(r"[\u2800-\u28ff]{8,}", "CURVE", drawn)
    assert text.split() == line.split()


async def test_the_curve_is_there_from_the_second_loss_on_and_has_at_least_eight_columns() -> None:
    for count in (1, 2, 3):
        line = await line_of(replace(at(), losses=LOSSES[:count]), 80, title="")
        found = re.findall(r"[\u2800-\u28ff]+", line)
        assert len(found) == (count > 1)
        assert all(len(each) >= 8 for each in found)


async def test_a_stale_loss_is_marked() -> None:
    line = await line_of(replace(at(), losses=LOSSES, stale=frozenset({"L"})), 80, title="")
    assert "L 0.2900 ≈" in line


async def test_while_it_runs_step_iteration_and_phase_stay() -> None:
    line = await line_of(replace(at(), losses=LOSSES), 80, "running, 1000 ops/s")
    assert line.startswith(" step 412 of 980 · iteration 37 · forward 1 · 1000 ops/s ")


@pytest.mark.parametrize(
    ("faults", "width", "badge"),
    [
        ((fault("diverging", 412),), 120, "! diverging"),
        ((fault("diverging", 412),), 70, "! "),
        ((fault("diverging", 5), fault("dead units", 9)), 120, "! dead units +1"),
        ((fault("diverging", 5), fault("dead units", 9)), 72, "!2"),
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
        assert f"  {badge}" in line


async def test_a_fault_stands_out() -> None:
    status, error = StatusLine("", id="status"), palette_of(DARK).error
    async with shown(status, 100, 1) as pilot:
        now = at(faults=(fault("diverging", 5),))
        status.show(now, scene(now))
        await pilot.pause()
        (strip,) = pilot.app.screen._compositor.render_strips()
        (badge,) = [segment for segment in strip if "diverging" in segment.text]
    assert badge.text == " ! diverging "
    assert badge.style is not None
    assert (badge.style.reverse, badge.style.color) == (True, error.color)
