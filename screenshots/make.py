"""Takes the pictures in this folder: the real app, driven by keys, at three sizes, dark and light.

Run it with `python screenshots/make.py [FOLDER]`.
"""

import asyncio
import sys
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input

from nnstep.engine.loading import load
from nnstep.tui.app import NnstepApp
from nnstep.tui.config import Config
from nnstep.tui.prompt import Prompt

SIZES = ((80, 24), (120, 36), (200, 60))
# Of each picture the scenario, and what is done there: each key is pressed; what begins with a
# colon is typed at the prompt.
SCENES = {
    "mazur": ("mazur", ["f", "f", "f", "s", "s", "s"]),
    "digits": ("digits", ["i", "i", "i", "f", "f", "f", "n"]),
    "tree": ("mazur", ["f", "f", "f", "n", "s", "s", "s", "p", "down", "right", "down", "right"]),
    "map": ("blocks", ["f", "f", "f", "n", "n", "s", "m"]),
    "layers": ("vanishing", [":goto iteration 10", "f", "f", "f", "f", "m"]),
    "xor": (
        "xor",
        [
            ":run",
            ":goto iteration 100",
            ":set W1[0, 0] = 3",
            ":run",
            ":goto iteration 200",
            ":break dW1 if norm(dW1) > 1",
            ":watch norm(dW1)",
            "t",
        ],
    ),
}


async def command(pilot: Pilot[None], text: str) -> None:
    """Type a command at the prompt, and wait until it is done."""
    await pilot.press("colon")
    pilot.app.screen.query_one(Input).value = text
    await pilot.press("enter")
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
    if isinstance(pilot.app.screen, Prompt):  # it stays open behind an answer
        await pilot.press("escape")


async def picture(name: str, size: tuple[int, int], theme: str) -> str:
    """Return the screen as SVG after a scene's keys have been pressed."""
    scenario, keys = SCENES[name]
    app = NnstepApp(load(scenario), Config(theme=theme))
    async with app.run_test(size=size) as pilot:
        for key in keys:
            if key.startswith(":"):
                await command(pilot, key[1:])
            else:
                await pilot.press(key)
        await pilot.pause()
        return app.export_screenshot(title=f"nnstep {scenario}")


def main(folder: Path) -> None:
    """Write every picture."""
    for name in SCENES:
        for width, height in SIZES:
            for theme in ("dark", "light"):
                svg = asyncio.run(picture(name, (width, height), theme))
                path = folder / f"{name}-{width}x{height}-{theme}.svg"
                path.write_text(svg, encoding="utf-8")
                print(path.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent)
