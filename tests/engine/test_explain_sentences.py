"""Every sentence of an explanation is a claim; over random programs none of them is false."""

import random
import re
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from building import network
from built_in import built_in
from random_programs import random_expression, random_network

from nnstep.engine import EditError
from nnstep.engine.arrays import Array
from nnstep.engine.explain.explanation import Explanation
from nnstep.engine.machine.edit import Edit
from nnstep.engine.program.program import Phase, run
from nnstep.engine.session.session import Session

Tensors = Mapping[str, Array]


def derivative(session: Session, tensors: Tensors, name: str, index: tuple[int, ...]) -> float:
    """The difference quotient of the loss by a cell, for the batch and the parameters there are."""
    lines = [i for i in session.program.instructions if i.phase in (Phase.FORWARD, Phase.LOSS)]

    def loss(step: float) -> float:
        moved = tensors[name].copy()
        moved[index] += step
        with np.errstate(all="ignore"):
            return float(run(lines, {**tensors, name: moved})[session.program.loss][()])

    size = 1e-5 * max(1.0, abs(float(tensors[name][index])))
    return (loss(size) - loss(-size)) / (2 * size)


def close(claimed: str, true: float) -> bool:
    """Whether a printed number is the true one, but for its last digit and differences' error."""
    mantissa, _, exponent = claimed.partition("e")
    unit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    return abs(float(claimed) - true) <= 0.51 * unit + 1e-6 * max(1.0, abs(true))


def cell_of(text: str) -> tuple[str, tuple[int, ...]]:
    name, _, index = text.rstrip("]").partition("[")
    return name, tuple(int(part) for part in index.split(",")) if index else ()


def holds_gradient(s: Session, t: Tensors, e: Explanation, said: re.Match[str]) -> bool:
    sign = 1 if said["verb"] == "grows" else -1
    return close(said["number"], sign * derivative(s, t, *cell_of(said["cell"])))


def holds_flat(s: Session, t: Tensors, e: Explanation, said: re.Match[str]) -> bool:
    return abs(derivative(s, t, *cell_of(said["cell"]))) <= 1e-5


def holds_slope(s: Session, t: Tensors, e: Explanation, said: re.Match[str]) -> bool:
    share = float(said["share"])
    unit = 10.0 ** -len(said["share"].partition(".")[2])
    error = float(t["da" + e.name[2:]][e.index])
    return abs(100 * e.value / error - share) <= 0.51 * unit and e.index[-1] == int(said["unit"])


def holds_passing(s: Session, t: Tensors, e: Explanation, said: re.Match[str]) -> bool:
    return e.value == float(t["da" + e.name[2:]][e.index])


def holds_stopped(s: Session, t: Tensors, e: Explanation, said: re.Match[str]) -> bool:
    return e.value == 0 != float(t["da" + e.name[2:]][e.index])


def holds_rows(s: Session, t: Tensors, e: Explanation, said: re.Match[str]) -> bool:
    rows = t["dz" + e.name[2:]].sum(axis=0)
    return said["name"] == e.name[1:] and np.allclose(rows[e.index], e.value, rtol=1e-9)


def holds_back(s: Session, t: Tensors, e: Explanation, said: re.Match[str]) -> bool:
    layer, of = said["layer"], int(said["unit"])
    network = s.scenario.network
    assert network is not None
    W = t[f"W{layer}"] if network.layout == "out_in" else t[f"W{layer}"].T
    expected = t[f"dz{layer}"][e.index[0]] @ W[:, of]
    return bool(np.isclose(expected, e.value, rtol=1e-9)) and of == e.index[1]


def holds_weighted(s: Session, t: Tensors, e: Explanation, said: re.Match[str]) -> bool:
    return e.name == f"z{said['layer']}" and e.index[-1] == int(said["unit"])


def holds_off(s: Session, t: Tensors, e: Explanation, said: re.Match[str]) -> bool:
    name, index = cell_of(said["cell"])
    return e.value == 0 and float(t[name][index]) <= 0 and e.index[-1] == int(said["unit"])


def holds_first_step(s: Session, t: Tensors, e: Explanation, said: re.Match[str]) -> bool:
    moved = e.value - float(t[e.name][e.index])
    lr, gradient = float(t["lr"][()]), float(t[f"d{e.name}"][e.index])
    return np.isclose(moved, -np.sign(gradient) * lr, rtol=0.011) and int(t["t"][()]) == 1


def holds_unclipped(s: Session, t: Tensors, e: Explanation, said: re.Match[str]) -> bool:
    return e.value == 1 and close(said["number"], float(t["grad_norm"][()]))


