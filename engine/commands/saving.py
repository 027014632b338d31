"""The command that saves a session."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nnstep.engine.language.typed import Typed, blaming

from .command import Answer, Command, says

if TYPE_CHECKING:
    from nnstep.engine.session.session import Session


def _save(session: "Session", text: Typed) -> Answer:
    quoted = len(text.text) > 1 and text.text[0] == text.text[-1] == '"'
    path = Path(os.path.expanduser(text.text[1:-1] if quoted else text.text))  # noqa: PTH111 - never raises
    if not path.name:
        raise text.error("say the file to write, as in save lesson")
    with blaming(text):
        written = session.save(path)
    return says(f"The session is saved in {written}.")


COMMANDS = (
    Command(
        "save",
        "PATH",
        "write the session to a file, to go on with it another time",
        "save lesson",
        _save,
        (),
        "The file gets the ending .session; one that is there is replaced. Saved are the place, "
        "the branches with their changes, the breakpoints, and what is watched. A path with a # in "
        "it stands in quotation marks.",
        writes=True,
    ),
)
