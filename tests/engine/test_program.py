"""What a program knows before anything runs is what then comes about."""

import gc
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from building import expression, network, optimizer
from built_in import built_in
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from nnstep import scenarios
from nnstep.engine import Session, load
from nnstep.engine.arrays import Array
from nnstep.engine.operations.operation import Operation
from nnstep.engine.program import compile as compiling
from nnstep.engine.program import network as compiling_networks
from nnstep.engine.program.builder import Applied, Listing
from nnstep.engine.program.compile import compile_scenario
from nnstep.engine.program.network import LayerKind, Parameter
from nnstep.engine.program.program import CompileError, Phase, Program, Role, run
from nnstep.engine.scenario.model import (
    Activation,
    Clip,
    Data,
    Initializer,
    Layer,
    Layout,
    Loss,
    Scenario,
)
from nnstep.engine.verification.verdict import Verdict

SAMPLES = Data(np.linspace(-1, 1, 10).reshape(5, 2), np.ones((5, 1)), batch_size=2)


def check_shapes(scenario: Scenario, iterations: int) -> None:
    """Run a scenario; whatever comes to be has the shape that was foretold for its batch."""
    session = Session(scenario, iterations=iterations)
    tensors = session.program.tensors
    begun = session.values()
    assert begun.keys() == {name for name, t in tensors.items() if t.start is not None}
    assert {n: a.shape for n, a in begun.items()} == {n: tensors[n].shape for n in begun}
    sizes = scenario.data.batch_sizes if scenario.data else (1,)
    assert {len(tensor.shapes) for tensor in tensors.values()} == {len(sizes)}
    seen: set[int] = set()
    size = 0
    for step in session.steps():
        if step.phase is Phase.BATCH:
            size = sizes.index(len(step.arrays[0]))
            seen.add(size)
        for name, array in step.writes.items():
            assert array.shape == tensors[name].shapes[size], name
    assert len(seen) == (len(sizes) if scenario.data else 0)
    assert session.values().keys() == tensors.keys()


@pytest.mark.sweep(7)
@pytest.mark.parametrize("name", scenarios.names())
def test_shapes_of_every_built_in_scenario(name: str) -> None:
    scenario = built_in(name)
    check_shapes(scenario, scenario.data.batches_per_epoch if scenario.data else 1)


@pytest.mark.sweep(5)
@pytest.mark.parametrize("layout", ["out_in", "in_out"])
@pytest.mark.parametrize("clip", [None, Clip("norm", 0.1), Clip("value", 0.1)])
@pytest.mark.parametrize("kind", ["sgd", "adagrad", "rmsprop", "adam"])
def test_shapes_of_networks(kind: str, clip: Clip | None, layout: Layout) -> None:
    case = network(
        (3, 4, 5, 2),
        activations=("relu", "elu", "softmax"),
        rows=5,
        batch_size=3,
        loss=Loss("cross_entropy", "batch_mean"),
        optimized=optimizer(kind, 0.1, clip),
    )
    assert case.network is not None
    first, *others = case.network.layers
    layers = (replace(first, bias=None), *others)
    changed = replace(case.network, layers=layers, layout=layout, l2=0.1, input_gradient=True)
    check_shapes(replace(case, network=changed), 2)


OPERATIONS = (
    "{} + {}",
    "{} * {}",
    "{} - 2 * {}",
    "{} @ {}",
    "maximum({}, {})",
    "tanh({})",
    "({}).T",
    "mean({}, axis=0)",
    "max({}, 0, keepdims=True)",
    "sum({})",
    "({})[0]",
    "({})[1:]",
    "softmax({})",
    "3",
)


@examples(3)
@given(st.data())
def test_shapes_of_random_programs(data: st.DataObject) -> None:
    check_shapes_of_a_program(data)


@pytest.mark.slow
@settings(max_examples=120)
@given(st.data())
def test_shapes_of_many_random_programs(data: st.DataObject) -> None:
    check_shapes_of_a_program(data)


