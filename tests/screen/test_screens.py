"""The frames of docs/screens.md are what the app shows; `NNSTEP_UPDATE_SCREENS=1` draws them anew.

A frame stands under the heading of its section, in a block that names its size. The document is the
snapshot, and so stays true.
"""

import os
import re
from collections.abc import AsyncIterator
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

# The size, the example, and the frames that one comes by: each with its section, which of those of
# its size it is there, and the keys, or lines of the prompt, that lead to it from the one before.
WAYS = [
    (NARROW, "mazur", [
        ("5.1", 0, []),
        ("5.2", 0, ["s", "s"]),
        ("5.23", 0, ["s"]),
        ("5.3", 0, [*"sss"]),
        ("5.4", 0, [*"sss", "0", "right"]),
        ("5.19", 0, ["z", "z"]),
    ]),
    (WIDE, "mazur", [("5.4", 0, [*"sssssssss", "0", "right"]), ("5.19", 0, ["z", "z"])]),
    (ROOMY, "mazur", [("5.4", 0, [*"sssssssss", "0", "right"])]),
    (NARROW, "mazur", [("5.5", 0, [*"ssssssssssss"]), ("5.9", 0, ["s", *TO_DA1])]),
    (NARROW, "mazur", [("5.10", 0, [*"s" * 13, "3", *TO_A1, *FROM_A1])]),
    (NARROW, "mazur", [
        ("5.22", 0, [*"sssssssss", "3", ":set a1[0, 1] = 0.9", "pageup", *"jjj", "l"]),
    ]),
    (NARROW, "mazur", [("5.24", 0, ["s", "s", "semicolon", "semicolon"])]),
    (NARROW, "mazur", [("5.20", 0, ["?"])]),
    (NARROW, "two-layer", [("5.6", 0, [":goto 18", "s", "0"])]),
    (NARROW, "rows", [("5.7", 0, [*"sssssssss"])]),
    (NARROW, "digits", [
        ("5.23", 2, [*"sssssss"]),
        ("5.8", 0, ["s", "0", *"jjjjjjjjj", *"lllll"]),
    ]),
    (WIDE, "digits", [("5.8", 0, [*"ssssssss", "0", *"jjjjjjjjj", *"lllll"])]),
    (NARROW, "digits", [("5.23", 1, [":goto 10", "s", "0", *"llll"])]),
    (NARROW, "blocks", [("5.11", 0, [":goto 19", "s", "m"])]),
    (NARROW, "graph", [("5.12", 0, [*"sssss", "m"])]),
    (NARROW, "vanishing", [("5.13", 0, [*"i" * 10, "m"])]),
    (WIDE, "vanishing", [("5.13", 0, [*"i" * 10, "m"])]),
    (NARROW, "", [("5.21", 0, [])]),
]  # fmt: skip


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


@pytest.mark.parametrize(("size", "scenario", "frames"), WAYS)
async def test_frames_of_the_document(
    size: tuple[int, int], scenario: str, frames: list[tuple[str, int, list[str]]]
) -> None:
    app = app_of(built_in(scenario)) if scenario else NnstepApp()
    async with app.run_test(size=size) as pilot:
        for section, nth, keys in frames:
            for key in keys:
                if key.startswith(":"):
                    await type_command(pilot, key[1:])
                else:
                    await pilot.press(key)
            await pilot.pause()
            drawn = "".join(f"{line:<{size[0]}}\n" for line in screen_lines(pilot.app))
            frame = frame_of(section, nth, size)
            if os.environ.get(UPDATE):
                text = frame.string[: frame.start(2)] + drawn + frame.string[frame.end(2) :]
                DOCUMENT.write_text(text, encoding="utf-8")
            assert drawn == frame_of(section, nth, size)[2], f"{section}: {UPDATE}=1 draws it anew"


async def test_the_left_of_a_wide_screen_is_the_narrow_one() -> None:
    narrow, wide = [
        [lines async for lines in left_after(size, "", "s", "ssssssss", "ii")]
        for size in (NARROW, WIDE)
    ]
    assert narrow == wide


async def left_after(size: tuple[int, int], *steps: str) -> AsyncIterator[list[str]]:
    """Yield, after some more keys each time, what stands between the bars in 80 columns."""
    async with app_of(built_in("mazur")).run_test(size=size) as pilot:
        for keys in steps:
            await pilot.press(*keys)
            await pilot.pause()
            yield [line[:80].rstrip("│ ") for line in screen_lines(pilot.app)[1:19]]
