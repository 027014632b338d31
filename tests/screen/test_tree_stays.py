"""The question of a tree stays on the screen: after an edit, undo, a jump and another branch."""

from built_in import built_in
from debugging import NARROW, app_of, debugger, place
from screen_text import screen_text, type_command, until
from textual.pilot import Pilot

from nnstep.tui.panes.tree import TreePane


def root(pilot: Pilot[None]) -> tuple[str, float | None]:
    """The cell that the tree is of, and the value that stands beside it."""
    shape = debugger(pilot).query_one(TreePane).shape
    assert shape is not None
    return shape.root.cell, shape.root.value


def now(pilot: Pilot[None]) -> float:
    return float(debugger(pilot).driver.snapshot.tensors["dW1"][0, 0])


def is_seen(pilot: Pilot[None]) -> bool:
    return "[p where from]" in screen_text(pilot.app)


async def test_it_is_of_the_same_cell_with_its_present_value() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press(*"s" * 13, "p")
        first = now(pilot)
        assert root(pilot) == ("dW1[0, 0]", first)
        for line in (
            "goto 31",
            "set W2[0, 0] = 2",
            "goto 49",
            "undo",
            "goto 49",
            "redo",
            "goto 49",
        ):
            await type_command(pilot, line)
            await until(pilot, lambda: not debugger(pilot).driver.is_busy)
            assert is_seen(pilot), line
            assert root(pilot) == ("dW1[0, 0]", now(pilot)), line
        assert now(pilot) != first


async def test_it_is_of_the_branch_that_one_goes_to() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await type_command(pilot, "goto 40")
        await type_command(pilot, "goto 18")
        await type_command(pilot, "set W2[0, 0] = 2")
        await type_command(pilot, "goto 31")
        await type_command(pilot, "cell dW1[0, 0]")
        await pilot.press("p")
        edited = now(pilot)
        await type_command(pilot, "switch main")
        await until(pilot, lambda: debugger(pilot).driver.snapshot.branch.name == "main")
        await type_command(pilot, "goto 31")
        assert is_seen(pilot)
        assert root(pilot) == ("dW1[0, 0]", now(pilot))
        assert now(pilot) != edited


async def test_comma_after_several_jumps_comes_into_it_at_the_node_it_was_left_at() -> None:
    async with app_of(built_in("mazur")).run_test(size=NARROW) as pilot:
        await pilot.press(*"s" * 13, "p", *["right"] * 5)
        tree = debugger(pilot).query_one(TreePane)
        node = tree.selected
        assert node is not None
        await pilot.press("enter")
        await until(pilot, lambda: place(pilot) == 8)
        await pilot.press("s", "s")
        await type_command(pilot, "goto 8")
        await pilot.press("comma")
        await until(pilot, lambda: place(pilot) == 13 or not debugger(pilot).driver.is_busy)
        while place(pilot) != 13:
            await pilot.press("comma")
            await pilot.pause()
        assert is_seen(pilot)
        assert tree.selected is not None
        assert tree.selected.cell == node.cell
