"""Commands that explain a cell: how it got its value, and what is computed from it."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnstep.engine.arrays import Shape
from nnstep.engine.language.nodes import Index, Name
from nnstep.engine.language.parsed import expression
from nnstep.engine.language.typed import Typed, blaming
from nnstep.engine.program.program import Phase
from nnstep.engine.text import cell_name, did_you_mean, quoted
from nnstep.engine.trace import plain

from .command import INTERRUPTED, Answer, Command, says, takes_long
from .reading import cell

if TYPE_CHECKING:
    import numpy.typing as npt

    from nnstep.engine.explain.explanation import Explanation, Reader
    from nnstep.engine.session.session import Session

_AT = re.compile(r"\bat\b")
_TENSOR = re.compile(r"(?P<name>\w+)(@(?P<iteration>\d{1,15}))?")
_MOST_READERS, _MOST_SOURCES = 40, 8


def _explained(session: "Session", text: Typed) -> "Explanation":
    """Read a cell, perhaps with a step, and return how it was computed."""
    name, index, step = cell_at_step(session, text)
    with blaming(text):
        return session.explain(name, index, step)


def _explain(session: "Session", text: Typed) -> Answer:
    return Answer(tuple(explanation_lines(_explained(session, text))))


def _inside(session: "Session", text: Typed) -> Answer:
    found = _explained(session, text)
    if len(found.reductions) < 2:
        raise text.error(f"there is nothing to calculate in {found.cell}")
    wrote = f"step {found.step}, {found.code}"
    lines = (f"  {each}" for each in found.reductions)
    return Answer((f"{found.cell} = {found.value!r}, by {wrote}:", *lines), title="Inside a cell")


def cell_at_step(session: "Session", text: Typed) -> tuple[str, Shape, int | None]:
    """Read a cell of a tensor, and behind `at` a step, None if none is given."""
    parts = text.cut(_AT)
    step = step_meant(session, parts[1]) if parts else None
    return *cell_meant(session, parts[0] if parts else text), step


def cell_meant(session: "Session", text: Typed) -> tuple[str, Shape]:
    """Read a cell of a tensor of the program, which need not have a value yet."""
    match expression(text, session.program.tensors, "a cell, such as W1[0, 1],"):
        case Name(name):
            return name, ()
        case Index(Name(name), index):
            places = tuple(item for item in index if isinstance(item, int))
            if len(places) == len(index):
                return name, places
    raise text.error("that is no cell; write one as in W1[0, 1], or lr")


def step_meant(session: "Session", text: Typed) -> int:
    """Read a step: its number, or a tensor, whose last line in iteration 0, or in @N, is meant."""
    if not text or text.is_number:
        return text.number("a step")
    found, tensors = _TENSOR.fullmatch(text.text), session.program.tensors
    if found is None or found["name"] not in tensors:
        hint = did_you_mean(text.text.partition("@")[0], tensors)
        raise text.error(
            f"there is no tensor {quoted(text.text)}{hint}; a step is a number, or a tensor and an "
            "iteration as in dW2@3"
        )
    lines = session.program.instructions
    positions = [at for at, line in enumerate(lines) if found["name"] in line.writes]
    if not positions:
        raise text.error(f"no line writes {found['name']}; give the number of a step")
    return int(found["iteration"] or 0) * len(lines) + positions[-1]


def first_backward_step(session: "Session") -> int:
    """Return the last step of phase backward of iteration 0."""
    lines = session.program.instructions
    return max(at for at, line in enumerate(lines) if line.phase is Phase.BACKWARD)


def explanation_lines(explanation: "Explanation") -> Iterator[str]:
    """Yield an explanation, a fact a line: what the strip of the screen says."""
    yield from strip_lines(explanation)
    for source in explanation.foremost[:_MOST_SOURCES]:
        where = f"step {source.step}  {source.code}" if source.code else _origin(source.origin)
        yield f"from      {source.cell} = {source.value!r}  {where}"
    if (more := len(explanation.sources) - _MOST_SOURCES) > 0:
        yield f"          and {more:,} more"


def strip_lines(explanation: "Explanation") -> Iterator[str]:
    """Yield the first lines of the strip: the cell, its rule, its numbers, what it means."""
    shapes = f"   {explanation.shapes}" if explanation.shapes else ""
    of = "" if explanation.old is None else f", of iteration {explanation.old}"
    yield f"{explanation.cell} = {explanation.value!r}{of}{shapes}"
    rule = "      ".join(filter(None, (explanation.rule, explanation.general)))
    if explanation.step is not None:
        rule = f"{rule or explanation.code}      step {explanation.step}"
    said = explanation.sentence or (
        _origin(explanation.origin).capitalize() + "." if explanation.origin != "step" else ""
    )
    own = explanation.comparison
    labelled = (
        ("rule", rule),
        ("numbers", explanation.printed or explanation.was),
        ("meaning", said),
        ("special", explanation.special),
        ("≠", own.beside(explanation.index) if own else ""),
        ("", own.verdict if own else ""),
        ("", own.mistake if own else ""),
        ("rests on", ", ".join(f"your {name} (≠)" for name in explanation.rests_on)),
    )
    yield from (f"{label:<10}{text}" for label, text in labelled if text)


def _origin(origin: str) -> str:
    return {"first": "a first value", "data": "from the data", "edit": "typed in"}.get(origin, "")


def narrated(session: "Session") -> tuple[str, ...]:
    """Return the strip's lines for the cell in question; none before the first step."""
    session.question.follow()
    place, lines = session.place, session.program.instructions
    last = lines[(place - 1) % len(lines)] if place else None
    asked = session.question.cell(last, session.values())
    return tuple(strip_lines(session.explain(*asked))) if asked else ()


