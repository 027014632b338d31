"""The network as a whole: every number of the layers by hand, the blocks, the graph, the words."""

import numpy as np
import pytest
from building import expression, network, optimizer
from built_in import built_in
from commanding import told
from in_one_test import each_of

from nnstep.engine.arrays import Array
from nnstep.engine.program.program import Phase
from nnstep.engine.scenario.model import Clip, Run
from nnstep.engine.session.session import Session
from nnstep.engine.survey.blocks import blocks_of
from nnstep.engine.survey.graph import graph_of
from nnstep.engine.survey.layers import Measures, Surveyor, share_off
from nnstep.engine.survey.meaning import meaning, product, trend


def survey(session: Session) -> tuple[Measures, ...]:
    return Surveyor().survey(session, session.snapshot()).lines


def deep(activation: str = "sigmoid", clip: Clip | None = None) -> Session:
    scenario = network(
        (3, 4, 4, 2),
        activations=(activation,) * 3,
        rows=5,
        optimized=optimizer(lr=0.3, clip=clip),
        run=Run(40),
    )
    return Session(scenario)


def by_hand(weights: list[Array], biases: list[Array], x: Array, y: Array) -> list[Array]:
    """The gradients by z of a sigmoid network under half the squared error, first layer first."""
    a = [x]
    for w, b in zip(weights, biases, strict=True):
        a.append(1 / (1 + np.exp(-(a[-1] @ w.T + b))))
    dz = [(a[-1] - y) * a[-1] * (1 - a[-1])]
    for layer in range(len(weights) - 1, 0, -1):
        dz.insert(0, dz[0] @ weights[layer] * a[layer] * (1 - a[layer]))
    return dz


@each_of("clip", [None, Clip("norm", 0.05)])
def test_every_number_of_a_layer_is_that_of_plain_numpy(clip: Clip | None) -> None:
    session = deep(clip=clip)
    start = session.values()
    count = len(session.program)
    norms: list[list[float]] = []
    for iteration in range(3):
        session.seek(iteration * count)
        before = session.values()
        weights = [before[f"W{n}"] for n in (1, 2, 3)]
        biases = [before[f"b{n}"] for n in (1, 2, 3)]
        session.seek((iteration + 1) * count)
        now = session.values()
        dz = by_hand(weights, biases, now["x"], now["y"])
        inputs = [now["x"], now["a1"], now["a2"]]
        gradients = [d.T @ a for d, a in zip(dz, inputs, strict=True)]
        norms.append([float(np.sqrt((g**2).sum())) for g in gradients])
        for line in survey(session):
            at = (line.layer or 0) - 1
            after = now[f"W{line.layer}"]
            assert line.weights == pytest.approx(np.sqrt((after**2).sum()))
            assert line.gradient == pytest.approx(norms[-1][at])
            assert line.first == pytest.approx(norms[0][at])
            moved = np.sqrt(((after - weights[at]) ** 2).sum() / (weights[at] ** 2).sum())
            assert line.moved == pytest.approx(moved)
            if at < 2:
                ratio = np.sqrt((dz[at] ** 2).sum() / (dz[at + 1] ** 2).sum())
                assert line.factor == pytest.approx(ratio)
    assert start["W1"] is not session.value("W1")


def test_the_last_layer_comes_first_and_has_no_factor() -> None:
    session = deep()
    session.step("iteration")
    lines = survey(session)
    assert [line.layer for line in lines] == [3, 2, 1]
    assert lines[0].factor is None
    assert [line.title for line in lines] == ["layer 3", "layer 2", "layer 1"]


def test_before_the_first_pass_there_are_weights_only() -> None:
    for line in survey(deep()):
        assert line.weights > 0
        assert (line.gradient, line.first, line.factor, line.moved) == (None,) * 4


def test_a_factor_is_of_one_pass() -> None:
    session = deep()
    session.step("iteration")
    lines = session.program.instructions
    below = next(at for at, line in enumerate(lines) if "dz2" in line.writes)
    session.seek(len(lines) + below)  # dz3 is of this pass, dz2 of the last one
    found = {line.layer: line for line in survey(session)}
    assert found[2].factor is None
    assert found[1].factor is not None
    assert not found[3].of_last_pass
    assert found[2].of_last_pass
    session.step()
    assert {line.layer: line for line in survey(session)}[2].factor is not None


