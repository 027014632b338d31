"""Reading a scenario: the file, its keys, what they mean together, and what is doubtful in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import UnsetType
from msgspec.structs import replace

from nnstep.engine.text import printable

from . import schema
from .annotations import build_breakpoints, build_expectations, build_notes, build_watches
from .convert import convert
from .data import build_data
from .doubts import report_doubts
from .loss import build_loss
from .memory import check_memory
from .model import Data, Expression, Network, Optimizer, Run, Scenario
from .network import build_network
from .optimizer import build_optimizer
from .report import Report
from .wording import described

_FORMAT = 1


def build_scenario(report: Report) -> Scenario:
    """Return what the report's file says; raise `ScenarioError` if it has mistakes.

    The names and shapes in a program's code are not looked at; that is the compiler's part.
    """
    table = report.source.table
    _check_format(table, report)
    _check_parts(table, report)
    file = convert(schema.Scenario, {"format": _FORMAT, **table}, report)
    settings = file.program if isinstance(file.network, UnsetType) else file.network
    dtype, seed = (
        ("float64", 0) if isinstance(settings, UnsetType) else (settings.dtype, settings.seed)
    )
    network = _network(file, report)
    scenario = Scenario(
        title=printable(file.title or Path(report.source.path).stem),
        path=report.source.path,
        description=printable(file.description, keep_newlines=True),
        source=printable(file.source),
        dtype=dtype,
        seed=seed,
        network=network,
        expression=_expression(file, report),
        optimizer=_optimizer(file, dtype, report),
        data=_data(file, network, dtype, seed, report),
        run=_run(file.run, report),
        breakpoints=build_breakpoints(file.breakpoint, report),
        watches=build_watches(file.watch, report),
        notes=build_notes(file.note),
        expectations=build_expectations(file.expect, report),
    )
    report.raise_errors()
    if scenario.network is not None and scenario.data is not None:
        check_memory(scenario.network, scenario.optimizer, scenario.data, report)
        report.raise_errors()
    report_doubts(scenario, report)
    return replace(scenario, warnings=report.warnings())


def _check_format(table: Mapping[str, Any], report: Report) -> None:
    """Stop at once if the file is in another format: its keys may mean anything."""
    if "format" not in table:
        report.error((), f"the key 'format' is missing; write format = {_FORMAT} at the top")
    elif type(table["format"]) is not int or table["format"] != _FORMAT:
        found = described(table["format"])
        report.error(("format",), f"this version of nnstep reads format = {_FORMAT}, not {found}")
        report.raise_errors()


def _check_parts(table: Mapping[str, Any], report: Report) -> None:
    """See that there is either a network with its loss and data, or a program."""
    if "program" in table:
        if "network" in table:
            message = "[program] and [network] exclude each other"
            report.error(("program",), message, part="key")
        elif "loss" in table:
            message = "[loss] goes with [network]; a program names its loss by a key of its own"
            report.error(("loss",), message, part="key")
    elif "network" in table:
        for name in ("loss", "data"):
            if name not in table:
                report.error(("network",), f"a [network] needs a table [{name}]")
    else:
        report.error((), "a scenario needs a [network] with its [loss], or a [program]")


def _network(file: schema.Scenario, report: Report) -> Network | None:
    if isinstance(file.network, UnsetType):
        return None
    loss = None
    if not isinstance(file.loss, UnsetType):
        loss = build_loss(file.loss, file.network.dtype, report)
    return build_network(file.network, loss, report)


def _expression(file: schema.Scenario, report: Report) -> Expression | None:
    if isinstance(file.program, UnsetType):
        return None
    from .program import build_program

    return build_program(file.program, report)


def _optimizer(file: schema.Scenario, dtype: str, report: Report) -> Optimizer | None:
    if isinstance(file.optimizer, UnsetType):
        return None
    return build_optimizer(file.optimizer, dtype, report)


def _data(
    file: schema.Scenario, network: Network | None, dtype: str, seed: int, report: Report
) -> Data | None:
    if isinstance(file.data, UnsetType):
        return None
    return build_data(file.data, network, dtype, seed, report)


def _run(table: schema.Run | UnsetType, report: Report) -> Run:
    if isinstance(table, UnsetType):
        return Run()
    iterations = None if isinstance(table.iterations, UnsetType) else table.iterations
    epochs = None if isinstance(table.epochs, UnsetType) else table.epochs
    if iterations and epochs:
        message = "'iterations' and 'epochs' exclude each other"
        report.error(("run", "epochs"), message, part="key")
    return Run(iterations, epochs)
