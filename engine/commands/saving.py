"""The commands about files of sessions; what carries them out comes with a session's journal."""

from typing import TYPE_CHECKING

from nnstep.engine.language.typed import TextError, Typed

from .command import Answer, Command

if TYPE_CHECKING:
    from nnstep.engine.session.session import Session


def _without_a_journal(session: "Session", text: Typed) -> Answer:
    raise TextError("this session is not kept: its interpreter was given no journal")


COMMANDS = (
    Command(
        "save",
        "PATH",
        "write the session to a file, to go on with it another time",
        "save lesson",
        _without_a_journal,
        (),
        "The file gets the ending .session, and lists the commands that have changed the session; "
        "executed again, they lead to the same numbers. A file that is there already is refused, "
        "unless it is this session's own. A path with a # in it stands in quotation marks.",
        writes=True,
    ),
    Command(
        "save-scenario",
        "PATH [--force]",
        "write the scenario as it is now, to begin with it another time",
        "save-scenario lesson.toml",
        _without_a_journal,
        (),
        "The file has the parameters as they are at the start of this branch, the data, and the "
        "overrides, breakpoints, watches and printed numbers that there are now. Other changes "
        "after step 0 are not in it; a session has them. Nor is a mistake that is hidden, until "
        "it is found: then it is an override. A file that is there already is overwritten with "
        "--force only.",
        writes=True,
    ),
    Command(
        "sessions",
        "[delete N]",
        "list the sessions that were not quit, or delete one of them",
        "sessions",
        _without_a_journal,
        (),
        "A session whose terminal was closed, or that had edits when it was quit, is still there. "
        "The gallery opens them. None is deleted unless you say so.",
        writes=True,
    ),
)
