"""A session's scenario as a file: what it runs from step 0, as it is now, in TOML.

Everything is written out: parameters as they are at the start of the branch, the data as numbers,
whatever file they came from, and the overrides, breakpoints, watches and printed numbers that there
are now.
"""

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Array
from nnstep.engine.limits import MAX_SCENARIO_BYTES
from nnstep.engine.machine.edit import Edit, Override
from nnstep.engine.machine.start import initial_state, run_length
from nnstep.engine.operations.activations import ACTIVATIONS
from nnstep.engine.operations.initializers import INITIALIZERS
from nnstep.engine.operations.losses import LOSSES
from nnstep.engine.operations.operation import Kind
from nnstep.engine.operations.optimizers import OPTIMIZERS
from nnstep.engine.program.compile import program_of
from nnstep.engine.program.network import LAYERS
from nnstep.engine.program.program import Program, Role
from nnstep.engine.scenario.errors import ScenarioError
from nnstep.engine.scenario.model import (
    DrawnParameter,
    Expectation,
    Initializer,
    Network,
    Optimizer,
    Scenario,
)
from nnstep.engine.scenario.read import build_scenario
from nnstep.engine.scenario.report import Report
from nnstep.engine.scenario.source import Source
from nnstep.engine.session.session import Session
from nnstep.engine.stops.points import Breakpoint, Point
from nnstep.engine.text import listed
from nnstep.engine.trace import plain

Table = dict[str, Any]


class ScenarioFileError(ValueError):
    """What keeps a session's scenario from being written; the message says why."""


class Written(Struct, frozen=True):
    """The text of a scenario file, how many changes are not in it, and what else is to be said."""

    text: str
    changes_left: int
    remarks: tuple[str, ...] = ()


def scenario_file(session: Session) -> Written:
    """Return the scenario of the branch that a session is on; raise `ScenarioFileError`.

    It is read again before it is handed out: its first values are the branch's, bit for bit.
    """
    scenario, program = session.scenario, session.program
    edits = [each for each in session.snapshot().branch.edits if isinstance(each, Edit)]
    first = dict(initial_state(scenario, program, session.seed).tensors)
    at_start = [edit for edit in edits if edit.place == 0 and _has_a_key(edit, session)]
    for edit in at_start:
        edit.apply(first)
    changed = any(edit.name in program.parameters for edit in at_start)
    text = _toml(_tables(session, first, changed))
    _check(text, session, first)
    return Written(text, len(edits) - len(at_start), tuple(_remarks(session, scenario, changed)))


def _has_a_key(edit: Edit, session: Session) -> bool:
    """Tell whether what is edited before step 0 stands in a file: a parameter, or the rate."""
    return session.program.tensors[edit.name].role in (Role.PARAMETER, Role.RATE)


def _remarks(session: Session, scenario: Scenario, changed: bool) -> Iterator[str]:
    """Yield what of the session the file has not, or has otherwise."""
    left = [point for point in session.stops.points if not _is_in_file(point)]
    if left:
        points = listed(f"'{point}'" for point in left)
        yield f"A scenario has no place for {points}."
    if session.hunt is not None and not session.hunt.is_over:
        yield "The hidden mistake is not in it: every line is the rule's, or your own."
    if changed and scenario.data is not None and scenario.data.shuffle and _draws(scenario):
        yield "The rows come in another order: no parameters are drawn before they are shuffled."


def _draws(scenario: Scenario) -> bool:
    if scenario.network is not None:
        values = [v for layer in scenario.network.layers for v in layer.parameters.values()]
        return any(isinstance(v, Initializer) and INITIALIZERS[v.kind].is_random for v in values)
    assert scenario.expression is not None
    return any(isinstance(v, DrawnParameter) for v in scenario.expression.parameters.values())


def _check(text: str, session: Session, first: Mapping[str, Array]) -> None:
    """Read the text as a file is read; raise `ScenarioFileError` if it is not what was meant."""
    if len(text.encode()) > MAX_SCENARIO_BYTES:
        limit = f"{MAX_SCENARIO_BYTES // 2**20} MiB"
        raise ScenarioFileError(f"the data are too much for a scenario file, more than {limit}")
    try:
        scenario = build_scenario(Report(Source("the scenario", text, tomllib.loads(text))))
    except ScenarioError as error:
        raise ScenarioFileError(f"it would not load: {error.problems[0].message}") from None
    read = initial_state(scenario, program_of(scenario), scenario.seed).tensors
    for tensor in session.program.with_role(Role.PARAMETER, Role.RATE):
        if read[tensor.name].tobytes() != first[tensor.name].tobytes():
            raise ScenarioFileError(f"{tensor.name} has values that a scenario file cannot have")


