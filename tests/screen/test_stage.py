"""Which pane stands where and which has the keys, without an app."""

import pytest
from debugging import NARROW, ROOMY, WIDE
from hypothesis import given
from hypothesis import strategies as st
from one_pane import show, snapshot
from textual.geometry import Size

from nnstep.tui.actions import ACTIONS
from nnstep.tui.layout import regions_of
from nnstep.tui.panes import PANES, Row, row_of
from nnstep.tui.panes.pane import Pane
from nnstep.tui.stage import Stage

PROGRAM, STEP, WEIGHTS, VALUES, GRADIENTS, LOSS, WATCH, TIMELINE, TREE = (
    row for row in PANES if row.shown != "with room" and row.id != "map"
)
MAP = row_of(8)
SIZES = [Size(*size) for size in (NARROW, WIDE, ROOMY, (40, 10), (20, 4))]
ALL = {"program", "step", "weights", "z/a", "gradients", "loss"}


def stage_at(size: Size | tuple[int, int]) -> Stage:
    stage = Stage(ACTIONS, lambda pane: show(pane, snapshot()), network=True)
    stage.fit(Size(*size))
    return stage


def seen(stage: Stage) -> set[str]:
    return {pane.tab.title for pane in displayed(stage)}


def displayed(stage: Stage) -> list[Pane]:
    return [pane for pane in stage.panes.values() if pane.display]


def at(stage: Stage) -> str:
    return stage.focus.tab.title


def test_each_has_its_region_where_there_is_room_and_else_they_take_turns() -> None:
    assert seen(stage_at(WIDE)) == ALL
    assert seen(stage_at(ROOMY)) == {*ALL, "map"}
    narrow = stage_at(NARROW)
    assert seen(narrow) == {"program", "step"}
    narrow.go_to(GRADIENTS)
    assert seen(narrow) == {"program", "gradients"}
    narrow.fit(Size(*WIDE))
    assert seen(narrow) == ALL
    assert at(narrow) == "gradients"
    narrow.go_to(GRADIENTS)
    assert seen(narrow) == ALL - {"step"}
    narrow.go_to(STEP)
    assert seen(narrow) == ALL


def test_the_expression_has_other_titles() -> None:
    stage = Stage(ACTIONS, network=False)
    stage.fit(Size(*WIDE))
    assert seen(stage) == {"program", "step", "params", "values", "gradients", "loss"}


def test_a_kind_of_numbers_is_kept_until_the_step_is_asked_for() -> None:
    stage = stage_at(NARROW)
    assert stage.kept is None
    stage.go_to(WEIGHTS)
    stage.go_to(PROGRAM)
    assert stage.kept is WEIGHTS
    assert seen(stage) == {"program", "weights"}
    stage.go_to(STEP)
    assert stage.kept is None


def test_without_room_beside_the_others_it_is_alone_until_all_are_wanted_again() -> None:
    stage = stage_at(NARROW)
    stage.go_to(TIMELINE)
    stage.go_to(LOSS)
    assert (seen(stage), stage.is_zoomed) == ({"loss"}, True)
    stage.zoom()
    assert (seen(stage), stage.is_zoomed) == ({"program", "step", "timeline"}, False)
    assert at(stage) == "program"
    stage.close(TIMELINE)
    assert seen(stage) == {"program", "step"}


def test_the_step_can_be_large_and_nothing_else() -> None:
    stage = stage_at(NARROW)
    stage.go_to(STEP)
    states = []
    for _ in range(3):
        stage.zoom()
        states.append((stage.is_zoomed, stage.is_large, stage.layout.needs.large))
    assert states == [(True, False, False), (True, True, True), (False, False, False)]
    stage.zoom()
    stage.zoom()
    stage.go_to(WEIGHTS)
    assert (stage.is_zoomed, stage.is_large, stage.layout.needs.large) == (True, False, False)
    stage.zoom()
    assert (stage.is_zoomed, stage.is_large) == (False, False)


