"""A trace: every step of a run as text, for programs (JSON lines) or for people (a table).

The JSON form is a contract. Numbers are the shortest decimals that give the stored value back in
the tensor's own dtype; those that JSON does not have are the strings "nan", "inf" and "-inf".
"""

from collections.abc import Mapping
from typing import Any, TextIO

import msgspec
import numpy as np

from nnstep.engine.arrays import Array
from nnstep.engine.machine.step import Step
from nnstep.engine.program.program import Role
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.session.session import Session

_ENCODER = msgspec.json.Encoder()
_STARTING_ROLES = (Role.PARAMETER, Role.BUFFER, Role.RATE)


def traced_iterations(scenario: Scenario, iterations: int | None) -> int | None:
    """Return how many iterations to trace: those asked for, or the file's, else one."""
    run = scenario.run
    if iterations is not None or run.iterations is not None or run.epochs is not None:
        return iterations
    return 1


def write_jsonl(scenario: Scenario, stream: TextIO, iterations: int | None = None) -> None:
    """Write a line that describes the run, then one for each step."""
    session = Session(scenario, iterations=traced_iterations(scenario, iterations), history=None)
    stream.write(_line(_description(session)))
    steps, rule = session.steps(), _rule_gives(session)
    while step := next(steps, None):
        stream.write(_line(_step(step) | rule))
        rule = _rule_gives(session)


def _rule_gives(session: Session) -> dict[str, Any]:
    """Return what the rule would give at the line next to run, if a person's own is in its place.

    It is asked for before the line runs: afterwards, what it reads may be another value.
    """
    line = session.program.instructions[session.clock.position(session.place)]
    if line.rule is None:
        return {}
    from nnstep.engine.override.override import reference

    array = reference(line, session.values())
    return {} if array is None else {"reference": {line.writes[0]: plain(array)}}


def _line(record: Mapping[str, Any]) -> str:
    return _ENCODER.encode(record).decode() + "\n"


def _description(session: Session) -> dict[str, Any]:
    from importlib.metadata import version

    program = session.program
    initial = [tensor.name for tensor in program.with_role(*_STARTING_ROLES)]
    return {
        "type": "scenario",
        "nnstep": version("nnstep"),
        "title": session.scenario.title,
        "program": [
            {"code": line.code, "phase": line.phase, "layer": line.layer}
            | ({"rule": line.rule.code} if line.rule else {})
            for line in program.instructions
        ],
        "initial": {name: plain(session.value(name)) for name in initial},
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "type": "step",
        "step": step.index,
        "iteration": step.iteration,
        "epoch": step.epoch,
        "phase": step.phase,
        "layer": step.layer,
        "code": step.code,
        "reads": step.reads,
        "writes": {name: plain(array) for name, array in step.writes.items()},
    }


def plain(array: Array) -> Any:
    """Return an array as nested lists of numbers, a 0-d one as a bare number.

    Non-finite numbers become strings. A float32 or float16 becomes the double that is written with
    the digits which are enough in its own dtype: 0.1, not 0.10000000149011612.
    """
    if array.dtype.kind == "f" and array.dtype.itemsize < np.dtype(np.float64).itemsize:
        values: Array = array.astype(str).astype(np.float64)
    else:
        values = array
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return values.tolist()
    return _with_names(values.tolist())


def _with_names(values: Any) -> Any:
    """Put the names of non-finite numbers in their place, in nested lists."""
    if isinstance(values, list):
        return [_with_names(value) for value in values]
    return values if np.isfinite(values) else str(values)


def write_table(scenario: Scenario, stream: TextIO, iterations: int | None = None) -> None:
    """Write the steps for a person to read: place, part, code, and what was written."""
    session = Session(scenario, iterations=traced_iterations(scenario, iterations), history=None)
    stream.write(f"{scenario.title}\n")
    iteration = -1
    for step in session.steps():
        if step.iteration != iteration:
            iteration = step.iteration
            stream.write(f"\niteration {iteration}, epoch {step.epoch}\n")
        part = step.phase if step.layer is None else f"{step.phase} {step.layer}"
        stream.write(f"{step.index:>6}  {part:<11} {step.code}\n")
        for name, array in step.writes.items():
            stream.write(_written(name, array))


def _written(name: str, array: Array) -> str:
    """Return a tensor's name, shape and numbers, indented below its instruction."""
    shape = "" if array.ndim == 0 else f" {array.shape}"
    text = np.array2string(array, precision=6, suppress_small=False, threshold=200)
    indent = " " * 20
    return f"{indent}{name}{shape}\n" + "".join(f"{indent}  {line}\n" for line in text.splitlines())