# Tables


def _tables(session: Session, first: Mapping[str, Array], changed: bool) -> Table:
    scenario = session.scenario
    table: Table = {"format": 1, "title": scenario.title}
    table |= _given(description=scenario.description, source=scenario.source)
    general = _unless({"dtype": "float64"}, dtype=scenario.dtype) | {"seed": session.seed}
    if scenario.network is not None:
        table["network"] = _network(scenario.network, first, changed) | general
        loss = scenario.network.loss
        usual = {"from_logits": False, "fuse": True}
        table["loss"] = {
            "kind": loss.kind,
            "reduction": loss.reduction,
            **_unless(usual, from_logits=loss.from_logits, fuse=loss.fuse),
            **_options(LOSSES[loss.kind], loss.options),
        }
    elif scenario.expression is not None:
        expression = scenario.expression
        table["program"] = {
            "code": expression.code,
            "loss": expression.loss,
            "parameters": {
                name: _first_value(value, first[name], changed)
                for name, value in expression.parameters.items()
            },
            "inputs": {name: _values(value) for name, value in expression.inputs.items()},
            **general,
        }
    if scenario.optimizer is not None:
        table["optimizer"] = _optimizer(scenario.optimizer, first["lr"])
    if scenario.data is not None:
        data = scenario.data
        table["data"] = {"x": _values(data.x), "y": _values(data.y)}
        if data.batches is not None:
            table["data"]["batches"] = [list(rows) for rows in data.batches]
        else:
            table["data"] |= {"batch_size": data.batch_size, "shuffle": data.shuffle}
    if run := _run(session):
        table["run"] = run
    points = [point for point in session.stops.points if _is_in_file(point)]
    table["override"] = [_override(each, session.program) for each in session.overrides]
    table["breakpoint"] = [_breakpoint(point) for point in points]
    table["watch"] = [{"show": text} for text in session.watches]
    table["note"] = [
        {"at": note.at, "text": note.text, **_given(iteration=note.iteration)}
        for note in scenario.notes
    ]
    table["expect"] = [each for one in session.expectations for each in _expectations(one)]
    return table


def _given(**values: Any) -> Table:
    return {name: value for name, value in values.items() if value not in (None, "")}


def _unless(usual: Mapping[str, Any], **values: Any) -> Table:
    return {name: value for name, value in values.items() if value != usual[name]}


def _options(kind: Kind, options: Mapping[str, Any]) -> Table:
    """Return the settings of a kind that are not its defaults."""
    usual = {name: setting.default for name, setting in kind.settings.items()}
    return {name: value for name, value in options.items() if value != usual.get(name)}


def _kind(name: str, options: Table) -> Any:
    """Return a kind by its name alone, or as a table if there is more to say."""
    return {"kind": name, **options} if options else name


def _network(network: Network, first: Mapping[str, Array], changed: bool) -> Table:
    table: Table = {"inputs": network.inputs, "layout": network.layout}
    usual = {"input_gradient": False, "l2": 0.0}
    table |= _unless(usual, input_gradient=network.input_gradient, l2=network.l2)
    table["layers"] = []
    for number, layer in enumerate(network.layers, start=1):
        activation = layer.activation
        options = _options(ACTIVATIONS[activation.kind], activation.options)
        made: Table = {"units": layer.units, "activation": _kind(activation.kind, options)}
        for key, parameter in LAYERS[layer.kind].parameters.items():
            value = layer.parameters.get(key)
            if value is None:
                made[key] = False
            elif isinstance(value, Initializer) and not changed:
                made["init" if key == "weights" else key] = _initializer(value)
            else:
                made[key] = _values(first[f"{parameter.name}{number}"])
        if layer.frozen:
            made["frozen"] = sorted(layer.frozen)
        table["layers"].append(made)
    return table


def _initializer(rule: Initializer) -> Any:
    return _kind(rule.kind, _options(INITIALIZERS[rule.kind], rule.options))


