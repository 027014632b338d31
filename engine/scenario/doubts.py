"""What can be computed and is probably not meant: warnings, not mistakes."""

import numpy as np

from nnstep.engine.arrays import Array

from .loss import CLASSIFICATION
from .model import Network, Scenario
from .numbers import first
from .report import Report

_RANGES = {
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu": (0.0, np.inf),
    "softplus": (0.0, np.inf),
}
_PROBABILITIES = {"binary_cross_entropy": "sigmoid", "cross_entropy": "softmax"}
_NOT_YET = {
    "note": "notes",
    "expect": "expectations",
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
    for key, name in _NOT_YET.items():
        if report.source.table.get(key):
            report.warning((key, 0), f"{name} are checked but not acted on in this version")


def _passes(scenario: Scenario) -> int:
    """Return how many iterations the run is to have, 0 if it has no end."""
    a_pass = scenario.data.batches_per_epoch if scenario.data else 1
    return scenario.run.iterations or (scenario.run.epochs or 0) * a_pass


def _doubt_output(network: Network, report: Report) -> None:
    """Warn of a loss under which the last activation makes little sense."""
    last = len(network.layers) - 1
    output = network.layers[last].activation.kind
    loss = network.loss
    place = ("network", "layers", last, "activation")
    if output == "softmax" and network.layers[last].units == 1:
        report.warning(place, "the softmax of a single unit is always 1")
    if loss.kind not in CLASSIFICATION:
        if output == "softmax":
            report.warning(("loss", "kind"), f"{loss.kind} on a softmax; cross_entropy is usual")
    elif loss.from_logits:
        if output in ("sigmoid", "softmax"):
            message = f"from_logits applies {_PROBABILITIES[loss.kind]} itself, here to a {output}"
            report.warning(("loss", "from_logits"), message)
    elif output != _PROBABILITIES[loss.kind]:
        message = f"{loss.kind} expects the output of a {_PROBABILITIES[loss.kind]}, not {output}"
        report.warning(place, f"{message}; or from_logits = true")


def _doubt_targets(network: Network, y: Array, report: Report) -> None:
    """Warn of targets that the output can never reach, or that are no probabilities."""
    loss = network.loss.kind
    if y.ndim == 1:
        return
    if loss == "cross_entropy":
        total = y.astype(np.float64).sum(axis=1)
        wrong = first(((y < 0) | (y > 1)).any(axis=1) | (np.abs(total - 1) > 1e-3))
        if wrong is not None:
            report.warning(("data", "y", *wrong), "this row does not add up to 1, as classes do")
    elif loss not in CLASSIFICATION:
        output = network.layers[-1].activation
        low, high = _RANGES.get(output.kind, (-np.inf, np.inf))
        wrong = first((y < low) | (y > high))
        if wrong is not None:
            message = f"{output.kind} never gives {y[wrong]}; its values go from {low} to {high}"
            report.warning(("data", "y", *wrong), message)
