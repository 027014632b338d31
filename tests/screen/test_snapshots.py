"""Pictures of whole screens, as text; `NNSTEP_UPDATE_SNAPSHOTS=1` accepts new ones."""

import pytest
from built_in import built_in
from debugging import debugger
from screen_text import assert_snapshot, at_each_size, type_command, until

from nnstep.tui.app import NnstepApp

SIZES = {"80x24": (80, 24), "120x36": (120, 36), "200x60": (200, 60)}


@pytest.mark.sweep(3)
@pytest.mark.parametrize(
    ("name", "scenario", "keys", "size"),
    at_each_size(
        [
            ("start", "mazur", ""),
            ("forward", "mazur", "sss"),
            ("backward", "mazur", "iifffsss"),
            ("update", "mazur", "iffffs"),
            ("adam", "two-layer", "iiffff2"),
            ("digits", "digits", "iiffff"),
            ("expression", "graph", "ssss"),
            ("overflow", "overflow", "iiiiiiiiiii"),
            ("where-from", "mazur", "sssssssssssssplll"),
            ("where-to", "mazur", "sssPll"),
            ("map", "blocks", "iffssssm"),
            ("graph", "graph", "sssssm"),
            ("layers", "vanishing", "iiim"),
        ],
        SIZES,
    ),
)
async def test_the_debugger(name: str, scenario: str, keys: str, size: str) -> None:
    async with NnstepApp(built_in(scenario)).run_test(size=SIZES[size]) as pilot:
        await pilot.press(*keys)
        await pilot.pause()
        assert_snapshot(pilot.app, f"{name}-{size}")


@pytest.mark.parametrize(
    ("scenario", "size"),
    [("mazur", (100, 30)), ("vanishing", (80, 50)), ("xor", (132, 43)), ("digits", (40, 12))],
)
async def test_a_size_between(scenario: str, size: tuple[int, int]) -> None:
    async with NnstepApp(built_in(scenario)).run_test(size=size) as pilot:
        await pilot.press(*"inff")
        await pilot.pause()
        assert_snapshot(pilot.app, f"between-{scenario}-{size[0]}x{size[1]}")


@pytest.mark.sweep(3)
@pytest.mark.parametrize(
    ("name", "scenario", "commands", "key", "size"),
    at_each_size(
        [
            (
                "timeline",
                "xor",
                [
                    "run",
                    "goto iteration 100",
                    "set W1[0, 0] = 3",
                    "run",
                    "goto iteration 200",
                    "break dW1 if norm(dW1) > 1",
                ],
                "t",
            ),
            ("watch", "mazur", ["goto 25", "watch norm(dW1)", "watch W1[0, 1]", "watch z9"], "6"),
            ("faults", "vanishing", ["step iteration", "faults"], None),
            ("answer", "mazur", ["step 2 iterations", "print dW2"], None),
            ("verified", "mazur", ["goto 20"], "v"),
            ("plot", "xor", ["run", "plot norm(dW1)"], None),
            ("help", "mazur", [], "question_mark"),
        ],
        SIZES,
    ),
)
async def test_what_shows_the_past_and_answers(
    name: str, scenario: str, commands: list[str], key: str | None, size: str
) -> None:
    async with NnstepApp(built_in(scenario)).run_test(size=SIZES[size]) as pilot:
        for command in commands[:-1]:
            debugger(pilot).do(command)
            await until(pilot, lambda: not debugger(pilot).driver.is_busy)
        for command in commands[-1:]:
            await type_command(pilot, command)
        if key is not None:
            while len(pilot.app.screen_stack) > 1:
                await pilot.press("escape")
            await pilot.press(key)
            await until(pilot, lambda: name != "verified" or len(pilot.app.screen_stack) > 1)
        await pilot.pause()
        assert_snapshot(pilot.app, f"{name}-{size}")


@pytest.mark.parametrize("size", SIZES)
async def test_the_gallery(size: str) -> None:
    async with NnstepApp().run_test(size=SIZES[size]) as pilot:
        await pilot.pause()
        assert_snapshot(pilot.app, f"gallery-{size}")


async def test_a_tensor_pane_alone() -> None:
    async with NnstepApp(built_in("mazur")).run_test(size=(80, 24)) as pilot:
        await pilot.press("i", "2", "z")
        await pilot.pause()
        assert_snapshot(pilot.app, "zoom-80x24")


async def test_the_question_for_a_value() -> None:
    async with NnstepApp(built_in("mazur")).run_test(size=(80, 24)) as pilot:
        await pilot.press("i", "2", "e")
        await until(pilot, lambda: len(pilot.app.screen_stack) == 2)
        await pilot.press("end", "x", "enter")
        await pilot.pause()
        assert_snapshot(pilot.app, "edit-80x24")