def holds_clipped(s: Session, t: Tensors, e: Explanation, said: re.Match[str]) -> bool:
    near = abs(100 * e.value - float(said["share"])) <= 0.51
    return near and close(said["number"], float(t["grad_norm"][()]))


def holds_cancelling(s: Session, t: Tensors, e: Explanation, said: re.Match[str]) -> bool:
    return abs(e.value) < 0.05 * sum(abs(term.value) for term in e.terms)


def holds_product(s: Session, t: Tensors, e: Explanation, said: re.Match[str]) -> bool:
    upstream = next(x.name for x in e.sources if x.name.startswith("d") and x.name[1:] in t)
    return e.value == float(t[upstream][()]) * float(t[said["other"]][()])


def holds_typed(s: Session, t: Tensors, e: Explanation, said: re.Match[str]) -> bool:
    edit = s.snapshot().branch.edits[-1]
    assert isinstance(edit, Edit)
    return e.origin == "edit" and (edit.name, edit.index) == (e.name, e.index)


def holds_stale(s: Session, t: Tensors, e: Explanation, said: re.Match[str]) -> bool:
    return holds_typed(s, t, e, said) and int(said["count"]) <= len(s.stale)


def holds_drawn(s: Session, t: Tensors, e: Explanation, said: re.Match[str]) -> bool:
    return s.seed == int(said["seed"])


def holds_frozen(s: Session, t: Tensors, e: Explanation, said: re.Match[str]) -> bool:
    return s.program.tensors[e.name].frozen


def holds_loss(s: Session, t: Tensors, e: Explanation, said: re.Match[str]) -> bool:
    """Compute the loss as the sentence says it: an element's measure, how they are added up."""
    line = s.program.instructions[(e.step or 0) % len(s.program)]
    a, y = t[line.names["a"]], t[line.names["y"]]
    if "with_logits" in line.operation:
        a = _of_logits(line.operation, a)
    if y.ndim == 1:
        y = np.eye(a.shape[1])[y]
    likely = np.where(y == 1, a, 1 - a)
    elements = {
        "Half the squared distance from output to target": 0.5 * (a - y) ** 2,
        "The squared distance from output to target": (a - y) ** 2,
        "The distance from output to target": np.abs(a - y),
        "−log of the answer's probability": -np.log(likely),
        "−log of the right class's probability": -np.log((a * y).sum(axis=1)),
    }[said["measure"]]
    total = {
        "all outputs added": elements.sum(),
        "all outputs and rows added": elements.sum(),
        "all rows added": elements.sum(),
        "the mean over outputs": elements.mean(),
        "the mean over outputs and rows": elements.mean(),
        "outputs added, the mean over the rows": elements.sum() / len(a),
        "the mean over the rows": elements.sum() / len(a),
    }[said["added"]]
    network = s.scenario.network
    assert network is not None
    if said["penalty"]:
        total = total + network.l2 / 2 * sum((t[n] ** 2).sum() for n in line.reads if n[0] == "W")
    return bool(np.isclose(total, e.value, rtol=1e-9))


