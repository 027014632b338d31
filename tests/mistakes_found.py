"""Which means find which classic mistake: each is planted all over the gallery, and looked for."""

from collections.abc import Iterator, Sequence
from functools import cache

from built_in import built_in
from msgspec import Struct

from nnstep.engine import Session
from nnstep.engine.machine.edit import Override
from nnstep.engine.machine.start import run_length
from nnstep.engine.override.comparison import compared
from nnstep.engine.override.mistakes import MISTAKES, fitting, planted
from nnstep.engine.program.program import Phase
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.verification.verdict import BAD

PASSES = 60
"""So many iterations are looked at for faults, at most."""


class Found(Struct, frozen=True):
    """What found a mistake in a scenario; `told` is what the comparison says that it looks like."""

    scenario: str
    mistake: str
    verification: bool
    faults: bool
    comparison: bool
    told: str


@cache
def fitting_in(name: str) -> Sequence[str]:
    """Return the mistakes that fit into a built-in scenario."""
    return fitting(built_in(name))


def found_in(name: str) -> Iterator[Found]:
    """Plant every mistake that fits into a built-in scenario, and yield what finds it."""
    scenario = built_in(name)
    mistakes = fitting_in(name)
    own = faults_of(scenario, None) if mistakes else set()
    for mistake in mistakes:
        made = planted(scenario, mistake)
        differs, told = beside_the_rule(scenario, made)
        faults = bool(faults_of(scenario, made) - own)
        yield Found(name, mistake, fails_to_verify(scenario, made), faults, differs, told)


def table(found: Sequence[Found]) -> str:
    """Write in how many of the scenarios that a mistake fits into each means finds it."""
    lines = [
        "| mistake | what it is | verification | faults | comparison |",
        "|---|---|---|---|---|",
    ]
    for mistake in MISTAKES.values():
        own = [one for one in found if one.mistake == mistake.name]
        means = ([one.verification for one in own], [one.faults for one in own])
        cells = [*means, [one.comparison and bool(one.told) for one in own]]
        counts = " | ".join(f"{sum(each)} of {len(each)}" for each in cells)
        lines.append(f"| `{mistake.name}` | {mistake.description} | {counts} |")
    return "\n".join(lines)


def session_with(scenario: Scenario, made: Override | None) -> Session:
    length = run_length(scenario) or PASSES
    session = Session(scenario, iterations=min(length, PASSES))
    if made is not None:
        session.override(f"{made.line} in {made.phase} {made.nth}")
    return session


def fails_to_verify(scenario: Scenario, made: Override) -> bool:
    """Whether the gradients of the first pass, as they stand at its end, do not agree."""
    session = session_with(scenario, made)
    lines = session.program.instructions
    session.seek(
        next((at for at, line in enumerate(lines) if line.phase == Phase.UPDATE), len(lines))
    )
    return any(one.verdict in BAD for one in session.verify(sample=50).tensors)


def faults_of(scenario: Scenario, made: Override | None) -> set[tuple[str, str]]:
    """The kinds of faults that a run has, each with its tensor."""
    session = session_with(scenario, made)
    session.run()
    return {(fault.name, fault.tensor) for fault in session.faults if fault.level != "info"}


def beside_the_rule(scenario: Scenario, made: Override) -> tuple[bool, str]:
    """Whether the line's numbers differ from the rule's in the first pass, and what is said."""
    session = session_with(scenario, made)
    session.seek(made.position)
    own = compared(
        scenario, session.program, session.program.instructions[made.position], session.values()
    )
    assert own is not None
    return bool(own.different), own.mistake
