"""A check of a scenario file: whether it loads, and its gradients and printed numbers are right.

It runs to the last iteration that an expectation names, verifies the gradients of the first and of
the last pass, and tells what faults the run has.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec import Struct

from nnstep.engine.expectations import Judgement, judged, place_of, when
from nnstep.engine.faults.fault import Fault
from nnstep.engine.loading import load
from nnstep.engine.machine.start import run_length
from nnstep.engine.misprints import explained
from nnstep.engine.program.program import CompileError
from nnstep.engine.scenario.errors import ScenarioError
from nnstep.engine.scenario.model import Expectation, Scenario
from nnstep.engine.session.session import Session
from nnstep.engine.text import cell_name, printable
from nnstep.engine.trace import plain
from nnstep.engine.verification.explanation import explanations
from nnstep.engine.verification.verdict import BAD, TensorCheck, Verdict, Verification

SAMPLE = 200
"""How many cells are verified where there are many; see `Session.verify`."""

Kind = Literal["scenario", "gradient", "expect", "fault"]


class Item(Struct, frozen=True, kw_only=True):
    """One thing that was looked at, and whether it is `ok`.

    Of an expectation, `expected` is the printed number and `got` the value; of a gradient they are
    the numeric one and the one computed, of its worst cell. The `iteration` is "start" for a first
    value. What does not apply is None.
    """

    file: str
    kind: Kind
    at: str | None = None
    iteration: int | Literal["start"] | None = None
    cell: tuple[int, ...] | None = None
    expected: str | float | None = None
    got: float | None = None
    ok: bool
    text: str


def check(
    path_or_name: str | Path,
    warn: Callable[[str], None] | None = None,
    changed: Callable[[Scenario], Scenario] = lambda scenario: scenario,
) -> Iterator[Item]:
    """Yield what there is to say of a scenario, one thing after the other.

    A file that does not load gives an item for each of its mistakes. `warn` is told what is
    doubtful in it; what is checked is the scenario as it is `changed` first.
    """
    file = printable(str(path_or_name))
    try:
        scenario = load(path_or_name)
        for warning in scenario.warnings if warn else ():
            warn(warning)  # type: ignore[misc]
        yield Item(file=file, kind="scenario", ok=True, text=printable(scenario.title))
        yield from _checked(file, changed(scenario))
    except ScenarioError as error:
        for problem in error.problems:
            yield Item(file=file, kind="scenario", ok=False, text=str(problem))
    except CompileError as error:
        yield Item(file=file, kind="scenario", ok=False, text=printable(error.message))


def _checked(file: str, scenario: Scenario) -> Iterator[Item]:
    passes = passes_of(scenario)
    session = Session(scenario, iterations=passes)
    last = (passes - 1) * len(session.program)
    reached = [each for each in scenario.expectations if (each.iteration or 0) < passes]
    due = {place_of(each, session.program): list[Expectation]() for each in reached}
    for each in reached:
        due[place_of(each, session.program)].append(each)
    judgements: list[Judgement] = []
    verified = [(0, session.verify(sample=SAMPLE))]
    for place in sorted({*due, last}):
        _run_to(session, place)
        if place == last > 0:
            verified.append((passes - 1, session.verify(sample=SAMPLE)))
        for expectation in due.get(place, ()):
            judgements += judged(expectation, session.value(expectation.at))
    _run_to(session, passes * len(session.program))
    for iteration, verification in verified:
        yield from _gradients(file, iteration, verification)
    yield from _expected(file, scenario, judgements)
    for expectation in scenario.expectations:
        if expectation not in reached:
            yield from _not_reached(file, expectation, passes)
    for fault in session.faults:
        yield _fault(file, fault, ok=not scenario.run.without_faults)


def passes_of(scenario: Scenario) -> int:
    """Return how many iterations a check runs: to the last that is named, at most the run's."""
    named = [each.iteration for each in scenario.expectations if each.iteration is not None]
    length = run_length(scenario)
    passes = max(named, default=0) + 1
    return passes if length is None else max(1, min(passes, length))


def _run_to(session: Session, place: int) -> None:
    """Execute to a place, whatever a breakpoint or a fault may say."""
    if session.place < place:
        session.run(lambda step: session.place >= place)


# Items


def _gradients(file: str, iteration: int, verification: Verification) -> Iterator[Item]:
    """Yield an item for each parameter's gradient."""
    for one in verification.tensors:
        worst = one.worst
        yield Item(
            file=file,
            kind="gradient",
            at=one.gradient,
            iteration=iteration,
            cell=worst.index if worst else None,
            expected=worst.numeric if worst else None,
            got=worst.analytic if worst else None,
            ok=one.verdict not in BAD,
            text=_gradient_text(one, iteration, verification),
        )