def test_gradients_are_those_before_they_are_clipped_in_the_middle_of_an_update() -> None:
    session = deep(clip=Clip("norm", 0.05))
    session.step("iteration")
    session.run(until=lambda step: step.phase is Phase.BACKWARD)
    session.step("phase")
    unclipped = [line.gradient for line in survey(session)]
    session.step()
    for _ in range(4):
        session.step()
        assert [line.gradient for line in survey(session)] == unclipped
    session.step("iteration")
    assert [line.gradient for line in survey(session)] == unclipped
    assert np.linalg.norm(session.value("dW1")) < (unclipped[-1] or 0)


def test_an_edit_in_the_first_pass_gives_another_first_gradient() -> None:
    session = deep()
    session.step("iteration")
    surveyor = Surveyor()
    first = surveyor.survey(session, session.snapshot()).lines[-1].first
    session.seek(0)
    session.edit("W3", (0, 0), 5.0)
    session.step("iteration")
    other = surveyor.survey(session, session.snapshot()).lines[-1]
    assert other.first == other.gradient
    assert other.first != first


@each_of(
    ("activation", "z", "share"),
    [
        ("sigmoid", [[0.0, 3.0, -3.0, 2.9]], 0.5),  # 0.5 0.953 0.047 0.948
        ("tanh", [[0.0, 1.5, -1.5, 1.4]], 0.5),  # 0 0.905 -0.905 0.885
        ("relu", [[1.0, -1.0, 0.0, -2.0]], 0.75),
        ("relu", [[1.0, -1.0, 0.0, 2.0], [-1.0, 1.0, -3.0, 2.0]], 0.25),
        ("leaky_relu", [[1.0, -1.0]], 0.5),
    ],
)
def test_a_unit_is_off_where_its_slope_is_small_in_every_row(
    activation: str, z: list[list[float]], share: float
) -> None:
    rows = np.array(z)
    slopes = {
        "sigmoid": np.exp(-rows) / (1 + np.exp(-rows)) ** 2,
        "tanh": 1 - np.tanh(rows) ** 2,
        "relu": (rows > 0).astype(float),
        "leaky_relu": np.where(rows > 0, 1.0, 0.01),
    }[activation]
    largest = 0.25 if activation == "sigmoid" else 1.0
    assert share_off(slopes, largest) == share


def test_dead_units_are_counted_where_the_gradient_passes_a_slope() -> None:
    session = deep("relu")
    session.seek(0)
    for unit in range(3):
        session.edit("b2", (unit,), -1e3)
    session.step("iteration")
    found = {line.layer: line for line in survey(session)}
    assert found[2].off == 0.75
    assert found[2].slope == 1.0


def test_a_fused_output_and_an_identity_have_no_units_that_are_off() -> None:
    session = Session(built_in("blocks"))
    session.step("iteration")
    assert survey(session)[0].off is None  # softmax with its cross-entropy
    session = Session(built_in("vanishing"))
    session.step("iteration")
    assert survey(session)[0].off is None


def test_vanishing_is_said_with_its_reason() -> None:
    session = Session(built_in("vanishing"))
    session.seek(820)
    found = Surveyor().survey(session, session.snapshot())
    said = meaning(found, found.lines[-1])
    assert said == "No unit is saturated; σ′ is at most 1/4, and the weights do not make up for it."
    factors = [line.factor for line in found.lines[1:]]
    dz1, dz10 = (np.linalg.norm(session.value(name)) for name in ("dz1", "dz10"))
    assert product(factors) == pytest.approx(dz1 / dz10)
    assert trend(found) == "every layer has a smaller gradient than in the first iteration"
    assert meaning(found, found.lines[0]) == ""


def test_saturation_is_said_to_be_the_reason_where_it_is() -> None:
    session = deep()
    for unit in range(4):
        session.edit("b2", (unit,), 30.0)
    session.step("iteration")
    found = Surveyor().survey(session, session.snapshot())
    assert meaning(found, found.lines[-1]).startswith("100% of the units of layer 2 are off")


