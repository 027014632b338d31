"""The timeline draws the whole branch, marks what happened on it, and asks for places."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from building import network
from one_pane import PROGRAM, OnePane, branch, show, shown, snapshot
from rich.style import Style
from screen_text import screen_lines
from textual.pilot import Pilot

from nnstep.engine.faults.fault import Fault
from nnstep.engine.machine.edit import Edit
from nnstep.engine.scenario.model import Run
from nnstep.engine.session.session import Session
from nnstep.engine.session.snapshot import BranchView, Snapshot
from nnstep.tui.panes import timeline as panes_timeline
from nnstep.tui.panes.braille import BLANK
from nnstep.tui.panes.branch_tree import branch_rows
from nnstep.tui.panes.curves import AXIS_WIDTH
from nnstep.tui.panes.line_view import Line
from nnstep.tui.panes.marks import EDIT, FAULT, STOP, forks_of, happened, marks_of
from nnstep.tui.panes.pane import Tab
from nnstep.tui.panes.timeline import TimelinePane
from nnstep.tui.theme import DARK, palette_of

STEPS = len(PROGRAM)
LEFT = AXIS_WIDTH + 1


def edit(place: int, value: float = 0.5) -> Edit:
    return Edit(place, "W1", (0, 1), value)


def fault(place: int, level: Any = "warning") -> Fault:
    return Fault("diverging", None, "L", place, place // STEPS, 2.0, 1.0, level, "Lower lr.")


def at(iteration: int, *branches: BranchView, position: int = 0, current: int = 0) -> Snapshot:
    """A snapshot at an iteration of one of some branches."""
    return snapshot(
        place=iteration * STEPS + position,
        position=position,
        iteration=iteration,
        branches=branches,
        branch=branches[current],
    )


def run_of(iterations: int, **changes: Any) -> BranchView:
    """A branch with so many iterations behind it."""
    losses = 1.0 / (1 + np.arange(iterations))
    return branch(**{"newest": iterations * STEPS, "losses": losses, **changes})


class Asked(OnePane):
    """Notes what the pane asks for."""

    def __init__(self) -> None:
        self.timeline = TimelinePane(Tab(7, "timeline"), id="timeline")
        super().__init__(self.timeline)
        self.asked: list[int | str] = []

    def on_timeline_pane_go_to(self, message: TimelinePane.GoTo) -> None:
        self.asked.append(message.place)

    def on_timeline_pane_switch_to(self, message: TimelinePane.SwitchTo) -> None:
        self.asked.append(message.name)


@asynccontextmanager
async def timeline(
    now: Snapshot, size: tuple[int, int] = (80, 8)
) -> AsyncIterator[tuple[Asked, Pilot[None]]]:
    app = Asked()
    async with app.run_test(size=size) as pilot:
        show(app.timeline, now)
        await pilot.pause()
        yield app, pilot


def styles_of(app: Asked, y: int) -> list[Style | None]:
    """The style of every column of a line of the screen."""
    strip = app.screen._compositor.render_strips()[y]
    return [segment.style for segment in strip for _ in segment.text]


async def test_the_whole_loss_is_drawn_and_the_cursor_is_where_one_is() -> None:
    async with timeline(at(50, run_of(100))) as (app, _):
        lines = screen_lines(app)
    assert lines[0].startswith(" 7 timeline")
    assert lines[1].split()[0] == "1.0000"
    assert lines[4].split()[0] == "0.0100"
    curve = [line[LEFT:].ljust(68, BLANK) for line in lines[1:5]]
    assert all(any(row[x] != BLANK for row in curve) for x in range(67))
    cursor = lines[6].index("▲")
    assert cursor == LEFT + 34
    assert "│" in {line[cursor] for line in lines[1:5]}
    assert lines[5][cursor] == "┼"
    assert lines[6].split() == [
        "0", "▲", "iteration", "50", "·", "L", "0.0196", "100",
    ]  # fmt: skip


async def test_what_is_still_to_come_is_muted() -> None:
    palette = palette_of(DARK)
    async with timeline(at(50, run_of(100))) as (app, _):
        lines = screen_lines(app)
        here = lines[6].index("▲")
        for y in range(1, 5):
            colors = [style.color if style else None for style in styles_of(app, y)]
            assert set(colors[LEFT:here]) == {palette.text.color}
            assert set(colors[here + 1 :]) == {palette.muted.color}


async def test_at_the_right_edge_the_iteration_is_written_to_the_left() -> None:
    async with timeline(at(100, run_of(100))) as (app, _):
        axis = screen_lines(app)[6]
    assert axis.endswith("iteration 100 ▲")
    assert len(axis) == 80


async def test_the_pass_under_way_has_a_place_but_no_loss() -> None:
    losses = np.array([2.0, 1.0])
    async with timeline(at(2, branch(newest=2 * STEPS + 1, losses=losses))) as (app, _):
        lines = screen_lines(app)
    assert lines[6].endswith("iteration 2 ▲")
    assert not any(line[LEFT + 40 :].strip(BLANK + "│ ") for line in lines[1:5])


async def test_what_happened_is_marked_in_its_column_and_explained() -> None:
    faults = fault(20 * STEPS + 2), fault(9, "info")
    hits = (60 * STEPS + 1, 61 * STEPS, 500 * STEPS)
    main = run_of(67, edits=(edit(0),), faults=faults, hits=hits)
    other = run_of(50, name="b1", parent="main", fork=40 * STEPS + 1)
    async with timeline(at(67, main, other)) as (app, _):
        lines = screen_lines(app)
    ruler = lines[4]
    marks = {x - LEFT: mark for x, mark in enumerate(ruler) if mark not in " ─"}
    assert marks == {0: "e", 20: "!", 40: "┬", 60: "■", 61: "■", 67: "┼"}
    assert lines[0].endswith("e edit  ! fault  ┬ branch  ■ stop")


async def test_only_marks_that_there_are_are_explained() -> None:
    async with timeline(at(3, run_of(67, faults=(fault(9),)))) as (app, _):
        assert screen_lines(app)[0].split()[-2:] == ["!", "fault"]


def test_of_several_marks_in_a_column_the_gravest_is_shown() -> None:
    main = run_of(9, faults=(fault(4),), edits=(edit(5),), hits=(3, 4, 7))
    marks = marks_of(happened(at(0, main)))
    assert marks.places.tolist() == [3, 4, 4, 5, 7]
    assert marks.kinds.tolist() == [STOP, FAULT, STOP, EDIT, STOP]
    assert marks.on_columns(STEPS, 10, 10) == {1: EDIT, 2: STOP}
    assert marks.on_columns(STEPS, 10, 1) == {0: EDIT}


def test_the_marks_around_a_place() -> None:
    marks = marks_of(happened(at(0, run_of(9, hits=(3, 7, 7)))))
    assert [marks.beside(place, 1) for place in (0, 3, 6, 7)] == [3, 7, 7, None]
    assert [marks.beside(place, -1) for place in (3, 4, 7, 9)] == [None, 3, 3, 7]


MAIN = branch(newest=90)
B1 = branch(name="b1", parent="main", fork=30, newest=80)
B2 = branch(name="b2", parent="b1", fork=50, newest=70)
B3 = branch(name="b3", parent="main", fork=60, newest=65)
RUN1 = branch(name="run1", newest=20)
ALL = (MAIN, B1, B2, B3, RUN1)


@pytest.mark.parametrize(
    ("of", "places"),
    [
        (MAIN, (30, 60)),
        (B1, (30, 50)),
        # b3 left main where this course was no longer main's.
        (B2, (30, 50)),
        (B3, (30, 60)),
        (RUN1, ()),
    ],
)
def test_where_the_course_of_a_branch_parts_from_others(
    of: BranchView, places: tuple[int, ...]
) -> None:
    assert forks_of(of, ALL) == places


async def test_the_tree_tells_where_each_branch_left_and_by_what() -> None:
    main = run_of(60)
    b1 = run_of(90, name="b1", parent="main", fork=37 * STEPS + 2, edits=(edit(37 * STEPS + 2),))
    losses = np.append(b1.losses, np.nan)
    b2 = branch(
        name="b2",
        parent="b1",
        fork=55 * STEPS,
        newest=91 * STEPS,
        edits=(*b1.edits, edit(55 * STEPS, 7.0)),
        losses=losses,
    )
    b3 = run_of(80, name="b3", parent="b1", fork=70 * STEPS)
    async with timeline(at(40, main, b1, b2, b3, current=1), size=(80, 16)) as (app, _):
        lines = screen_lines(app)
    assert [line.split() for line in lines[-4:]] == [
        ["main", "iterations", "0–60", "L", "0.0167"],
        ["▶", "└", "b1", "iterations", "37–90", "W1[0,", "1]", "=", "0.5", "L", "0.0111"],
        ["├", "b2", "iterations", "55–91", "W1[0,", "1]", "=", "7", "L", "NaN"],
        ["└", "b3", "iterations", "70–80", "without", "W1[0,", "1]", "=", "0.5", "L", "0.0125"],
    ]
    ends = {len(line) for line in lines[-4:]}
    assert len(ends) == 1


def test_the_branches_of_a_session_have_rows() -> None:
    session = Session(network(run=Run(iterations=20)))
    steps = len(session.program)
    session.seek(10 * steps)
    session.seek(4 * steps + 1)
    session.edit("W1", (0, 1), 3.5)
    session.seek(7 * steps)
    session.restart(5)
    rows = branch_rows(session.snapshot())
    assert [(row.indent, row.name, row.span, row.is_current) for row in rows] == [
        ("", "main", "0–10", False),
        ("└ ", "b1", "4–7", False),
        ("", "run1", "0–0", True),
    ]
    assert [row.cause for row in rows] == ["seed 0", "W1[0, 1] = 3.5", "seed 5"]
    assert rows[0].loss is not None
    assert rows[2].loss is None


async def test_where_it_is_wide_the_tree_stands_beside_the_curve() -> None:
    names = [f"branch{i}" for i in range(9)]
    branches = [run_of(30), *(run_of(30, name=name, parent="main", fork=3) for name in names)]
    async with timeline(at(9, *branches), size=(120, 12)) as (app, _):
        lines = screen_lines(app)
    assert all(line[69] == "│" for line in lines[1:])
    assert [line[70:].split()[1] for line in lines[2:11]] == names


async def test_a_long_tree_scrolls_with_its_cursor() -> None:
    names = [f"branch{i}" for i in range(9)]
    branches = [run_of(30), *(run_of(30, name=name, parent="main", fork=3) for name in names)]
    async with timeline(at(9, *branches)) as (app, pilot):
        assert screen_lines(app)[0].endswith("↓8")
        app.timeline.action_branch(5)
        await pilot.pause()
        lines = screen_lines(app)
        assert lines[0].endswith("↑4 ↓4")
        assert "branch4" in lines[-1]
        assert app.timeline.selected == "branch4"
        app.timeline.scroll_by(3)
        await pilot.pause()
        assert screen_lines(app)[0].endswith("↑7 ↓1")


@pytest.mark.parametrize(
    ("iteration", "position", "iterations", "asked"),
    [
        (5, 0, 1, 6 * STEPS),
        (5, 0, -1, 4 * STEPS),
        (5, 2, 1, 6 * STEPS),
        (5, 2, -1, 5 * STEPS),
        (5, 2, -3, 3 * STEPS),
        (5, 0, -9, 0),
        (9, 0, 5, 10 * STEPS + 1),
    ],
)
async def test_scrubbing_goes_to_where_iterations_begin(
    iteration: int, position: int, iterations: int, asked: int
) -> None:
    now = at(iteration, run_of(10, newest=10 * STEPS + 1), position=position)
    async with timeline(now) as (app, pilot):
        app.timeline.action_scrub(iterations)
        await pilot.pause()
        assert app.asked == [asked]


async def test_scrubbing_asks_for_nothing_beyond_the_ends() -> None:
    async with timeline(at(0, run_of(10))) as (app, pilot):
        app.timeline.action_scrub(-1)
        app.timeline.action_scrub_edge(0)
        show(app.timeline, at(10, run_of(10)))
        app.timeline.action_scrub(1)
        app.timeline.action_scrub_edge(-1)
        app.timeline.action_mark(1)
        await pilot.pause()
        assert app.asked == []


async def test_pages_are_tenths_of_the_curve_and_edges_its_ends() -> None:
    async with timeline(at(50, run_of(200, newest=200 * STEPS + 2))) as (app, pilot):
        app.timeline.action_scrub_page(1)
        app.timeline.action_scrub_page(-2)
        app.timeline.action_scrub_edge(0)
        app.timeline.action_scrub_edge(-1)
        await pilot.pause()
        assert app.asked == [70 * STEPS, 10 * STEPS, 0, 200 * STEPS + 2]


async def test_marks_are_gone_to_at_their_very_step() -> None:
    now = at(5, run_of(10, edits=(edit(4),), faults=(fault(23),), hits=(16,)))
    async with timeline(now) as (app, pilot):
        app.timeline.action_mark(1)
        app.timeline.action_mark(-1)
        await pilot.pause()
        assert app.asked == [16, 4]


async def test_the_keys_of_the_pane_do_all_that() -> None:
    now = at(5, run_of(20, hits=(4,)), run_of(9, name="b1", parent="main", fork=3))
    async with timeline(now) as (app, pilot):
        await pilot.press("right", "left", "pageup", "home", "end", "less_than_sign")
        await pilot.press("down", "enter")
        assert app.asked == [18, 12, 9, 0, 60, 4, "b1"]


async def test_the_cursor_of_the_tree_is_on_the_present_branch_until_it_is_moved() -> None:
    main, b1 = run_of(20), run_of(9, name="b1", parent="main", fork=3)
    async with timeline(at(5, main, b1)) as (app, pilot):
        pane = app.timeline
        assert pane.selected == "main"
        pane.action_branch(1)
        assert pane.selected == "b1"
        show(pane, at(6, main, b1))
        assert pane.selected == "b1"
        pane.action_branch(1)
        assert pane.selected == "b1"
        show(pane, at(6, main, b1, current=1))
        show(pane, at(6, main, b1))
        assert pane.selected == "main"
        pane.action_branch(1)
        show(pane, at(6, main))
        assert pane.selected == "main"
        await pilot.pause()
        assert app.asked == []


async def test_the_cursor_of_the_tree_is_seen_only_with_the_focus() -> None:
    def reversed_text(app: Asked) -> str:
        return "".join(
            segment.text
            for strip in app.screen._compositor.render_strips()[-2:]
            for segment in strip
            if segment.style and segment.style.reverse
        )

    main, b1 = run_of(20), run_of(9, name="b1", parent="main", fork=3)
    async with timeline(at(5, main, b1)) as (app, pilot):
        await pilot.press("down")
        assert reversed_text(app) == "b1"
        app.screen.set_focus(None)
        await pilot.pause()
        assert reversed_text(app) == ""


async def test_a_click_goes_to_an_iteration_or_a_mark_or_selects_a_branch() -> None:
    main = run_of(67, hits=(20 * STEPS + 2,))
    b1 = run_of(9, name="b1", parent="main", fork=3)
    async with timeline(at(5, main, b1)) as (app, pilot):
        for x, y in ((LEFT + 20, 2), (LEFT + 20, 4), (LEFT + 30, 5), (3, 2), (LEFT + 20, 0)):
            await pilot.click(TimelinePane, offset=(x, y))
        await pilot.click(TimelinePane, offset=(4, 7))
        assert app.asked == [20 * STEPS, 20 * STEPS + 2, 30 * STEPS]
        assert app.timeline.selected == "b1"


async def test_a_click_beside_the_curve_selects_too() -> None:
    main, b1 = run_of(67), run_of(9, name="b1", parent="main", fork=3)
    async with timeline(at(5, main, b1), size=(120, 10)) as (app, pilot):
        await pilot.click(TimelinePane, offset=(80, 2))
        assert app.timeline.selected == "b1"
        await pilot.click(TimelinePane, offset=(40, 9))
        assert len(app.asked) == 1


@pytest.mark.sweep(4)
@pytest.mark.parametrize("width", [1, 13, 40, 80, 119, 120, 200])
@pytest.mark.parametrize("height", [1, 3, 5, 6, 16])
@pytest.mark.parametrize("iterations", [0, 3000])
async def test_it_can_be_painted_at_any_size(width: int, height: int, iterations: int) -> None:
    main = run_of(iterations, faults=(fault(0),))
    b1 = run_of(iterations, name="b1", parent="main", fork=0)
    async with timeline(at(iterations, main, b1), size=(width, height)) as (app, _):
        lines = app.timeline.paint(width, height)
        assert [sum(len(text) for text, _ in line) for line in lines] == [width] * height


async def test_what_a_step_does_not_change_is_not_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[str] = []
    for name in ("curve", "marks_of"):
        make = getattr(panes_timeline, name)

        def counted(*given: Any, make: Any = make, name: str = name) -> Any:
            made.append(name)
            return make(*given)

        monkeypatch.setattr(panes_timeline, name, counted)
    history = 1.0 / (1 + np.arange(100_001))
    hits = tuple(range(0, 300_000, 3))

    def lines_at(place: int) -> list[Line]:
        # As in a session, every snapshot has views of its own.
        main = branch(newest=300_000, losses=history[:100_000], hits=hits)
        show(app.timeline, at(place // STEPS, main, position=place % STEPS))
        return app.timeline.paint(80, 8)

    app = Asked()
    async with app.run_test(size=(80, 8)) as pilot:
        made.clear()
        lines_at(150_000)
        await pilot.pause()
        assert made == ["curve", "marks_of"]
        before = lines_at(150_000)
        assert lines_at(150_001) is before
        scrubbed = lines_at(150_003)
        assert [old is new for old, new in zip(before, scrubbed, strict=True)].count(True) == 0
        assert [old == new for old, new in zip(before, scrubbed, strict=True)].count(False) == 1
        assert made == ["curve", "marks_of"]


async def test_before_there_is_anything_to_show_it_is_blank() -> None:
    pane = TimelinePane(Tab(7, "timeline"), id="timeline")
    async with shown(pane, 80, 6) as pilot:
        await pilot.pause()
        assert not any(screen_lines(pilot.app))
        pane.action_scrub(1)
        pane.action_scrub_page(1)
        pane.action_mark(1)
        pane.action_branch(1)
        pane.action_enter()
        assert pane.selected is None