def check_shapes_of_a_program(data: st.DataObject) -> None:
    """Draw lines one after the other, leaving out those that do not fit, and run what there is."""
    given: dict[str, Any] = {
        "W": np.arange(6.0).reshape(2, 3),
        "v": np.arange(3.0),
        "row": np.ones((1, 3)),
        "s": 2.0,
    }
    samples = data.draw(st.sampled_from([None, SAMPLES, replace(SAMPLES, batch_size=5)]))
    names = [*given, *(["x", "y"] if samples else [])]
    lines: list[str] = []
    optimized = optimizer(clip=Clip("norm", 1.0), momentum=0.9)
    scenario = None
    for _ in range(data.draw(st.integers(1, 6))):
        operation = data.draw(st.sampled_from(OPERATIONS))
        count = operation.count("{}")
        operands = [data.draw(st.sampled_from(names)) for _ in range(count)]
        name = f"r{len(lines)}"
        tried = [*lines, f"{name} = {operation.format(*operands)}"]
        code = "\n".join([*tried, f"L = mean({name} * {data.draw(st.sampled_from(names))})"])
        case = expression(code, "L", data=samples, optimized=optimized, **given)
        try:
            compile_scenario(case)
        except CompileError:
            continue
        names.append(name)
        lines, scenario = tried, case
    if scenario is not None:
        check_shapes(scenario, 3)


def test_what_a_tensor_is_the_gradient_or_a_buffer_of() -> None:
    program = compile_scenario(network(optimized=optimizer("adam", amsgrad=True)))
    assert program.tensors["da1"].of == "a1"
    assert program.gradients["W2"] == "dW2"
    buffers = {t.name: t.of for t in program.with_role(Role.BUFFER) if t.of == "W1"}
    assert buffers == {"m_W1": "W1", "v_W1": "W1", "vmax_W1": "W1"}
    assert program.tensors["t"].of is None
    frozen = compile_scenario(network(frozen_biases=True))
    assert [t.name for t in frozen.tensors.values() if t.frozen] == ["b1", "b2"]
    assert frozen.trained == ("W1", "W2")


@pytest.mark.sweep(6)
@pytest.mark.parametrize("name", scenarios.names())
def test_a_line_is_its_formula_over_its_names(name: str) -> None:
    session = Session(built_in(name), iterations=1)
    for step in session.steps():
        line = step.instruction
        if line.formula is not None:
            assert line.code == f"{line.writes[0]} = {line.formula.text(line.names)}"
            assert set(line.names.values()) == set(line.reads)
            assert tuple(line.names) == line.formula.parameters
        else:
            assert line.phase is Phase.BATCH


def test_a_line_keeps_the_settings_of_its_operation() -> None:
    def settings_of(program: Program, target: str) -> Mapping[str, object]:
        return next(line for line in program.instructions if target in line.writes).settings

    code = "e = elu(v, 0.5)\nm = max(e, axis=0, keepdims=True)\nL = sum(maximum(m, 2))"
    program = compile_scenario(expression(code, "L", v=np.ones(3)))
    assert settings_of(program, "e") == settings_of(program, "dv") == {"alpha": 0.5}
    assert settings_of(program, "m") == {"axis": 0, "keepdims": True}
    assert settings_of(program, "t1") == {"b": 2}
    clipped = network(optimized=optimizer(clip=Clip("norm", 0.5), momentum=0.9))
    assert settings_of(compile_scenario(clipped), "clip_factor") == {"limit": 0.5}
    assert settings_of(compile_scenario(clipped), "buf_W1")["momentum"] == 0.9


def test_running_lines_gives_what_the_machine_gives() -> None:
    session = Session(network((3, 4, 2), rows=5, optimized=optimizer("adam", clip=Clip("norm", 1))))
    session.step()
    before = session.values()
    results = run(session.program.instructions[1:], before)
    session.step("iteration")
    assert results.keys() == session.values().keys()
    for name, array in session.values().items():
        assert array.tobytes() == results[name].tobytes()
    halved = run(session.program.instructions[1:3], before, lambda array: array / 2)
    assert np.array_equal(halved["z1"], results["z1"] / 2)
    assert np.allclose(halved["a1"], 1 / (1 + np.exp(-halved["z1"])) / 2, rtol=1e-15)


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[Scenario]:
    """The scenarios compiled from here on."""
    compiled: list[Scenario] = []

    def counted(scenario: Scenario) -> Program:
        compiled.append(scenario)
        return compile_scenario(scenario)

    monkeypatch.setattr(compiling, "compile_scenario", counted)
    return compiled


