"""Which rule a printed number comes from, where it is not the one that the scenario has.

A few rules that authors often use in place of another are tried: the sum in place of the mean, an
error without its half, another loss, weights that are updated too early. The scenario is run by
each of them, and what gives the printed number is named.
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import inf
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from nnstep.engine.arrays import Array, Shape
from nnstep.engine.limits import MAX_WORK_AT_ONCE
from nnstep.engine.machine.losses import LossHistory
from nnstep.engine.machine.machine import Machine
from nnstep.engine.machine.start import initial_state
from nnstep.engine.operations.formula import formula
from nnstep.engine.operations.losses import LOSSES, Reduction
from nnstep.engine.program.code import work_of
from nnstep.engine.program.compile import program_of
from nnstep.engine.program.program import CompileError, Instruction, Phase, Program, Role
from nnstep.engine.scenario.model import Expectation, Loss, Network, Scenario
from nnstep.engine.text import listed

from .expectations import Judgement, agrees, digits_of, place_of

if TYPE_CHECKING:
    from nnstep.engine.session.session import Session

MOST_INSTRUCTIONS = 400_000
"""More than so many are not executed to try a rule; they take about a second."""

_OWN = "the program's own rule, without an override,"


class Rule(Struct, frozen=True):
    """Another rule: what it is called, and the scenario and the program that go by it.

    One that is `double` takes the place of two at once, and is named only where no other is. It is
    tried on tensors `of` these roles, by default on all.
    """

    name: str
    scenario: Scenario
    program: Program
    double: bool = False
    of: frozenset[Role] = frozenset(Role)


_FACTORS = {2.0: "a factor 2 more", 0.5: "a factor 2 less", -1.0: "the opposite sign"}
_TIMES = formula(lambda g, factor: factor * g)
_UPDATED = frozenset({Role.PARAMETER, Role.BUFFER})


def explained(scenario: Scenario, failed: Sequence[Judgement]) -> list[str]:
    """Return, for each printed number that does not agree, which rule gives it; "" if none does."""
    found = rules_giving(scenario, failed)
    return [_sentence(one.printed, names) for one, names in zip(failed, found, strict=True)]


def rules_giving(scenario: Scenario, failed: Sequence[Judgement]) -> list[list[str]]:
    """Return, for each printed number that does not agree, the names of the rules that give it.

    At most `MOST_INSTRUCTIONS` are executed to try a rule. A number of a single digit, which many
    rules give by chance, is looked for exactly.
    """
    found: list[list[str]] = [[] for _ in failed]
    tried = [n for n, one in enumerate(failed) if one.expectation.iteration is not None]
    tensors = program_of(scenario).tensors
    for rule in _rules(scenario) if tried else ():
        values = _values(rule, [failed[n].expectation for n in tried])
        for n in tried:
            array = values.get(_key(failed[n].expectation))
            of_rule = tensors[failed[n].expectation.at].role in rule.of
            if array is not None and of_rule and _has(array, failed[n].cell):
                known = found[n] and (rule.double or _OWN in found[n])
                if not known and _gives(failed[n], array[failed[n].cell]):
                    found[n].append(rule.name)
    for n in tried:
        found[n] = found[n] or list(_factors(scenario, failed[n]))
    return found


def explained_here(session: "Session", failed: Judgement) -> str:
    """Name the rules that give a number, where the run is that of the file; "" if none is known.

    Somebody waits for it: none is tried where that takes long.
    """
    scenario, passes = session.scenario, (failed.expectation.iteration or 0) + 1
    if passes * work_of(session.program) > MAX_WORK_AT_ONCE:
        return ""
    hunts = session.hunt is not None and not session.hunt.is_over
    if hunts or session.snapshot().branch.edits or session.seed != scenario.seed:
        return ""
    (rules,) = rules_giving(scenario, [failed])
    return listed(rules, "or").rstrip(",") if rules else ""


def _sentence(printed: str, names: Sequence[str]) -> str:
    return f"{printed} is what {listed(names, 'or')} would give" if names else ""


def _gives(failed: Judgement, value: object) -> bool:
    """Tell whether another value is the printed one."""
    exactly = (
        Fraction(0) if len(digits_of(failed.printed)) < 2 else Fraction(failed.expectation.tol)
    )
    return agrees(failed.printed, value, float(exactly))  # type: ignore[arg-type]


def _has(array: Array, cell: Shape) -> bool:
    return len(cell) == array.ndim and all(i < n for i, n in zip(cell, array.shape, strict=True))


# Rules


def _rules(scenario: Scenario) -> Iterator[Rule]:
    """Yield the rules that can be tried on a scenario, those that are double last."""
    if scenario.overrides:
        yield Rule(_OWN, scenario, program_of(scenario))
    if early := updated_early(program_of(scenario)):
        yield Rule("updated weights, used too early,", scenario, early)
    yield from _scaled(scenario)
    if scenario.network is None:
        return
    losses = list(_losses(scenario, scenario.network))
    for name, loss, double in sorted(losses, key=lambda each: each[2]):
        other = replace(scenario, network=replace(scenario.network, loss=loss))
        try:
            yield Rule(name, other, program_of(other), double)
        except CompileError:
            continue


_REDUCED: Mapping[Reduction, str] = {
    "sum": "the sum over all",
    "mean": "the mean over all",
    "batch_mean": "the mean over the rows",
}
_SQUARED = {"mse": "half_squared_error", "half_squared_error": "mse"}


def _losses(scenario: Scenario, network: Network) -> Iterator[tuple[str, Loss, bool]]:
    """Yield other losses that may stand in place of this one, what to call them, and if double."""
    loss = network.loss
    others = _reductions(scenario, network)
    for reduction in others:
        name = f"{_REDUCED[reduction]} in place of {_REDUCED[loss.reduction]}"
        yield name, replace(loss, reduction=reduction), False
    takes_numbers = LOSSES[loss.kind].targets == "probabilities" and not loss.from_logits
    if loss.kind not in _SQUARED and not takes_numbers:
        return
    kind = _SQUARED.get(loss.kind, "half_squared_error")
    error = "half a squared error" if kind == "half_squared_error" else "a squared error, unhalved,"
    if takes_numbers:
        error = f"{error}, its slope times that of the output,"
    other = replace(loss, kind=kind, options={})
    yield error, other, False
    for reduction in others:
        yield f"{error} with {_REDUCED[reduction]}", replace(other, reduction=reduction), True


def _reductions(scenario: Scenario, network: Network) -> list[Reduction]:
    """Return the other reductions of a loss, one of those that divide by the same number."""
    rows, outputs = _rows(scenario, 0), network.layers[-1].units
    of_classes = LOSSES[network.loss.kind].targets == "classes"
    divisors = {"sum": 1, "batch_mean": rows, "mean": rows if of_classes else rows * outputs}
    seen, others = {divisors[network.loss.reduction]}, list[Reduction]()
    for reduction in _REDUCED:
        if divisors[reduction] not in seen:
            seen.add(divisors[reduction])
            others.append(reduction)
    return others


def updated_early(program: Program) -> Program | None:
    """Return a program that updates each parameter as soon as its gradient is there.

    None if that makes no difference, or if gradients are clipped together before any update.
    """
    lines = program.instructions
    back = [line for line in lines if line.phase is Phase.BACKWARD]
    update = [line for line in lines if line.phase is Phase.UPDATE]
    if any(line.operation in ("norm", "clip") for line in update):
        return None
    due: dict[str, list[Instruction]] = {}
    first = []
    for line in update:
        tensor = program.tensors[line.writes[0]]
        owner = tensor.name if tensor.role is Role.PARAMETER else tensor.of
        if owner is None:
            first.append(line)
        else:
            due.setdefault(owner, []).append(line)
    ready = {gradient: name for name, gradient in program.gradients.items()}
    last = {name: at for at, line in enumerate(back) for name in line.writes}
    order, updated, differs = [*first], set[str](), False
    for at, line in enumerate(back):
        order.append(line)
        differs = differs or not updated.isdisjoint(line.reads)
        for name in line.writes:
            owner = ready.get(name)
            if owner in due and last[name] == at:
                order += due.pop(owner)
                updated.add(owner)
    if not differs:
        return None
    rest = [line for each in due.values() for line in each]
    before = [line for line in lines if line.phase not in (Phase.BACKWARD, Phase.UPDATE)]
    return replace(program, instructions=(*before, *order, *rest))


def _scaled(scenario: Scenario) -> Iterator[Rule]:
    """Yield rules whose derivative of the loss is a multiple of what it is, to the first line.

    A gradient or a loss itself is compared with its multiples without a run (`_factors`).
    """
    program = program_of(scenario)
    backward = (at for at, line in enumerate(program.instructions) if line.phase is Phase.BACKWARD)
    first = next(backward, None)
    line = None if first is None else program.instructions[first]
    if first is None or line is None or line.formula is None or not program.trained:
        return
    rows = _rows(scenario, 0) if scenario.network is None else 1
    named = {factor: f"{name} in the derivative of the loss" for factor, name in _FACTORS.items()}
    for factor, name in {**named, **_of_rows(rows)}.items():
        times = _TIMES.bind(factor=factor).on(g=line.formula)
        changed = replace(line, formula=times, kernel=times.over(line.names))
        lines = (*program.instructions[:first], changed, *program.instructions[first + 1 :])
        yield Rule(name, scenario, replace(program, instructions=lines), of=_UPDATED)


# Running by another rule


_Key = tuple[str, int | None, str | None]


def _key(expectation: Expectation) -> _Key:
    return expectation.at, expectation.iteration, expectation.phase


def _values(rule: Rule, wanted: Sequence[Expectation]) -> dict[_Key, Array]:
    """Run by a rule, and return the arrays that printed numbers are of, as far as it may run."""
    program = rule.program
    places: dict[int, list[Expectation]] = {}
    for expectation in wanted:
        mixed = program.instructions != program_of(rule.scenario).instructions
        at_end = replace(expectation, phase=None) if mixed else expectation
        place = place_of(at_end, program)
        if place <= MOST_INSTRUCTIONS:
            places.setdefault(place, []).append(expectation)
    machine = Machine(rule.scenario, program)
    machine.restore(initial_state(rule.scenario, program, rule.scenario.seed), LossHistory())
    values: dict[_Key, Array] = {}
    for place in sorted(places):
        machine.go(place)
        for expectation in places[place]:
            if expectation.at in machine.tensors:
                values[_key(expectation)] = machine.tensors[expectation.at]
    return values


# Factors


def _factors(scenario: Scenario, failed: Judgement) -> Iterator[str]:
    """Yield the factors by which a gradient or a loss is the printed number."""
    tensor = program_of(scenario).tensors[failed.expectation.at]
    if tensor.role not in (Role.GRADIENT, Role.LOSS) or abs(failed.got) in (0, inf):
        return
    rows = _rows(scenario, failed.expectation.iteration or 0)
    factors = {**_FACTORS, **_of_rows(rows)}
    for factor, name in factors.items():
        if _gives(failed, failed.got * factor):
            yield name


def _of_rows(rows: int) -> dict[float, str]:
    """Return the factors between a sum over rows and a mean over them, and what they are called."""
    if rows < 2:
        return {}
    return {
        float(rows): f"the sum over the {rows} rows in place of the mean",
        1 / rows: f"the mean over the {rows} rows in place of the sum",
    }


def _rows(scenario: Scenario, iteration: int) -> int:
    """Return how many rows the batch of an iteration has, 1 without data."""
    data = scenario.data
    if data is None:
        return 1
    turn = iteration % data.batches_per_epoch
    if data.batches is not None:
        return len(data.batches[turn])
    return min(data.batch_size, len(data.x) - turn * data.batch_size)