def _readers(session: "Session", text: Typed) -> Answer:
    name, index = cell(text, session)

    def look(_: object) -> Answer:
        found = session.readers(name, index)
        if session.interrupted:
            return INTERRUPTED
        if not found:
            return says(f"Nothing is computed from {cell_name(name, index)}.")
        return Answer(tuple(_reader_lines(session, found)))

    return takes_long(text, look, "looking for readers")


def _reader_lines(session: "Session", found: "Sequence[Reader]") -> Iterator[str]:
    shown = found[:_MOST_READERS]
    width = max(len(reader.cell) for reader in shown)
    for reader in shown:
        value = f"= {reader.value!r}{_old(session, reader)}"
        told = "not run yet" if reader.value is None else value
        yield f"{reader.cell:<{width}}  step {reader.step}  {reader.code}  {told}"
    if more := len(found) - len(shown):
        yield f"and {more:,} more"


def _old(session: "Session", reader: "Reader") -> str:
    """Say of which iteration a value is that the pass under way has not computed yet."""
    size = len(session.program)
    is_old = reader.name in session.old and reader.step // size < session.place // size
    return f", of iteration {reader.step // size}" if is_old else ""


def _cell(session: "Session", text: Typed) -> Answer:
    name, index = cell(text, session)
    session.question.choose(name, index)
    lines = tuple(strip_lines(session.explain(name, index)))
    return Answer(lines, asks=(name, index))


def _narrate(session: "Session", text: Typed) -> Answer:
    if text.text not in ("on", "off"):
        raise text.error("narrate takes on or off")
    session.question.narrates = text.text == "on"
    if not session.question.narrates:
        return says("Moves are not explained any more.")
    return Answer(("After each move, the cell in question is explained.", *narrated(session)))


COMMANDS = (
    Command(
        "explain",
        "CELL [at STEP]",
        "say how a cell got its value",
        "explain dW2[0, 1]",
        _explain,
        (),
        "With a step, as the value was just after it: explain W1[0, 0] at 14. A step can also be "
        "a tensor, for the line that writes it: at dW2, or at dW2@3 in iteration 3.",
    ),
    Command(
        "inside",
        "CELL [at STEP]",
        "calculate a cell, one part after the other becoming its value",
        "inside z1[0, 1]",
        _inside,
        (),
        "Each line has the calculation with one more part replaced by its value; the last is the "
        "value of the cell. On the screen, a key goes through them one by one.",
    ),
    Command(
        "readers",
        "CELL",
        "list the cells that are computed from a cell",
        "readers a1[0, 1]",
        _readers,
    ),
    Command(
        "cell",
        "CELL",
        "ask for a cell, and its index in what is written next",
        "cell dW2[0, 1]",
        _cell,
    ),
    Command(
        "narrate",
        "on | off",
        "explain the cell in question after each move",
        "narrate on",
        _narrate,
        (),
        "It is the cell at the same index of the tensor just written, [0, 0] if there is none.",
    ),
)


def as_json(explanation: "Explanation", dtype: "npt.DTypeLike") -> dict[str, Any]:
    """Return an explanation as objects for JSON, with numbers as in a trace."""

    def number(value: float) -> Any:
        return plain(np.asarray(value, None if isinstance(value, int) else dtype))

    return {
        "cell": explanation.cell,
        "value": number(explanation.value),
        "step": explanation.step,
        "code": explanation.code,
        "origin": explanation.origin,
        "rule": explanation.rule,
        "symbolic": explanation.symbolic,
        "arithmetic": explanation.arithmetic,
        "definition": explanation.definition,
        "exact": explanation.exact,
        "printed": explanation.printed,
        "terms": [
            {
                "value": number(term.value),
                "share": plain(np.asarray(term.share)),
                "factors": [
                    {"cell": factor.cell, "value": number(factor.value)} for factor in term.factors
                ],
            }
            for term in explanation.terms
        ],
        "zero_terms": explanation.zero_terms,
        "rest": number(explanation.rest),
        "sources": [
            {"cell": source.cell, "value": number(source.value), "step": source.step}
            for source in explanation.sources
        ],
        "reductions": list(explanation.reductions),
        "sentence": explanation.sentence,
        **({} if explanation.old is None else {"of_iteration": explanation.old}),
    }
