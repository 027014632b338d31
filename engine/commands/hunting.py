"""The commands of a hunt: a mistake is hidden in the program, and somebody accuses a line."""

from typing import TYPE_CHECKING

from nnstep.engine.language.typed import Typed
from nnstep.engine.text import did_you_mean, quoted

from .command import Answer, Command, says

if TYPE_CHECKING:
    from nnstep.engine.session.session import Session


def _hunt(session: "Session", text: Typed) -> Answer:
    from nnstep.engine.override.mistakes import MistakeError

    if text.first.text == "looks":
        return _looked(session, text)
    seed = text.number("a seed")
    try:
        session.begin_hunt(seed)
    except (MistakeError, ValueError) as error:
        raise text.error(str(error)) from None
    said = f"A mistake is hidden in one line (seed {seed}). Look for it in any way; verifications "
    return says(f"{said}are counted. Then accuse a line by its number, or a tensor: accuse dW1.")


def _looked(session: "Session", text: Typed) -> Answer:
    """Count verifications that were made before the session was left; none is taken back."""
    hunt, count = session.hunt, text.rest.number("how many verifications")
    if hunt is None or hunt.is_over:
        raise text.error("no mistake is hidden here, so that nothing is counted")
    hunt.looks = max(hunt.looks, count)
    return says(f"So far {hunt.told}.")


def _accuse(session: "Session", text: Typed) -> Answer:
    hunt = session.hunt
    if hunt is None:
        raise text.error("no mistake is hidden here; hunt hides one, at the start of a run")
    if hunt.is_over:
        raise text.error(f"it is found already: {hunt.planted.line}")
    accused = _accused(session, text)
    planted, lines = hunt.planted, session.program.instructions
    if planted.position not in accused:
        hunt.accused += 1
        line = lines[accused[0]]
        return says(f"{line.code} is right: it gives what the rule gives. So far {hunt.told}.")
    rule = lines[planted.position].code
    session.end_hunt()
    steps = len(lines)
    place = session.place - session.place % steps + planted.position + 1
    session.seek(place if place <= max(session.place, session.newest) else planted.position + 1)
    said = f"Yes: {planted.line} ran in place of {rule}. {hunt.mistake.description} Found with "
    return Answer((f"{said}{hunt.told}.",), told=f"{said}{hunt.told}.", moved=True)


def _accused(session: "Session", text: Typed) -> tuple[int, ...]:
    """Return the positions of the lines that are meant: that of a number, or all of a tensor."""
    lines = session.program.instructions
    if text.is_number:
        number = text.number("a line")
        if not 1 <= number <= len(lines):
            raise text.error(f"the lines are numbered from 1 to {len(lines)}, not {number}")
        return (number - 1,)
    if not text:
        raise text.error("accuse a line by its number, or a tensor, as in: accuse dW1")
    found = tuple(
        at for at, line in enumerate(lines) if text.text in line.writes or text.text == line.code
    )
    if not found:
        hint = did_you_mean(text.text, session.program.tensors)
        raise text.error(f"no line writes {quoted(text.text)}{hint}")
    return found


COMMANDS = (
    Command(
        "hunt",
        "SEED | looks N",
        "hide a classic mistake in the program, to be found",
        "hunt 7",
        _hunt,
        (),
        "It is drawn with the seed, a number, and runs from the first step on; every line is "
        "shown as the rule has it. A run that has begun, or was changed, is restarted first: use "
        "restart. What you verify is counted, and told at the end; a session file counts on with "
        "looks N, for those that were made before.",
        kept=True,
    ),
    Command(
        "accuse",
        "LINE | TENSOR",
        "say in which line the hidden mistake is",
        "accuse dW1",
        _accuse,
        (),
        "LINE is a number, counted from 1 in the listing, or the line itself; a TENSOR means the "
        "lines that write it. If it is right, the mistake is shown as an override, beside the "
        "rule's line.",
        kept=True,
    ),
)
