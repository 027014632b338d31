"""Commands that ask after causes: why a value is so, since when, and what if it were another."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from nnstep.engine.language.parsed import expression
from nnstep.engine.language.typed import Typed
from nnstep.engine.program.program import Role
from nnstep.engine.text import cell_name
from nnstep.engine.trace import plain

from .command import INTERRUPTED, Answer, Command, finished, says, takes_long
from .explaining import cell_at_step
from .moving import go
from .reading import cell, value

if TYPE_CHECKING:
    import numpy.typing as npt

    from nnstep.engine.explain.factors import Factors
    from nnstep.engine.explain.why import Why
    from nnstep.engine.session.session import Session

_EQUALS = re.compile(r"(?<![<>=!])=(?!=)")


def _why(session: "Session", text: Typed) -> Answer:
    name, index, step = cell_at_step(session, text)

    def follow(_: object) -> Answer:
        found = session.why(name, index, step)
        hop = found.hops[0]
        lines = why_lines(found, _step_of(session))
        return Answer(lines, title=f"Why is {hop.cell} = {plain_number(hop.value)}?")

    return takes_long(text, follow, "asking why")


def why_lines(found: "Why", step_of: Callable[[int], str] = "step {}".format) -> tuple[str, ...]:
    """Write a chain, a hop a line: the cell, its step by `step_of`, its line; last the cause."""
    width = max(len(hop.cell) for hop in found.hops)
    values = [plain_number(hop.value) for hop in found.hops]
    widest = max(map(len, values))
    steps = ["" if hop.step is None else step_of(hop.step) for hop in found.hops]
    room = max(8, *map(len, steps))
    lines = []
    for hop, text, step in zip(found.hops, values, steps, strict=True):
        lines.append(f"{hop.cell:<{width}} = {text:<{widest}}  {step:<{room}}  {hop.text}".rstrip())
    return (*lines, f"cause     {found.cause.text}")


def _step_of(session: "Session") -> Callable[[int], str]:
    """Return how a step is written: with its iteration, where that is not the present one."""
    length, place = len(session.program), session.place
    here = (place - 1 if session.finished else place) // length

    def written(step: int) -> str:
        iteration = step // length
        return f"step {step}" if iteration == here else f"it {iteration} step {step}"

    return written


def plain_number(number: float) -> str:
    """Write a number with six digits at most."""
    return f"{number:.6g}"


def _questions(session: "Session", text: Typed) -> Answer:
    name, index = cell(text, session)
    offered = session.questions(name, index)
    width = max(len(each.text) for each in offered)
    lines = tuple(f"{each.text:<{width}}  {each.command}" for each in offered)
    return Answer(lines, title=f"What can be asked about {cell_name(name, index)}")


def _unchanged(session: "Session", text: Typed) -> Answer:
    name, index = cell(text, session)
    found = session.unchanged(name, index)
    if found is None:
        if session.program.tensors[name].role is not Role.PARAMETER:
            raise text.error(f"{name} is no parameter: each pass computes it, or leaves it, anew")
        return says(f"The last update, if there was one, has changed {cell_name(name, index)}.")
    return says(f"{found.cell} is as it was before the last update: {found.text}")


def _factors(session: "Session", text: Typed) -> Answer:
    name, index = cell(text, session)
    if session.program.tensors[name].role not in (Role.GRADIENT, Role.VALUE, Role.LOSS):
        raise text.error(f"{name} is no gradient, and no value of the forward pass")

    def follow(_: object) -> Answer:
        found = session.factors(name, index)
        if session.interrupted:
            return INTERRUPTED
        title = f"What makes {cell_name(name, index)} so small or large?"
        return Answer(tuple(_factor_lines(found, _step_of(session))), title=title)

    return takes_long(text, follow, "following a value")


def _factor_lines(found: "Factors", step_of: Callable[[int], str]) -> Iterator[str]:
    width = max(len(hop.cell) for hop in found.hops)
    steps = ["" if hop.step is None else step_of(hop.step) for hop in found.hops]
    room = max(8, *map(len, steps))
    for hop, step in zip(found.hops, steps, strict=True):
        factor = "" if hop.factor is None else f"{plain_number(hop.factor)} times the next"
        number = plain_number(hop.value)
        yield f"{hop.cell:<{width}} = {number:<12}  {step:<{room}}  {factor}".rstrip()
    for layer, factor_of_all in found.layers:
        yield f"layer {layer}: {plain_number(factor_of_all)} times"
    yield found.sentence


def _what_if(session: "Session", text: Typed) -> Answer:
    found = text.cut(_EQUALS)
    if found is None:
        raise text.end.error("another value is asked for as in: whatif W1[0, 1] = 0.5")
    target, new = found
    name, index = cell(target, session)
    number, loss = value(new, session), session.program.loss

    def run(_: object) -> Answer:
        from nnstep.engine.explain.what_if import GivenUpError

        try:
            answer = session.what_if(name, index, number)
        except GivenUpError:
            return INTERRUPTED
        lines = (
            f"as it is           {loss} = {answer.before!r}",
            f"as the gradient    {loss} = {_predicted(answer.predicted)}",
            f"as it comes out    {loss} = {answer.exact!r}",
            answer.sentence,
        )
        return Answer(lines, told=answer.sentence, title=f"What if {cell_name(name, index)}?")

    return takes_long(target, run, "running the pass")


def _predicted(number: float | None) -> str:
    return "no number: there is no derivative by a class" if number is None else repr(number)


def _when(session: "Session", text: Typed) -> Answer:
    expression(text, session.program.tensors, "a condition, such as norm(dW1) < 1e-6,")

    def look(_: object) -> Answer:
        place = session.first_time(text.text)
        if session.interrupted:
            return INTERRUPTED
        if place is None:
            return says(f"{text.text} has not been so in this run, up to step {session.newest}.")
        if place == 0:
            return says(f"{text.text} is so from the start.")
        if place != session.place:
            session.trail.leave(session.place)
        code = session.line_of(place - 1).code
        said = f"{text.text} was so first after step {place - 1}, {code}"
        said += f", in iteration {session.clock.iteration(place - 1)}."
        return finished(go(session, text, place, said), session)

    return takes_long(text, look, "looking back")


COMMANDS = (
    Command(
        "why",
        "CELL [at STEP]",
        "follow a cell to the cause of its value",
        "why dW2[0, 1]",
        _why,
        (),
        "Of what a cell was computed from, the largest term and the telling factor are followed: "
        "to an edit, a line of your own, the step that made a NaN, a ReLU that is off, a saturated "
        "unit, a frozen parameter, a learning rate of 0, the data, or a first value.",
    ),
    Command(
        "questions",
        "CELL",
        "list what can be asked of a cell, and which command answers it",
        "questions W1[0, 1]",
        _questions,
    ),
    Command(
        "unchanged",
        "CELL",
        "say why the last update left a weight as it was",
        "unchanged W1[0, 1]",
        _unchanged,
        (),
        "It may be frozen, its gradient or the learning rate 0, the gradient clipped, or the "
        "change too small for the digits that a number has.",
    ),
    Command(
        "factors",
        "CELL",
        "say what makes a value so small or large, layer by layer",
        "factors dW1[0, 1]",
        _factors,
        (),
        "The cells that it was computed from are followed; each is a factor times the next, and "
        "the factors of a layer are multiplied.",
    ),
    Command(
        "whatif",
        "CELL = VALUE",
        "say what the loss would be if a cell were another",
        "whatif W1[0, 1] = 0.5",
        _what_if,
        (),
        "The loss of this pass as it is, as the gradient predicts it, and as it comes out. The run "
        "stays as it is.",
    ),
    Command(
        "when",
        "CONDITION",
        "find the first step after which something was so, and go there",
        "when dW1[0, 0] < 1e-6",
        _when,
    ),
)


def why_as_json(found: "Why", dtype: "npt.DTypeLike") -> dict[str, Any]:
    """Return a chain and its cause as objects for JSON, with numbers as in a trace."""

    def number(value: float) -> Any:
        return plain(np.asarray(value, None if isinstance(value, int) else dtype))

    cause = found.cause
    return {
        "hops": [
            {"cell": hop.cell, "value": number(hop.value), "step": hop.step, "text": hop.text}
            for hop in found.hops
        ],
        "cause": {
            "kind": cause.kind,
            "cell": cause.cell,
            "step": cause.step,
            "text": cause.text,
        },
    }
