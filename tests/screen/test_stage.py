"""Which pane stands where and which has the keys, without an app."""

import pytest
from debugging import NARROW, ROOMY, WIDE
from hypothesis import given
from hypothesis import strategies as st
from one_pane import snapshot
from textual.geometry import Size

from nnstep.engine.program.program import Role, Tensor
from nnstep.tui.actions import ACTIONS
from nnstep.tui.layout import regions_of
from nnstep.tui.panes import PANES, Row
from nnstep.tui.panes.pane import Pane
from nnstep.tui.panes.tensors import TensorPane, TensorView
from nnstep.tui.stage import Stage

PROGRAM, WEIGHTS, VALUES, GRADIENTS, LOSS, WATCH, TIMELINE = PANES
SIZES = [Size(*size) for size in (NARROW, WIDE, ROOMY, (40, 10), (20, 4))]
GRADIENT = Tensor("dW1", Role.GRADIENT, 1)
ALL = {"program", "weights", "z/a", "gradients", "loss"}


def stage_at(size: Size | tuple[int, int]) -> Stage:
    stage = Stage(ACTIONS, network=True)
    for pane in stage.panes.values():
        pane.show(snapshot())
    stage.fit(Size(*size), 1)
    return stage


def seen(stage: Stage) -> set[str]:
    return {pane.tab.title for pane in displayed(stage)}


def displayed(stage: Stage) -> list[Pane]:
    return [pane for pane in stage.panes.values() if pane.display]


def view(stage: Stage, row: Row) -> TensorView:
    pane = stage.panes[row]
    assert isinstance(pane, TensorPane)
    return pane.own_view


def at(stage: Stage) -> str:
    return stage.focus.tab.title


def test_each_has_its_region_where_there_is_room_and_else_they_take_turns() -> None:
    assert seen(stage_at(WIDE)) == seen(stage_at(ROOMY)) == ALL
    narrow = stage_at(NARROW)
    assert seen(narrow) == {"program", "weights", "loss"}
    narrow.go_to(GRADIENTS)
    assert seen(narrow) == {"program", "gradients", "loss"}
    narrow.fit(Size(*WIDE), 1)
    assert seen(narrow) == ALL
    assert at(narrow) == "gradients"
    narrow.fit(Size(*NARROW), 1)
    assert seen(narrow) == {"program", "gradients", "loss"}


def test_the_expression_has_other_titles() -> None:
    stage = Stage(ACTIONS, network=False)
    stage.fit(Size(*WIDE), 1)
    assert seen(stage) == {"program", "parameters", "values", "gradients", "loss"}


def test_what_was_written_has_its_turn_and_the_keys_only_follow_if_they_were_there() -> None:
    stage = stage_at(NARROW)
    stage.turn_to(GRADIENT)
    assert seen(stage) == {"program", "gradients", "loss"}
    assert at(stage) == "program"
    stage.go_to(WEIGHTS)
    stage.turn_to(GRADIENT)
    assert at(stage) == "gradients"
    assert stage.active is view(stage, GRADIENTS)
    assert stage.next(1) is LOSS
    stage.fit(Size(*WIDE), 1)
    assert at(stage) == "gradients"


def test_where_none_take_turns_nothing_turns() -> None:
    stage = stage_at(WIDE)
    stage.go_to(WEIGHTS)
    stage.turn_to(GRADIENT)
    assert at(stage) == "weights"
    assert stage.active is view(stage, WEIGHTS)


def test_without_room_beside_the_others_it_is_alone_until_all_are_wanted_again() -> None:
    stage = stage_at(NARROW)
    stage.go_to(TIMELINE)
    stage.go_to(LOSS)
    assert (seen(stage), stage.is_zoomed) == ({"loss"}, True)
    stage.zoom()
    assert (seen(stage), stage.is_zoomed) == ({"program", "weights", "timeline"}, False)
    assert at(stage) == "program"
    stage.close(TIMELINE)
    assert seen(stage) == {"program", "weights", "loss"}


def test_a_pane_comes_when_it_is_filled_and_goes_with_the_keys_when_it_is_not() -> None:
    stage = stage_at(WIDE)
    stage.update()
    assert not stage.is_open(WATCH)
    stage.panes[WATCH].show(snapshot(watches=("L",)))
    stage.update()
    assert seen(stage) == {*ALL, "watch"}
    stage.go_to(WATCH)
    stage.panes[WATCH].show(snapshot())
    stage.update()
    assert seen(stage) == ALL
    assert at(stage) == "program"


def test_a_message_takes_lines_and_moves_no_pane() -> None:
    stage = stage_at(NARROW)
    before = dict(stage.layout.shown), regions_of(Size(*NARROW), stage.layout.needs)["numbers"]
    stage.leave_lines(2)
    assert stage.layout.needs.message == 2
    stage.go_to(VALUES)
    assert stage.layout.needs.message == 2
    after = dict(stage.layout.shown), regions_of(Size(*NARROW), stage.layout.needs)["numbers"]
    assert after == before


@pytest.mark.parametrize("size", SIZES)
def test_tab_goes_round_and_back(size: Size) -> None:
    stage = stage_at(size)
    there: list[str] = []
    back: list[str] = []
    for direction, visited in ((1, there), (-1, back)):
        while not visited or at(stage) != "program":
            stage.go_to(stage.next(direction))
            visited.append(at(stage))
    assert there[:-1] == back[-2::-1]
    assert len(there) == len(set(there))


def do(stage: Stage, what: str, row: Row, size: Size) -> None:
    """Do one of the things that a person, or a step, can do."""
    if what == "fit":
        stage.fit(size, 1)
    elif what == "go to" and (stage.is_open(row) or row is TIMELINE):
        stage.go_to(row)
    elif what == "next":
        stage.go_to(stage.next(1))
    elif what == "close" and stage.is_open(TIMELINE):
        stage.close(TIMELINE)
    elif what == "zoom":
        stage.zoom()
    elif what == "step":
        stage.turn_to(GRADIENT)
    elif what == "watch":
        filled = not stage.is_open(WATCH)
        stage.panes[WATCH].show(snapshot(watches=("L",) if filled else ()))
        stage.update()


DEEDS = ["fit", "go to", "next", "close", "zoom", "step", "watch"]
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
        if what == "go to" and stage.is_open(row):
            assert stage.focus.tab == stage.panes[row].own_tab