def _first_value(value: Array | DrawnParameter, first: Array, changed: bool) -> Any:
    if isinstance(value, DrawnParameter) and not changed:
        return {"shape": list(value.shape), "init": _initializer(value.by)}
    return _values(first)


def _optimizer(optimizer: Optimizer, rate: Array) -> Table:
    table = {"kind": optimizer.kind, "lr": _values(rate)}
    options = _options(OPTIMIZERS[optimizer.kind], optimizer.options)
    table |= {name: value for name, value in options.items() if name != "lr"}
    if optimizer.clip is not None:
        table["clip"] = {optimizer.clip.kind: optimizer.clip.limit}
    return table


def _override(override: Override, program: Program) -> Table:
    lines = [line for line in program.instructions if override.name in line.writes]
    which = {"phase": override.phase.value, "nth": override.nth} if len(lines) > 1 else {}
    return {"line": override.line, **which}


def _run(session: Session) -> Table:
    run, program = session.scenario.run, session.program
    length = None if session.total is None else session.total // len(program)
    table = _given(iterations=run.iterations, epochs=run.epochs)
    if length != run_length(session.scenario):
        table = _given(iterations=length or None)
    return table | ({"faults": "none"} if run.without_faults else {})


def _is_in_file(point: Point) -> TypeGuard[Breakpoint]:
    """Tell whether a breakpoint can stand in a file: there it is at a line, and is enabled."""
    return isinstance(point, Breakpoint) and point.at is not None and point.enabled


def _breakpoint(point: Breakpoint) -> Table:
    table = _given(at=point.at, when=point.when, log=point.log)
    return table | _unless({"hits": 1, "every": 1}, hits=point.after + 1, every=point.every)


def _expectations(one: Expectation) -> Iterator[Table]:
    """Yield the tables of an expectation: one for all cells, or one a cell."""
    more = _unless({"tol": 0.5}, tol=one.tol) | ({} if one.wrong is None else {"wrong": one.wrong})
    iteration = "start" if one.iteration is None else one.iteration
    general = {"at": one.at, "iteration": iteration, **_given(phase=one.phase)}
    if one.shape is not None:
        texts = np.array([text for _, text in one.printed], dtype=object).reshape(one.shape)
        yield {**general, "values": texts.tolist(), **more}
        return
    for cell, text in one.printed:
        yield {**general, **({"cell": list(cell)} if cell else {}), "value": text, **more}


def _values(array: Array) -> Any:
    """Return an array as nested lists of numbers, of which the non-finite are floats as well."""
    return _floats(plain(array))


def _floats(value: Any) -> Any:
    if isinstance(value, list):
        return [_floats(each) for each in value]
    return float(value) if isinstance(value, str) else value


# TOML


def _toml(table: Table) -> str:
    return "\n".join(_lines(table, ())).lstrip("\n") + "\n"


def _lines(table: Mapping[str, Any], path: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a table: its keys, then the tables in it under headers of their own."""
    inner = {key: value for key, value in table.items() if _is_table(value, path)}
    for key, value in table.items():
        if key not in inner:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in inner.items():
        name = ".".join((*path, key))
        for each in value if isinstance(value, list) else [value]:
            yield ""
            yield f"[[{name}]]" if isinstance(value, list) else f"[{name}]"
            yield from _lines(each, (*path, key))


def _is_table(value: Any, path: Sequence[str]) -> bool:
    """Tell whether a value stands under a header; tables deeper down stand in braces."""
    if isinstance(value, list):
        return all(isinstance(each, dict) for each in value)
    return isinstance(value, dict) and not path


def _key(key: str) -> str:
    plain_key = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if plain_key else _text(key)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case dict():
            pairs = (f"{_key(key)} = {_value(each)}" for key, each in value.items())
            return f"{{ {', '.join(pairs)} }}"
        case list() | tuple():
            return f"[{', '.join(map(_value, value))}]"
        case float() if not math.isfinite(value):
            return str(value)
        case _:
            return repr(value)


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\t": "\\t"}


def _text(text: str) -> str:
    """Write a string, on several lines if it has several."""
    many = "\n" in text
    shown = "".join(each if many and each == "\n" else _character(each) for each in text)
    return f'"""\n{shown}"""' if many else f'"{shown}"'


def _character(each: str) -> str:
    if each in _ESCAPES:
        return _ESCAPES[each]
    return each if each >= " " and each != "\x7f" else f"\\u{ord(each):04X}"
