"""From a file or a name of the gallery to a scenario that is ready to run.

What only shows when the scenario is compiled is checked here: names and cells that breakpoints,
watches, notes and expectations speak of, and the memory that a pass takes.
"""

from math import prod
from pathlib import Path

from msgspec.structs import replace

from nnstep.engine.expectations import mistakes_in
from nnstep.engine.language.nodes import ConditionError
from nnstep.engine.limits import MAX_LIVE
from nnstep.engine.program.compile import program_of, remember
from nnstep.engine.program.program import CompileError, Phase, Program, Role
from nnstep.engine.scenario.errors import Keys, Problem, ScenarioError
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.scenario.read import build_scenario
from nnstep.engine.scenario.report import Report
from nnstep.engine.scenario.source import read_source
from nnstep.engine.stops.points import breakpoint_of, mistakes_of, spans_of
from nnstep.engine.text import did_you_mean, quoted


def load(path_or_name: str | Path) -> Scenario:
    """Read a scenario, by the path of its file or by its name in the gallery.

    Raises `ScenarioError`, which lists every mistake found with its file, line and column; those
    that only show when the scenario is compiled are among them.
    """
    report = Report(read_source(_file(path_or_name)))
    scenario = build_scenario(report)
    return _compile(scenario, report)


def read(path_or_name: str | Path) -> Scenario:
    """Read a scenario as `load` does, to list or describe it: what only compiling shows is left."""
    return build_scenario(Report(read_source(_file(path_or_name))))


def _compile(scenario: Scenario, report: Report) -> Scenario:
    """Compile a scenario, whose program is remembered, and check it against that.

    Returns the scenario with what is doubtful in its program among its warnings.
    """
    try:
        program = program_of(scenario)
    except CompileError as error:
        _report(error, scenario, report)
        report.raise_errors()
        raise
    if scenario.network is not None:
        check_memory(scenario, program, report)
        report.raise_errors()
    if scenario.overrides:
        check_overrides(scenario, program, report)
    check_references(scenario, program, report)
    report.raise_errors()
    if not program.doubts:
        return scenario
    for doubt in program.doubts:
        report.warning(("program", "code"), doubt.message, offset=doubt.start)
    return remember(replace(scenario, warnings=report.warnings()), program)


def _file(path_or_name: str | Path) -> str | Path:
    """Return the path itself if there is such a file, else that of the gallery's scenario.

    A folder that happens to have the name of one does not hide it.
    """
    from nnstep import scenarios

    name = str(path_or_name)
    if not name.strip():
        message = "the name of the scenario is empty: say a file, or a name that nnstep list shows"
        raise ScenarioError([Problem(name, 0, 0, message)])
    is_built_in = name in scenarios.names()
    if _exists(Path(path_or_name)) and not (is_built_in and Path(name).is_dir()):
        return path_or_name
    if is_built_in:
        return scenarios.path(name)
    hint = did_you_mean(name, scenarios.names())
    message = f"no such file, and no built-in scenario of that name{hint}"
    raise ScenarioError([Problem(name, 1, 1, message)])


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _report(error: CompileError, scenario: Scenario, report: Report) -> None:
    """Report a mistake that the compiler found in a program or in what it is given."""
    if error.name is None or scenario.expression is None:
        report.error(("program", "code"), error.message, offset=error.start)
        return
    if error.name == "loss" and error.name not in scenario.expression.parameters:
        report.error(("program", "loss"), error.message)
        return
    given_as = "parameters" if error.name in scenario.expression.parameters else "inputs"
    report.error(("program", given_as, error.name), error.message, part="key")


def check_overrides(scenario: Scenario, program: Program, report: Report) -> None:
    """Report every line of the file that cannot take the place of one of the program's."""
    from nnstep.engine.override.override import OverrideError, with_override

    for index, table in enumerate(scenario.overrides):
        try:
            program = with_override(scenario, program, table)
        except OverrideError as error:
            report.error(("override", index, "line"), str(error), offset=error.start)


def check_references(scenario: Scenario, program: Program, report: Report) -> None:
    """Report every name in the scenario's additions that its program does not have."""
    tensors = program.tensors.keys()
    for index, table in enumerate(scenario.breakpoints):
        for mistake in mistakes_of(breakpoint_of(table), program):
            keys = ("breakpoint", index, mistake.part)
            report.error(keys, mistake.message, offset=mistake.start)
    if scenario.watches:
        from nnstep.engine.language.parsed import mistakes
    for index, show in enumerate(scenario.watches):
        for start, message in mistakes(show, tensors):
            report.error(("watch", index, "show"), message, offset=start)
    for index, note in enumerate(scenario.notes):
        _check_location(note.at, program, ("note", index, "at"), report)
    for index, expectation in enumerate(scenario.expectations):
        if expectation.at not in tensors:
            message = f"the program has no tensor {quoted(expectation.at)}"
            hint = did_you_mean(expectation.at, tensors)
            report.error(("expect", index, "at"), message + hint)
            continue
        for part, message in mistakes_in(expectation, program, scenario.data):
            report.error(("expect", index, *part), message)


def _check_location(at: str, program: Program, keys: Keys, report: Report) -> None:
    """Report a location of a note; it may be of a tensor or a phase that no line has."""
    if at in program.tensors or at in list(Phase):
        return
    try:
        spans_of(at, program)
    except ConditionError as error:
        report.error(keys, str(error))


def check_memory(scenario: Scenario, program: Program, report: Report) -> None:
    """Report a network whose tensors are too many numbers together, in its largest batch.

    The data, which are in memory already, are not counted, and neither is what is a single number.
    A program of code is checked line by line as it is compiled.
    """
    kept = computed = 0
    parameters = set(program.parameters)
    counted = (Role.PARAMETER, Role.BUFFER, Role.SCRATCH, Role.VALUE, Role.GRADIENT)
    for tensor in program.with_role(*counted):
        if (tensor.of or tensor.name) in parameters:
            kept += prod(tensor.shape)
        else:
            computed += prod(tensor.shape)
    if kept + computed <= MAX_LIVE:
        return
    keys: Keys = ("network", "layers")
    if computed > kept and scenario.data is not None:
        keys = ("data", "batch_size" if scenario.data.batches is None else "batches")
    message = f"an iteration would hold {kept + computed:,} numbers, more than {MAX_LIVE:,}"
    report.error(keys, message)
