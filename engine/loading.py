"""From a file or a name of the gallery to a scenario that is ready to run."""

from pathlib import Path

from nnstep.engine.program.compile import compile_scenario
from nnstep.engine.program.errors import CompileError
from nnstep.engine.scenario.errors import Problem, ScenarioError
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.scenario.read import build_scenario
from nnstep.engine.scenario.report import Report
from nnstep.engine.scenario.source import read_source
from nnstep.engine.text import did_you_mean


def load(path_or_name: str | Path) -> Scenario:
    """Read a scenario, by the path of its file or by its name in the gallery.

    Raises `ScenarioError`, which lists every mistake found with its file, line and column; those
    that only show when the scenario is compiled are among them.
    """
    report = Report(read_source(_file(path_or_name)))
    scenario = build_scenario(report)
    if scenario.network and not scenario.is_annotated:
        return scenario  # the reader has seen all there is: only code can fail to compile
    try:
        program = compile_scenario(scenario)
    except CompileError as error:
        _report(error, scenario, report)
    else:
        if scenario.is_annotated:
            from nnstep.engine.references import check_references

            check_references(scenario, program, report)
    report.raise_errors()
    return scenario


def _file(path_or_name: str | Path) -> str | Path:
    """Return the path itself if there is such a file, else that of the gallery's scenario."""
    from nnstep import scenarios

    if _exists(Path(path_or_name)):
        return path_or_name
    name = str(path_or_name)
    if name in scenarios.names():
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