ANNOTATED = """
[[watch]]
show = "norm(c)"

[[breakpoint]]
at = "d"
"""


def test_a_scenario_is_compiled_once_from_load_to_session(
    compilations: list[Scenario], tmp_path: Path
) -> None:
    path = tmp_path / "annotated.toml"
    path.write_text(scenarios.path("graph").read_text() + ANNOTATED)
    places: list[str | Path] = ["mazur", "graph", path]
    for number, where in enumerate(places, start=1):
        scenario = load(where)
        session = Session(scenario)
        assert Session(scenario).program is session.program
        assert len(compilations) == number
    built = replace(network(), seed=2)
    assert Session(built).program is Session(built).program
    assert Session(replace(built, seed=1)).program is not Session(built).program
    assert len(compilations) == 5


def test_a_program_is_forgotten_with_its_scenario() -> None:
    gc.freeze()  # what is there already need not be looked through
    scenario = replace(network(), seed=1)
    session = Session(scenario)
    alive = weakref.ref(scenario), weakref.ref(session.program)
    del scenario, session
    gc.collect()
    assert [each() for each in alive] == [None, None]


SCALE = Operation(
    name="scale",
    value=lambda x, gamma, beta: gamma * x + beta,
    gradients={
        "x": lambda da, gamma: da * gamma,
        "gamma": lambda da, x: (da * x).sum(axis=0),
        "beta": lambda da: da.sum(axis=0),
    },
    shape=lambda x, gamma, beta: x,
    output="a",
)


def write_scale(
    listing: Listing, layer: Layer, number: int, layout: Layout, inputs: Mapping[str, str]
) -> list[Applied]:
    return [compiling_networks._write(listing, SCALE, inputs, f"a{number}", number)]


class ScaleLayer(Layer, frozen=True):
    """A layer with a factor and an offset for each of its inputs."""

    kind: str = "scale"

    @property
    def parameters(self) -> Mapping[str, Array | Initializer]:
        return {"gamma": np.full(self.units, 1.5), "beta": Initializer("zeros")}


def test_a_kind_of_layer_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """One with other parameters than W and b is initialised, trained, verified and watched over."""
    one_a_unit = {
        name: Parameter(name, lambda layout, inputs, units: (units,)) for name in ("gamma", "beta")
    }
    monkeypatch.setitem(compiling_networks.LAYERS, "scale", LayerKind(one_a_unit, write_scale))
    case = network((3, 4, 2), rows=5, batch_size=3, optimized=optimizer("adam", 0.1))
    assert case.network is not None
    unused = Initializer("zeros")
    scale = ScaleLayer(4, Activation(), unused, None, frozenset({"beta"}))
    first, last = case.network.layers
    case = replace(case, network=replace(case.network, layers=(first, scale, last), l2=0.1))
    check_shapes(case, 2)
    session = Session(case, iterations=30)
    program = session.program
    assert program.parameters == ("W1", "b1", "gamma2", "beta2", "W3", "b3")
    assert program.trained == ("W1", "b1", "gamma2", "W3", "b3")
    assert session.value("gamma2").tolist() == [1.5] * 4
    assert session.value("beta2").tolist() == [0.0] * 4
    lines = [line.code for line in program.instructions]
    assert "a2 = gamma2 * a1 + beta2" in lines
    assert "dgamma2 = (da2 * a1).sum(axis=0)" in lines
    assert any(line.startswith("L = ") and "l2_penalty(W1, W3, l2=0.1)" in line for line in lines)
    session.run()
    assert session.verify().verdict in {Verdict.PASS, Verdict.FINE}
    assert session.faults == ()
    assert session.value("gamma2").tolist() != [1.5] * 4