def _of_logits(operation: str, a: Array) -> Array:
    if operation.startswith("binary"):
        return 1 / (1 + np.exp(-a))
    shares = np.exp(a - a.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


Holds = Callable[[Session, Tensors, Explanation, "re.Match[str]"], bool]
_NUMBER = r"(?P<number>[\d.]+(e-?\d+)?)"
_ADDED = "(?P<added>all [a-z ]+ added|the mean over [a-z ]+|outputs added, the mean over the rows)"
CLAIMS: list[tuple[str, Holds]] = [
    (rf"If (?P<cell>.+) grows by a little h, \w+ (?P<verb>grows|falls) by {_NUMBER} h\."
     r"( \d+ of \d+ rows count\.)?", holds_gradient),
    (r"A little change of (?P<cell>.+) does not change \w+, to first order\.", holds_flat),
    (r"The error at neuron (?P<unit>\d+), let through by the slope of its \w+: "
     r"(?P<share>[\d.]+(e-?\d+)?) % of it\.", holds_slope),
    (r"The error at neuron \d+ passes unchanged: its ReLU is on\.", holds_passing),
    (r"The error at neuron \d+ goes no further: .+ here\.", holds_stopped),
    (r"(?P<name>\w+) was added to every row; so its gradient is the sum over the rows\.",
     holds_rows),
    (r"The errors of layer (?P<layer>\d+), sent back along the weights out of "
     r"(neuron|input) (?P<unit>\d+)\.", holds_back),
    (r"The weighted sum that enters neuron (?P<unit>\d+) of layer (?P<layer>\d+), "
     r"before its activation\.", holds_weighted),
    (r"Neuron (?P<unit>\d+) is off for this row: (?P<cell>.+) is not above 0\.", holds_off),
    (r"Adam's first step is lr, against the sign of the gradient, whatever its size\.",
     holds_first_step),
    (rf"The norm, {_NUMBER}, is not over the limit: no gradient is changed\.", holds_unclipped),
    (rf"The norm is {_NUMBER}: every gradient is scaled to (?P<share>[\d.]+) % of itself\.",
     holds_clipped),
    (r"(Only rounding is left of it: the terms cancel|Its terms (nearly )?cancel)\.",
     holds_cancelling),
    (r"A product hands back the gradient times the other factor: \w+ gets (?P<other>\w+)\.",
     holds_product),
    (r"Typed in by you before step \d+; it was .+\.", holds_typed),
    (r"Typed in by you\. (?P<count>\d+) tensors? (was|were) computed .+", holds_stale),
    (r"Drawn at the start with seed (?P<seed>\d+)\.( It is frozen: .+)?", holds_drawn),
    (r"It is frozen: no update changes it\.", holds_frozen),
    (rf"(?P<measure>[^,]+), {_ADDED}(?P<penalty>, and the penalty of the weights)?\.", holds_loss),
]  # fmt: skip


def check(session: Session, explanation: Explanation) -> str:
    """Hold a sentence to the numbers; return the form of sentence that it is."""
    said = explanation.sentence
    if not said:
        return ""
    step = session.place if explanation.step is None else explanation.step
    tensors = session.values_at(step)
    for pattern, holds in CLAIMS:
        if found := re.fullmatch(pattern, said):
            with np.errstate(all="ignore"):
                assert holds(session, tensors, explanation, found), (explanation.cell, said)
            return pattern
    raise AssertionError(f"nobody checks {said!r}")


def random_edit(session: Session, choose: random.Random) -> None:
    name = choose.choice([*session.values()])
    array = session.value(name)
    if array.dtype.kind == "i":
        return
    index = tuple(choose.randrange(size) for size in array.shape)
    session.edit(name, index, float(array[index]) + choose.choice([-0.2, 0.3]))
    check(session, session.explain(name, index))


def walk(session: Session, seed: int, edits: float, cells: int = 1) -> set[str]:
    """Walk through a run with edits; every sentence on the way holds."""
    choose, met = random.Random(seed), set[str]()
    for _ in range(2 * len(session.program)):
        step = session.step()
        if step is None:
            break
        for name, array in step.writes.items():
            for _ in range(cells):
                index = tuple(choose.randrange(size) for size in array.shape)
                met.add(check(session, session.explain(name, index)))
        if choose.random() < edits:
            random_edit(session, choose)
    return met - {""}


@pytest.mark.sweep(7)
@pytest.mark.parametrize("seed", range(14))
def test_no_sentence_is_false(seed: int) -> None:
    make = random_expression if seed % 4 == 3 else random_network
    walk(Session(make(seed, "float64")), seed, 0.05 if seed % 2 else 0.0)


@pytest.mark.slow
def test_no_sentence_of_two_hundred_programs_is_false() -> None:
    met = set[str]()
    for seed in range(500, 700):
        make = random_expression if seed % 4 == 3 else random_network
        met |= walk(Session(make(seed, "float64")), seed, 0.05 if seed % 2 else 0.0, cells=2)
    assert len(met) >= 14


def test_an_edited_pass_says_nothing_of_the_loss() -> None:
    session = Session(built_in("mazur"))
    session.seek(4)
    session.edit("a1", (0, 0), 0.1)
    session.seek(9)
    assert session.explain("dW2", (0, 0)).sentence == ""
    session.seek(len(session.program) + 9)
    assert session.explain("dW2", (0, 0)).sentence.startswith("If W2[0, 0] grows")


def test_a_gradient_at_a_kink_says_nothing_of_the_loss() -> None:
    session = Session(network((2, 2, 1), activations=("relu", "identity")))
    for unit in range(2):
        session.edit("W1", (0, unit), 0.0)  # with the bias 0, z1[0, 0] is at the kink
    while "dW2" not in session.values():
        session.step()
    assert session.value("z1")[0, 0] == 0
    assert session.explain("dW2", (0, 1)).sentence == ""


def test_a_cell_that_is_no_more_makes_no_sentence() -> None:
    session = Session(built_in("mazur"))
    with pytest.raises(EditError):
        session.explain("dW1", (0, 0))
