"""The frames of docs/screens.md are what the app shows; `NNSTEP_UPDATE_SCREENS=1` draws them anew.

A frame stands under the heading of its section, in a block that names its size. The document is the
snapshot, and so stays true.
"""

import os
import re
from pathlib import Path

import pytest
from built_in import built_in
from debugging import NARROW, ROOMY, WIDE, app_of
from screen_text import screen_lines, type_command

from nnstep.tui.app import NnstepApp

DOCUMENT = Path(__file__).parents[2] / "docs" / "screens.md"
UPDATE = "NNSTEP_UPDATE_SCREENS"

_FRAME = r"(```screen {size}\n)(.*?)(```)"

# From the first cell of the pane of values to a1[0, 1].
TO_A1 = ["pageup", *"jjj", "l"]
TO_DA1 = ["p", *["right"] * 6, *["down"] * 6, *["right"] * 3, *["up"] * 8]
FROM_A1 = ["P", *["right"] * 4, *["down"] * 7, *["right"] * 3, *["up"] * 10]

# The section, which of its frames of a size, the size, the example, and the keys, or lines of the
# prompt, that lead there.
FRAMES = [
    ("5.1", 0, NARROW, "mazur", []),
    ("5.2", 0, NARROW, "mazur", ["s", "s"]),
    ("5.3", 0, NARROW, "mazur", [*"ssssss"]),
    ("5.4", 0, NARROW, "mazur", [*"sssssssss", "0", "right"]),
    ("5.4", 0, WIDE, "mazur", [*"sssssssss", "0", "right"]),
    ("5.4", 0, ROOMY, "mazur", [*"sssssssss", "0", "right"]),
    ("5.5", 0, NARROW, "mazur", [*"ssssssssssss"]),
    ("5.6", 0, NARROW, "two-layer", [":goto 18", "s", "0"]),
    ("5.7", 0, NARROW, "rows", [*"sssssssss"]),
    ("5.8", 0, NARROW, "digits", [*"ssssssss", "0", *"jjjjjjjjj", *"lllll"]),
    ("5.8", 0, WIDE, "digits", [*"ssssssss", "0", *"jjjjjjjjj", *"lllll"]),
    ("5.9", 0, NARROW, "mazur", [*"s" * 13, *TO_DA1]),
    ("5.10", 0, NARROW, "mazur", [*"s" * 13, "3", *TO_A1, *FROM_A1]),
    ("5.11", 0, NARROW, "blocks", [*"s" * 20, "m"]),
    ("5.12", 0, NARROW, "graph", [*"sssss", "m"]),
    ("5.13", 0, NARROW, "vanishing", [*"i" * 10, "m"]),
    ("5.13", 0, WIDE, "vanishing", [*"i" * 10, "m"]),
    ("5.19", 0, NARROW, "mazur", [*"sssssssss", "0", "right", "z", "z"]),
    ("5.19", 0, WIDE, "mazur", [*"sssssssss", "0", "right", "z", "z"]),
    ("5.20", 0, NARROW, "mazur", ["?"]),
    ("5.21", 0, NARROW, "", []),
    ("5.22", 0, NARROW, "mazur", [*"sssssssss", "3", ":set a1[0, 1] = 0.9", "pageup", *"jjj", "l"]),
    ("5.23", 0, NARROW, "mazur", ["s", "s", "s"]),
    ("5.23", 1, NARROW, "digits", [":goto 10", "s", "0", *"llll"]),
    ("5.23", 2, NARROW, "digits", [*"sssssss"]),
    ("5.24", 0, NARROW, "mazur", ["s", "s", "semicolon", "semicolon"]),
]


def frame_of(section: str, nth: int, size: tuple[int, int]) -> re.Match[str]:
    """Find a frame of a section that has a size."""
    columns, lines = size
    text = DOCUMENT.read_text(encoding="utf-8")
    start = text.index(f"### {section} ")
    ends = (text.find(end, start + 1) for end in ("\n### ", "\n## "))
    end = min(each for each in ends if each >= 0)
    frames = list(
        re.compile(_FRAME.format(size=f"{columns}x{lines}"), re.DOTALL).finditer(text, start, end)
    )
    assert nth < len(frames), f"{section} has {len(frames)} frames at {columns}x{lines}"
    return frames[nth]


def test_every_frame_has_its_size() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for columns, lines, frame in re.findall(r"```screen (\d+)x(\d+)\n(.*?)```", text, re.DOTALL):
        drawn = frame.splitlines()
        assert len(drawn) == int(lines)
        assert {len(line) for line in drawn} == {int(columns)}


@pytest.mark.parametrize(("section", "nth", "size", "scenario", "keys"), FRAMES)
async def test_a_frame_of_the_document(
    section: str, nth: int, size: tuple[int, int], scenario: str, keys: list[str]
) -> None:
    app = app_of(built_in(scenario)) if scenario else NnstepApp()
    async with app.run_test(size=size) as pilot:
        for key in keys:
            if key.startswith(":"):
                await type_command(pilot, key[1:])
            else:
                await pilot.press(key)
        await pilot.pause()
        drawn = "".join(f"{line:<{size[0]}}\n" for line in screen_lines(pilot.app))
    frame = frame_of(section, nth, size)
    if os.environ.get(UPDATE):
        text = frame.string
        DOCUMENT.write_text(text[: frame.start(2)] + drawn + text[frame.end(2) :], encoding="utf-8")
        frame = frame_of(section, nth, size)
    assert drawn == frame[2], f"{UPDATE}=1 draws the document's frame anew"


@pytest.mark.parametrize("keys", ["", "s", "sssssssss", "ii"])
async def test_the_left_of_a_wide_screen_is_the_narrow_one(keys: str) -> None:
    shown = []
    for size in (NARROW, WIDE):
        async with app_of(built_in("mazur")).run_test(size=size) as pilot:
            await pilot.press(*keys)
            await pilot.pause()
            shown.append([line[:80].rstrip() for line in screen_lines(pilot.app)[1:19]])
    assert [line.rstrip("│ ") for line in shown[0]] == [line.rstrip("│ ") for line in shown[1]]
