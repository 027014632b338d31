"""The command that puts a person's own line in place of one of the program's."""

from typing import TYPE_CHECKING

from nnstep.engine.language.typed import Typed, blaming
from nnstep.engine.machine.edit import Override

from .changing import branch_begun
from .command import Answer, Command, says

if TYPE_CHECKING:
    from nnstep.engine.session.session import Session


def _override(session: "Session", text: Typed) -> Answer:
    if not text:
        return _listed(session)
    branch = session.branches.current
    if [word.text for word in text.words[1:]] == ["off"]:
        made = _switched_off(session, text.first)
        said = f"{made.line}, the program's own line, runs again{_from(session, made)}"
    else:
        made = _made(session, text)
        rule = made.instruction.rule
        assert rule is not None, "a line that was put in place of another knows it"
        said = f"{made.line} runs in place of {rule.code}{_from(session, made)}"
    lines = (said, *branch_begun(session, branch))
    return Answer(lines, told=" ".join(lines), moved=True)


def _made(session: "Session", text: Typed) -> Override:
    from nnstep.engine.override.override import OverrideError

    try:
        return session.override(text.text)
    except OverrideError as error:
        raise text.part(error.start).error(str(error)) from None


def _switched_off(session: "Session", name: Typed) -> Override:
    with blaming(name):
        return session.override_off(name.text)


def _from(session: "Session", made: Override) -> str:
    """Say at which step the line runs next."""
    steps = len(session.program)
    step = made.place + (made.position - made.place) % steps
    return f", from step {step} on."


def _listed(session: "Session") -> Answer:
    if not session.overrides:
        return says("No line is overridden here; try: override dW1 = -dz1.T @ x")
    return Answer(tuple(f"≠ {_written(each)}" for each in session.overrides))


def _written(override: Override) -> str:
    rule = override.instruction.rule
    since = f", since before step {override.place}" if override.place else ", from the start"
    return f"{override.line}   in place of {rule.code if rule else ''}{since}"


COMMANDS = (
    Command(
        "override",
        "[LINE | NAME off]",
        "run a line of one's own in place of the program's, from here on",
        "override dW1 = dz1.T @ x / 3",
        _override,
        (),
        "LINE is written as lines of the program are, with any of its functions. The first line of "
        "phase backward that writes the tensor is meant, else the only one; where there are "
        "several, say which: override W1 = W1 - lr * dW1 in update 1. NAME off lets the program's "
        "own line run again. In the past it makes a new branch, as set does. Without anything, "
        "lists the lines that are overridden here.",
        kept=True,
    ),
)