def _gradient_text(one: TensorCheck, iteration: int, verification: Verification) -> str:
    where = f"{one.gradient} of iteration {iteration}"
    cells = f"{one.checked} of {one.size} cells"
    if one.verdict is Verdict.NOT_FINITE:
        return f"{where} is not finite, and so not verified"
    if one.verdict is Verdict.UNDECIDED:
        return f"{where} could not be verified: kinks, or too small to tell from rounding errors"
    if one.verdict not in BAD:
        error = f", to {one.worst.error:.0e}" if one.worst else ""
        return f"{where} is right: {cells} agree with central differences{error}"
    verdict = "is wrong" if one.verdict is Verdict.FAIL else "is doubtful"
    alone = msgspec.structs.replace(verification, tensors=(one,))
    reasons = "".join(f". {each}" for each in explanations(alone)).rstrip(".")
    if one.worst is None:
        return f"{where} {verdict}{reasons}"
    cell = cell_name(one.gradient, one.worst.index)
    numbers = f"{cell} is {one.worst.analytic:.6g}, by central differences {one.worst.numeric:.6g}"
    return f"{where} {verdict}: {numbers}{reasons}"


def _expected(file: str, scenario: Scenario, judgements: list[Judgement]) -> Iterator[Item]:
    """Yield an item for each cell of an expectation, in the order of the file."""
    order = {id(each): at for at, each in enumerate(scenario.expectations)}
    judgements = sorted(judgements, key=lambda one: order[id(one.expectation)])
    failed = [one for one in judgements if not one.ok and not one.agrees]
    rules = dict(zip(map(id, failed), explained(scenario, failed), strict=True))
    for one in judgements:
        rule = rules.get(id(one), "")
        yield Item(
            file=file,
            kind="expect",
            at=one.expectation.at,
            iteration=_iteration(one.expectation),
            cell=one.cell,
            expected=one.printed,
            got=one.got,
            ok=one.ok,
            text=f"{one}. {rule}" if rule else str(one),
        )


def _iteration(expectation: Expectation) -> int | Literal["start"]:
    return "start" if expectation.iteration is None else expectation.iteration


def _not_reached(file: str, expectation: Expectation, passes: int) -> Iterator[Item]:
    for cell, printed in expectation.printed:
        what = f"{cell_name(expectation.at, cell)} = {printed} {when(expectation)}"
        yield Item(
            file=file,
            kind="expect",
            at=expectation.at,
            iteration=_iteration(expectation),
            cell=cell,
            expected=printed,
            ok=False,
            text=f"{what} is never reached: the run ends after iteration {passes - 1}",
        )


def _fault(file: str, fault: Fault, ok: bool) -> Item:
    return Item(
        file=file,
        kind="fault",
        at=fault.tensor,
        iteration=fault.iteration,
        got=fault.value,
        ok=ok,
        text=printable(f"{fault}. {fault.advice}"),
    )


# Writing


def as_json(items: Iterable[Item]) -> str:
    """Return the items as a JSON list; numbers are as in a trace."""
    return msgspec.json.format(msgspec.json.encode(list(map(_plain, items))), indent=2).decode()


def _plain(item: Item) -> dict[str, Any]:
    fields = msgspec.structs.asdict(item)
    for name in ("expected", "got"):
        if isinstance(fields[name], float):
            fields[name] = plain(np.array(fields[name]))
    return fields


def as_lines(items: Iterable[Item]) -> Iterator[str]:
    """Yield the lines that tell of one file's items: all that is wrong, in short what is right."""
    items = list(items)
    wrong = [item for item in items if not item.ok]
    if all(item.kind == "scenario" for item in wrong) and wrong:
        yield from (item.text for item in wrong)
        return
    file = items[0].file
    yield f"{file}: {', '.join(_counts(items)) or 'it loads'}"
    for item in items:
        if not item.ok:
            yield f"  {item.kind.upper()}  {item.text}"
        elif item.kind == "fault":
            yield f"  fault  {item.text}"


def _counts(items: list[Item]) -> Iterator[str]:
    gradients = [item for item in items if item.kind == "gradient"]
    unsure = [item for item in gradients if item.ok and not _is_verified(item)]
    yield from _count([item for item in gradients if item not in unsure], "gradient")
    if unsure:
        yield f"{_noun(len(unsure), 'gradient')} not verified"
    yield from _count([item for item in items if item.kind == "expect"], "printed number")


def _is_verified(item: Item) -> bool:
    """Tell whether a gradient could be compared: else it has no number, or no finite one."""
    return item.got is not None and math.isfinite(item.got)


def _count(found: list[Item], noun: str) -> Iterator[str]:
    right = sum(item.ok for item in found)
    if found and right == len(found):
        yield f"{_noun(right, noun)} right"
    elif found:
        yield f"{len(found) - right} of {_noun(len(found), noun)} not right"


def _noun(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
