"""Whether there is a terminal that the app can draw on."""

import os
import sys


def why_not_here() -> str | None:
    """Return a sentence saying why the app cannot run here, None if it can.

    Keys are read from stdin and the screen is drawn on stderr. With `TEXTUAL_DRIVER` set, something
    else brings its own way of doing both.
    """
    if os.environ.get("TEXTUAL_DRIVER"):
        return None
    instead = "'nnstep run --plain' and 'nnstep trace' need none."
    if not all(stream and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        return f"nnstep needs a terminal to draw on; {instead}"
    if os.environ.get("TERM", "") in ("", "dumb"):
        return f"nnstep needs a terminal that can move the cursor, and TERM names none; {instead}"
    return None
