"""What a wide strip says besides rule, numbers and meaning: where it is from, where it goes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nnstep.engine.program.program import Phase, Role
from nnstep.engine.session.snapshot import Snapshot
from nnstep.engine.text import cell_name
from nnstep.tui.numbers import direction, to_significant

from .scene import Scene

if TYPE_CHECKING:
    from nnstep.engine.explain.explanation import Explanation, Source
    from nnstep.engine.verification.verdict import Verification

Labelled = tuple[str, list[tuple[str, str]]]
"""A line of the strip: its label, and texts with what each of them says by its colour."""

# So many lines a strip has that says where a value goes, and one that says what its factors are.
_TALL, _TALLEST = 6, 10
# The columns of a line of the program before what is said of it.
_CODE = 40
_ORIGINS = {"first": "first value", "edit": "typed in", "data": "data", "step": ""}


def besides(
    why: "Explanation", snapshot: Snapshot, scene: Scene, width: int, height: int
) -> Iterator[Labelled]:
    """Yield what a strip of so many lines says below the meaning, `width` columns after a label."""
    sources = _largest(why)
    yield from _from(sources, why, snapshot, width)
    if height < _TALL:
        return
    if text := _feeds(why, snapshot, width):
        yield "feeds", [(text, "text")]
    yield "before", [(_before(scene.insight.replaced, why.value), "text")]
    if height >= _TALLEST:
        if text := _factors(sources, snapshot):
            yield "factors", [(text, "text")]
        if text := _check(why, snapshot, scene.verified):
            yield "check", [(text, "text")]


def _largest(why: "Explanation") -> list["Source"]:
    """Return two sources: the factors of the largest term, or else the largest cells."""
    if why.terms:
        return list(why.foremost[:2])
    largest = sorted(why.foremost, key=lambda source: -abs(source.value))[:2]
    return [source for source in why.foremost if source in largest]


def _from(
    sources: list["Source"], why: "Explanation", snapshot: Snapshot, width: int
) -> Iterator[Labelled]:
    """Yield sources, each with the step and the line that wrote it."""
    lines, count = snapshot.program.instructions, len(snapshot.program)
    here = lines[(why.step or 0) % count].phase
    shares = {each.cell: term.share for term in why.terms for each in term.factors[::-1]}
    for order, source in enumerate(sources):
        step = f"step {source.step}" if source.step is not None else _ORIGINS[source.origin]
        text, said = f"{source.cell:<11} {to_significant(source.value, 6):<10} {step:<12}", ""
        kept = source.step is not None and here is Phase.BACKWARD
        if kept and lines[(source.step or 0) % count].phase is Phase.FORWARD:
            said = "kept from the forward pass"
        elif len(why.terms) > 1 and not why.cancels and shares.get(source.cell, 0) >= 0.01:
            said = f"{shares[source.cell]:.0%} of it".replace("%", " %")
        text += _with_line(source.code, said, width - len(text))
        yield ("from" if order == 0 else ""), [(text.rstrip(), "text")]


def _with_line(code: str, said: str, width: int) -> str:
    """Write a line of the program and what is said of it: in two columns, closer, or not at all."""
    padded = f"{code:<{_CODE}} {said}".rstrip()
    close = f"{code}   {said}".rstrip()
    return next((each for each in (padded, close) if len(each) <= width), code)


def _feeds(why: "Explanation", snapshot: Snapshot, width: int) -> str:
    """Say which line reads the tensor next."""
    lines, count = snapshot.program.instructions, len(snapshot.program)
    start = (why.step or 0) + 1
    shape = snapshot.tensors[why.name].shape
    for place in range(start, start + count):
        line = lines[place % count]
        if why.name in line.reads:
            target = line.writes[0]
            alike = snapshot.program.tensors[target].shape == shape
            cell = cell_name(target, why.index) if alike else target
            run = "" if place < snapshot.place else "not run yet"
            text = f"{cell:<22} {f'step {place}':<12}"
            return text + _with_line(line.code, run, width - len(text))
        if why.name in line.writes:
            return ""
    return ""


def _before(replaced: float | None, value: float) -> str:
    """Say what the cell was before its step."""
    if replaced is None:
        return "no value yet: this is the first iteration"
    return (
        f"{to_significant(replaced, 10)}   {direction(replaced, value)} "
        f"{to_significant(value - replaced, 6, '+')}"
    )


def _factors(sources: list["Source"], snapshot: Snapshot) -> str:
    """Say in words what the sources are, where there are plain ones that tell them apart."""
    from nnstep.engine.explain.words import in_words

    said = [
        (to_significant(source.value, 6), in_words(source.name, source.index, snapshot.program))
        for source in sources
    ]
    if len({words for _, words in said}) < len(said):
        return ""
    return "      ".join(f"{value}  {words}" for value, words in said if words)


def _check(why: "Explanation", snapshot: Snapshot, verified: "Verification | None") -> str:
    """Say whether a gradient was compared with difference quotients in this pass."""
    tensor = snapshot.program.tensors[why.name]
    of = snapshot.program.tensors.get(tensor.of or "")
    if tensor.role is not Role.GRADIENT or of is None or of.role is not Role.PARAMETER:
        return ""
    found = (
        next((each for each in verified.tensors if each.gradient == why.name), None)
        if verified
        else None
    )
    if found is None:
        return "not compared with a difference quotient here yet: v"
    worst = f"; the worst is {found.cell}, {found.worst.error:.1e} apart" if found.worst else ""
    compared = f"{found.checked} of {found.size} cells compared with difference quotients"
    return f"{compared}: {found.verdict}{worst}"
