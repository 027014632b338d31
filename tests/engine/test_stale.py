"""What is stale is followed step by step, and the same as if all were followed from the start."""

from collections.abc import Set
from random import Random

from building import expression, network, optimizer, shuffled
from in_one_test import each_of

from nnstep.engine.history.stale import Following, stale_tensors
from nnstep.engine.machine.edit import Edit
from nnstep.engine.program.compile import program_of
from nnstep.engine.program.program import Phase, Program
from nnstep.engine.scenario.model import Scenario

CASES = (
    network((2, 2, 1), optimized=optimizer(momentum=0.5)),
    expression("b = a * a\nc = b + a\nd = c * b", "d", optimized=optimizer("sgd", 0.1), a=2.0),
    shuffled(3),
)


def followed(program: Program, place: int, edits: list[tuple[str, int]]) -> set[str]:
    """Follow everything: each version of a tensor has a number, and what goes back to which."""
    recent = [(name, at) for name, at in edits if at > place - 2 * len(program)]
    if not recent:
        return set()
    version = {name: (name, -1) for name, _ in recent}
    carried = {name: {version[name]} for name in version}
    replaced: set[tuple[str, int]] = set()
    for now in range(max(0, recent[0][1] - len(program)), place + 1):
        for number, (name, at) in enumerate(recent):
            if at == now:
                replaced.add(version[name])
                version[name] = name, 2 * now * len(recent) + number
                carried[name] = {version[name]}
        line = program.instructions[now % len(program)]
        read = set().union(*(carried.get(name, set()) for name in line.reads))
        if now < place:
            for name in line.writes:
                carried[name] = set() if line.phase is Phase.UPDATE else set(read)
                if name in version:
                    version[name] = name, (2 * now + 1) * len(recent)
                    carried[name].add(version[name])
    return {name for name, back_to in carried.items() if back_to & replaced}


@each_of("case", CASES)
def test_what_is_stale_is_what_goes_back_to_a_version_that_an_edit_has_replaced(
    case: Scenario,
) -> None:
    program, choose = program_of(case), Random(0)
    place, edits, met = 0, list[Edit](), 0
    following = Following(program)
    for _ in range(120):
        if choose.random() < 0.4:
            edits.append(Edit(place, choose.choice([*program.tensors]), (), 0.0))
        elif choose.random() < 0.1 and edits[-1:] and edits[-1].place == place:
            edits.pop()
        else:
            place = max(0, place + choose.choice([1, 1, 1, 2, len(program), -1, -3]))
            edits = [edit for edit in edits if edit.place <= place]
        expected = followed(program, place, [(edit.name, edit.place) for edit in edits])
        for stale in (stale_tensors(program, place, edits), following.stale(place, edits)):
            assert {name for name in program.tensors if name in stale} == expected
            assert {*stale} == stale == expected
        met += len(expected)
    assert met > 100


@each_of("case", CASES)
def test_what_is_followed_of_a_course_is_the_same_wherever_one_goes_on_it(case: Scenario) -> None:
    program, choose = program_of(case), Random(1)
    length, newest, met = len(program), 0, 0
    edits, following = list[Edit](), Following(program)
    handed_out, left = list[tuple[Set[str], set[str]]](), (0, edits)
    for _ in range(60):
        for _ in range(choose.choice([0, 1, 1, 5])):
            edits.append(Edit(newest, choose.choice([*program.tensors]), (), 0.0))
        newest += choose.choice([1, 2, 2, length, 5 * length])
        for _ in range(3):
            place = max(0, newest - choose.choice([0, 1, 3, length, 3 * length, 20 * length]))
            stale = following.stale(place, edits)
            made = [(edit.name, edit.place) for edit in edits if edit.place <= place]
            expected = followed(program, place, made)
            assert stale == expected
            handed_out.append((stale, expected))
            met += len(expected)
        if choose.random() < 0.2:
            left = newest, edits
            newest = max(0, newest - choose.choice([1, length, 4 * length]))
            edits = [edit for edit in edits if edit.place < newest]
        elif choose.random() < 0.3:  # to another course, which is the same up to somewhere
            (newest, edits), left = left, (newest, edits)
    assert met > 100
    for stale, expected in handed_out:
        assert stale == expected