def test_a_pane_comes_when_it_is_filled_and_goes_with_the_keys_when_it_is_not() -> None:
    stage = stage_at(WIDE)
    stage.update()
    assert not stage.is_open(WATCH)
    show(stage.pane(WATCH), snapshot(watches=("L",)))
    stage.update()
    assert seen(stage) == {*ALL, "watch"}
    stage.go_to(WATCH)
    show(stage.pane(WATCH), snapshot())
    stage.update()
    assert seen(stage) == ALL
    assert at(stage) == "program"


@pytest.mark.parametrize("size", SIZES)
def test_tab_goes_to_what_is_seen(size: Size) -> None:
    stage = stage_at(size)
    there = regions_of(size, stage.layout.needs)
    for _ in range(9):
        stage.go_to(stage.next(1))
        assert PANES[[row.id for row in PANES].index(stage.here.id)].region in there


@pytest.mark.parametrize("size", SIZES)
def test_tab_goes_round_and_back(size: Size) -> None:
    stage = stage_at(size)
    first = stage.here
    there: list[str] = []
    back: list[str] = []
    for direction, visited in ((1, there), (-1, back)):
        while not visited or stage.here is not first:
            stage.go_to(stage.next(direction))
            visited.append(stage.here.id)
    assert there[:-1] == back[-2::-1]
    assert len(there) == len(set(there))


def test_back_to_a_pane_that_there_is_no_room_for_any_more_is_to_the_one_of_its_digit() -> None:
    stage = stage_at(WIDE)
    more = next(row for row in PANES if row.id == "more-gradients")
    stage.go_to(more)
    stage.go_to(TREE)
    stage.fit(Size(*NARROW))
    stage.close(TREE)
    stage.go_to(more)
    assert stage.here is GRADIENTS
    assert seen(stage) == {"program", "gradients"}


def test_back_to_a_pane_that_has_nothing_to_show_any_more_is_to_the_program() -> None:
    stage = stage_at(WIDE)
    stage.go_to(WATCH)
    assert at(stage) == "program"
    assert seen(stage) == ALL


def do(stage: Stage, what: str, row: Row, size: Size) -> None:
    """Do one of the things that a person, or a step, can do."""
    if what == "fit":
        stage.fit(size)
    elif what == "go to":  # where one was before may be gone by the time one goes back
        stage.go_to(row)
    elif what == "next":
        stage.go_to(stage.next(1))
    elif what == "close" and stage.is_open(TIMELINE):
        stage.close(TIMELINE)
    elif what == "zoom":
        stage.zoom()
    elif what == "watch":
        filled = not stage.is_open(WATCH)
        show(stage.pane(WATCH), snapshot(watches=("L",) if filled else ()))
        stage.update()


DEEDS = ["fit", "go to", "next", "close", "zoom", "watch"]
deeds = st.tuples(st.sampled_from(DEEDS), st.sampled_from(PANES), st.sampled_from(SIZES))


@given(st.lists(deeds, max_size=25))
def test_whatever_is_done_the_keys_go_to_a_pane_that_is_seen(
    done: list[tuple[str, Row, Size]],
) -> None:
    size, stage = SIZES[0], stage_at(SIZES[0])
    for what, row, other in done:
        size = other if what == "fit" else size
        do(stage, what, row, size)
        there = regions_of(size, stage.layout.needs, stage.layout.zoomed)
        assert stage.focus in displayed(stage)
        assert stage.layout.shown.keys() == {pane.id for pane in displayed(stage)}
        assert set(stage.layout.shown.values()) <= there.keys()
        assert len(set(stage.layout.shown.values())) == len(stage.layout.shown)
        assert not stage.is_zoomed or len(displayed(stage)) == 1
        if what == "go to" and stage.is_open(row) and row.shown != "with room":
            assert stage.focus.tab == stage.pane(row).own_tab


def test_the_map_takes_the_place_of_all_others_while_it_has_the_keys() -> None:
    for size in (NARROW, WIDE, ROOMY):
        stage = stage_at(size)
        before = seen(stage)
        stage.go_to(MAP)
        assert seen(stage) == {"map"}
        assert not stage.is_zoomed
        stage.go_to(PROGRAM)
        assert seen(stage) == before
        assert not stage.is_open(MAP)
