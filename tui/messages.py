"""What a debugger's screen asks of the app, which shows one screen after another."""

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from nnstep.engine.saving.recovery import Taken
    from nnstep.engine.saving.replay import Replayed


class Quit(Message):
    """Tells the app that somebody wants to quit."""


class OpenGallery(Message):
    """Tells the app that somebody wants to choose another scenario."""


class OpenSession(Message):
    """Tells the app to go on with a session that was brought back, in the file that was taken."""

    def __init__(self, replayed: "Replayed", taken: "Taken | None") -> None:
        super().__init__()
        self.replayed = replayed
        self.taken = taken
