"""Where a run begins and how far it goes; and the quiet in which its numbers are computed."""

import contextvars

import numpy as np

from nnstep.engine.program.program import Program
from nnstep.engine.scenario.model import Scenario

from .batches import Batches
from .initial import Draws, initial_tensors
from .step import State


def initial_state(scenario: Scenario, program: Program, seed: int) -> State:
    """Return the state at place 0, with parameters and batches drawn from `seed`."""
    draws = Draws(seed)
    tensors = silent_context().run(initial_tensors, program, scenario.dtype, draws)
    batches = Batches(scenario.data, draws) if scenario.data else None
    return State(0, tensors, cursor=batches.cursor if batches else None)


def silent_context() -> contextvars.Context:
    """Return a context in which NumPy says nothing of overflow, division by zero or NaN.

    NumPy keeps its error state in a context variable, and entering a context costs a tenth of an
    `errstate` block.
    """
    context = contextvars.copy_context()
    context.run(np.seterr, all="ignore")
    return context


def run_length(scenario: Scenario, iterations: int | None = None) -> int | None:
    """Return the iterations of a run, None for one without end; `iterations` overrides the file."""
    if iterations is not None:
        return iterations
    if scenario.optimizer is None:
        return 1
    if scenario.run.epochs is not None:
        per_epoch = scenario.data.batches_per_epoch if scenario.data else 1
        return scenario.run.epochs * per_epoch
    return scenario.run.iterations
