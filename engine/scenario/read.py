"""The whole of a scenario file, checked; and what is doubtful in it though it can be run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from nnstep.engine.arrays import Array
from nnstep.engine.operations.activations import ACTIVATIONS
from nnstep.engine.operations.losses import LOSSES
from nnstep.engine.operations.optimizers import OPTIMIZERS
from nnstep.engine.text import a_title, printable

from . import schema
from .additions import build_breakpoints, build_expectations, build_notes, build_watches
from .convert import convert, described
from .data import build_data
from .model import Data, Expression, Network, Optimizer, Run, Scenario
from .network import build_loss, build_network, build_optimizer
from .numbers import first
from .report import Report

_FORMAT = 1


def build_scenario(report: Report) -> Scenario:
    """Return what the report's file says; raise `ScenarioError` if it has mistakes.

    The names and shapes in a program's code are not looked at; that is the compiler's part.
    """
    table = report.source.table
    _check_format(table, report)
    _check_parts(table, report)
    file = convert(schema.Scenario, {"format": _FORMAT, **table}, report)
    settings = file.program if file.network is None else file.network
    dtype, seed = ("float64", 0) if settings is None else (settings.dtype, settings.seed)
    network = _network(file, report)
    scenario = Scenario(
        title=a_title(file.title or Path(report.source.path).stem),
        path=report.source.path,
        description=printable(file.description, keep_newlines=True),
        source=a_title(file.source),
        dtype=dtype,
        seed=seed,
        network=network,
        expression=_expression(file, report),
        optimizer=_optimizer(file, dtype, report),
        data=_data(file, network, dtype, seed, report),
        run=_run(file.run, report),
        breakpoints=build_breakpoints(file.breakpoint, report),
        watches=build_watches(file.watch, report),
        overrides=tuple(file.override),
        notes=build_notes(file.note),
        expectations=build_expectations(file.expect, report),
    )
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
    if file.network is None:
        return None
    loss = None
    if file.loss is not None:
        loss = build_loss(file.loss, file.network.dtype, report)
    return build_network(file.network, loss, report)


def _expression(file: schema.Scenario, report: Report) -> Expression | None:
    if file.program is None:
        return None
    from .network import build_program

    return build_program(file.program, report)


def _optimizer(file: schema.Scenario, dtype: str, report: Report) -> Optimizer | None:
    if file.optimizer is None:
        return None
    return build_optimizer(file.optimizer, dtype, report)


def _data(
    file: schema.Scenario, network: Network | None, dtype: str, seed: int, report: Report
) -> Data | None:
    if file.data is None:
        return None
    return build_data(file.data, network, dtype, seed, report)


def _run(table: schema.Run | None, report: Report) -> Run:
    if table is None:
        return Run()
    if table.iterations and table.epochs:
        message = "'iterations' and 'epochs' exclude each other"
        report.error(("run", "epochs"), message, part="key")
    return Run(table.iterations, table.epochs, table.faults == "none")


_NOT_YET = {
    "note": "notes",
}


def report_doubts(scenario: Scenario, report: Report) -> None:
    """Warn of what is doubtful in a scenario that was read without a mistake."""
    if scenario.network is not None:
        _doubt_output(scenario.network, report)
        if scenario.data is not None:
            _doubt_targets(scenario.network, scenario.data.y, report)
    if scenario.optimizer is None and _passes(scenario) > 1:
        key = "iterations" if scenario.run.iterations else "epochs"
        message = "without an [optimizer] the run ends after one backward pass"
        report.warning(("run", key), message)
    if scenario.optimizer is not None:
        _doubt_eps(scenario.optimizer, scenario.dtype, report)
    for key, name in _NOT_YET.items():
        if report.source.table.get(key):
            report.warning((key, 0), f"{name} are checked but not acted on in this version")


def _doubt_eps(optimizer: Optimizer, dtype: str, report: Report) -> None:
    """Warn of an eps that is 0 in the type of the run: it keeps nothing from a division by 0."""
    eps = OPTIMIZERS[optimizer.kind].filled(optimizer.options).get("eps", 0.0)
    if eps and np.dtype(dtype).type(eps) == 0:
        given = "eps" in report.source.table["optimizer"]
        least = np.finfo(dtype).smallest_subnormal
        message = f"eps = {eps:g} is 0 in {dtype}, whose smallest number is {least:.1e}"
        report.warning(("optimizer", "eps" if given else "kind"), f"{message}; give a larger eps")


def _passes(scenario: Scenario) -> int:
    """Return how many iterations the run is to have, 0 if it has no end."""
    a_pass = scenario.data.batches_per_epoch if scenario.data else 1
    return scenario.run.iterations or (scenario.run.epochs or 0) * a_pass


def _doubt_output(network: Network, report: Report) -> None:
    """Warn of a loss under which the last activation makes little sense."""
    last = len(network.layers) - 1
    output = network.layers[last].activation.kind
    loss, row = network.loss, LOSSES[network.loss.kind]
    place = ("network", "layers", last, "activation")
    if output == "softmax" and network.layers[last].units == 1:
        report.warning(place, "the softmax of a single unit is always 1")
    if row.of is None:
        if output == "softmax":
            report.warning(("loss", "kind"), f"{loss.kind} on a softmax; cross_entropy is usual")
    elif loss.from_logits:
        if output in {each.of for each in LOSSES.values()}:
            message = f"from_logits applies {row.of} itself, here to a {output}"
            report.warning(("loss", "from_logits"), message)
    elif output != row.of:
        message = f"{loss.kind} expects the output of a {row.of}, not {output}"
        report.warning(place, f"{message}; or from_logits = true")


def _doubt_targets(network: Network, y: Array, report: Report) -> None:
    """Warn of targets that the output can never reach, or that are no probabilities."""
    targets = LOSSES[network.loss.kind].targets
    if y.ndim == 1:
        return
    if targets == "classes":
        total = y.astype(np.float64).sum(axis=1)
        wrong = first(((y < 0) | (y > 1)).any(axis=1) | (np.abs(total - 1) > 1e-3))
        if wrong is not None:
            report.warning(("data", "y", *wrong), "this row does not add up to 1, as classes do")
    elif targets == "numbers":
        output = network.layers[-1].activation
        low, high = ACTIVATIONS[output.kind].range
        wrong = first((y < low) | (y > high))
        if wrong is not None:
            message = f"{output.kind} never gives {y[wrong]}; its values go from {low} to {high}"
            report.warning(("data", "y", *wrong), message)
