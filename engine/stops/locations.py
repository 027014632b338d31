"""Where a breakpoint is set: a tensor, a phase, a layer or a line of the listing."""

from nnstep.engine.conditions import ConditionError
from nnstep.engine.program.instruction import Instruction, Phase, Program
from nnstep.engine.text import did_you_mean, quoted

Span = tuple[int, int]


def spans_of(at: str, program: Program) -> tuple[Span, ...]:
    """Return the stretches of lines that a location names, as (first, one past the last).

    Raises `ConditionError` for a location that the program does not have.
    """
    lines = program.instructions
    words = at.split()
    if at in program.tensors:
        writers = [i for i, line in enumerate(lines) if at in line.writes]
        if not writers:
            raise ConditionError(f"no line writes {at}; a watchpoint stops when it is edited")
        return ((writers[0], writers[0] + 1),)
    match words:
        case ["line", number] if number.isdecimal() and 1 <= int(number) <= len(lines):
            return ((int(number) - 1, int(number)),)
        case ["line", number]:
            raise ConditionError(f"the lines are numbered from 1 to {len(lines)}, not {number}")
        case ["layer", number] if number.isdecimal():
            found = _stretches([line.layer == int(number) for line in lines], lines)
        case [phase] if phase in list(Phase):
            found = _stretches([line.phase == phase for line in lines])
        case [phase, number] if phase in list(Phase) and number.isdecimal():
            found = _stretches(
                [line.phase == phase and line.layer == int(number) for line in lines]
            )
        case _:
            found = ()
    if not found:
        known = [*program.tensors, *Phase, *location_names(program)]
        hint = did_you_mean(at, known)
        raise ConditionError(f"the program has no tensor, phase or layer {quoted(at)}{hint}")
    return found


def location_names(program: Program) -> tuple[str, ...]:
    """Return the names of the phases and layers of a program."""
    names = {line.phase.value: None for line in program.instructions}
    for line in program.instructions:
        if line.layer is not None:
            names[f"{line.phase} {line.layer}"] = None
    return tuple(names)


def _stretches(
    inside: list[bool], parts: tuple[Instruction, ...] | None = None
) -> tuple[Span, ...]:
    """Return where a list is true, from (and with) to (and without); a new phase begins anew."""
    spans: list[Span] = []
    for i, here in enumerate(inside):
        joins = i > 0 and inside[i - 1] and (not parts or parts[i - 1].phase == parts[i].phase)
        if here and joins:
            spans[-1] = (spans[-1][0], i + 1)
        elif here:
            spans.append((i, i + 1))
    return tuple(spans)
