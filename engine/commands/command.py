"""What a command is, and what comes back from it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from nnstep.engine.stops.points import Stop

from .typed import Typed

if TYPE_CHECKING:
    from nnstep.engine.session.series import Series
    from nnstep.engine.session.session import Session
    from nnstep.engine.verification.verdict import Verification


class Answer(Struct, frozen=True):
    """What a command has to say, in plain lines, and what a screen can show besides.

    `told` is what of it has still to be said where the screen shows the place. `moved` tells
    whether the session may be at another place or on another branch; `stop` is what the run has
    stopped for. `interrupted` tells that somebody did not want to wait for the end.
    """

    lines: tuple[str, ...] = ()
    told: str = ""
    moved: bool = False
    stop: Stop | None = None
    interrupted: bool = False
    plot: "Series | None" = None
    verification: "Verification | None" = None
    quit: bool = False


class Command(Struct, frozen=True):
    """One command: `run` carries it out, given what stands behind its name.

    `usage` is what may stand there: words in lower case are typed as they are, those in capitals
    stand for something, and completion follows it. `details` is what else there is to know.
    """

    name: str
    usage: str
    summary: str
    example: str
    run: Callable[["Session", Typed], Answer]
    aliases: tuple[str, ...] = ()
    details: str = ""

    @property
    def synopsis(self) -> str:
        """The name and what may stand behind it."""
        return f"{self.name} {self.usage}".rstrip()
