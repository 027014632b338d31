"""Which tensors a pass has computed from a line that a person wrote, down to a step."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nnstep.engine.history.timeline import Timeline


def rests_on(timeline: "Timeline", step: int) -> tuple[str, ...]:
    """Return the tensors of overridden lines that a step's value was computed from, in its pass.

    The step's own line is not among them; a value that an earlier pass left counts for itself.
    """
    program = timeline.program
    start = step - step % len(program)
    own = timeline.first_program.own_lines | {
        each.position for each in timeline.current.overrides_until(step)
    }
    here = {at: timeline.line_of(start + at) for at in own if start + at <= step}
    if not any(line.rule for line in here.values()):
        return ()
    rests: dict[str, frozenset[str]] = {}
    read: frozenset[str] = frozenset()
    for at in range(min(here), step - start + 1):
        line = here.get(at, program.instructions[at])
        read = frozenset[str]().union(*(rests.get(name, frozenset()) for name in line.reads))
        own_name = {line.writes[0]} if line.rule else frozenset[str]()
        for name in line.writes:
            rests[name] = read | own_name
    return tuple(name for name in program.tensors if name in read)
