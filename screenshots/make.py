"""Takes the pictures in this folder: the real app, driven by keys, at three sizes, dark and light.

Run it with `python screenshots/make.py [FOLDER]`.
"""

import asyncio
import sys
from pathlib import Path

from nnstep.engine import load
from nnstep.tui.app import NnstepApp
from nnstep.tui.config import Config

SIZES = ((80, 24), (120, 36), (200, 60))
SCENES = {
    "mazur": ["i", "i", "n", "n", "f", "n", "s"],
    "digits": ["i", "i", "i", "f", "f", "f", "n"],
}


async def picture(name: str, size: tuple[int, int], theme: str) -> str:
    """Return the screen as SVG after a scene's keys have been pressed."""
    app = NnstepApp(load(name), Config(theme=f"nnstep-{theme}"))
    async with app.run_test(size=size) as pilot:
        await pilot.press(*SCENES[name])
        await pilot.pause()
        return app.export_screenshot(title=f"nnstep {name}")


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