def test_growing_is_said() -> None:
    session = deep("relu")
    for name in ("W2", "W3"):
        for index in np.ndindex(session.value(name).shape):
            session.edit(name, index, 40.0)
    session.edit("b1", (0,), 1.0)
    session.edit("b2", (0,), 1.0)
    session.step("phase")
    session.run(until=lambda step: step.phase is Phase.BACKWARD and "dz1" in step.writes)
    found = Surveyor().survey(session, session.snapshot())
    assert "it grows" in meaning(found, found.lines[-1])


def test_the_blocks_of_the_four_layers() -> None:
    blocks = blocks_of(Session(built_in("blocks")).program)
    assert [block.kept for block in blocks] == [
        ("x", "z1"), ("a1", "a2"), ("a2", "z3"), ("a3", "a4")
    ]  # fmt: skip
    assert [block.source for block in blocks] == ["x", "a1", "a2", "a3"]
    assert [block.outgoing for block in blocks] == [None, "da1", "da2", "da3"]
    assert [block.incoming for block in blocks] == ["da1", "da2", "da3", None]
    assert [line.name for line in blocks[1].backward] == ["dz2", "dW2", "db2", "da1"]
    assert blocks[1].gradients == ("dW2", "db2")
    assert [line.kept for line in blocks[1].backward] == [("a2",), ("a1",), (), ()]


def test_an_expression_has_no_blocks_and_a_graph() -> None:
    program = Session(built_in("graph")).program
    assert blocks_of(program) == ()
    graph = graph_of(program)
    assert graph.leaves == ("a", "b", "c")
    assert [(node.name, node.inputs, node.sign, node.level) for node in graph.nodes] == [
        ("d", ("a", "b"), "+", 1),
        ("e", ("d", "c"), "×", 2),
    ]


@each_of(
    ("code", "sign"),
    [("d = a + 1", "+ 1"), ("d = 2 * a", "2 ×"), ("d = a ** 3", "^ 3"), ("d = a ** 2", "^ 2"),
     ("d = -a", "−"), ("d = exp(a)", "exp"), ("d = a + a", "+ a"), ("d = 1 / a", "1 ÷")],
)  # fmt: skip
def test_the_sign_in_a_node(code: str, sign: str) -> None:
    session = Session(expression(code, "d", a=2.0))
    assert graph_of(session.program).nodes[0].sign == sign


def test_the_map_in_words() -> None:
    session = Session(built_in("blocks"))
    session.seek(20)
    lines = told(session, "map").splitlines()
    at = lines.index("layer 2 (at work)")
    assert lines[at + 1 : at + 6] == [
        "  forward   takes a1 (6, 4); holds W2 (4, 4) and b2 (4,)",
        "            |z2| = 1.206, |a2| = 1.161; gives a2",
        "  kept      a1 and a2",
        "  backward  takes da2 and what is kept",
        "            |dz2| = 0.2205, |dW2| = 0.139, db2 next, da1 not yet; gives da1",
    ]


def test_the_map_of_an_expression_in_words() -> None:
    session = Session(built_in("graph"))
    session.seek(5)
    assert told(session, "map").splitlines() == [
        "a  2; da = not computed yet",
        "b  1; db = not computed yet",
        "c  -3; dc = 3",
        "  d = a + b  d = 3; dd = -3",
        "  e = d * c  e = -9; de = 1",
    ]


def test_the_layers_in_words() -> None:
    session = Session(built_in("vanishing"))
    session.seek(820)
    lines = told(session, "layers").splitlines()
    assert lines[0].split() == ["layer", "|W|", "|dW|", "at", "first", "x", "dz", "step/W", "off"]
    assert lines[-3].split() == [
        "1", "1.915", "1.674e-10", "3.233e-09", "0.163", "8.7e-12", "0%"
    ]  # fmt: skip
    assert lines[-2].startswith("No unit is saturated")
    assert lines[-1] == "Every layer has a smaller gradient than in the first iteration."


def test_the_parameters_of_an_expression_in_place_of_layers() -> None:
    session = Session(expression("d = a * b", "d", a=2.0, b=3.0, optimized=optimizer(lr=0.5)))
    session.step("iteration")
    first, second = survey(session)
    assert (first.title, first.weights, first.gradient) == ("a", 0.5, 3.0)
    assert (second.title, second.weights, second.gradient) == ("b", 2.0, 2.0)
    assert first.moved == pytest.approx(1.5 / 2)
