"""What the strips of docs/screens.md say, word for word; commands and the command line."""

import json

import pytest
from built_in import built_in
from click.testing import CliRunner
from commanding import give, told
from in_one_test import each_of

from nnstep.engine.commands.explaining import as_json
from nnstep.engine.language.typed import TextError
from nnstep.engine.session.question import cell_in_question
from nnstep.engine.session.session import Session
from nnstep.tui.cli import main

FRAMES = {
    "5.2": (
        *("mazur", 1, "z1", (0, 0), "(1, 2) @ (2, 2) + (2,) → (1, 2)"),
        "z1 = x W1ᵀ + b1",
        "z1[n, i] = Σⱼ x[n, j]·W1[i, j] + b1[i]",
        "= 0.05 × 0.15 + 0.1 × 0.2 + 0.35 = 0.3775",
        "The weighted sum that enters neuron 0 of layer 1, before its activation.",
    ),
    "5.3": (
        *("mazur", 5, "L", (), "(1, 2), (1, 2) → ()"),
        "L = ½ Σ (a2 − y)²",
        "",
        "= ½ (0.751365 − 0.01)² + ½ (0.772928 − 0.99)² = 0.274811 + 0.023560 = 0.298371",
        "Half the squared distance from output to target, all outputs added.",
    ),
    "5.4": (
        *("mazur", 8, "dW2", (0, 1), "(2, 1) @ (1, 2) → (2, 2)"),
        "∂L/∂W2 = (∂L/∂z2)ᵀ a1",
        "dW2[i, j] = Σₙ dz2[n, i]·a1[n, j]",
        "= dz2[0, 0]·a1[0, 1] = 0.138499 × 0.596884 = 0.082668",
        "If W2[0, 1] grows by a little h, L grows by 0.0827 h.",
    ),
    "5.5": (
        *("mazur", 11, "dz1", (0, 0), "(1, 2) · (1, 2) → (1, 2)"),
        "∂L/∂z1 = ∂L/∂a1 ⊙ σ′(z1)",
        "σ′(z) = σ(z)·(1 − σ(z)) = a·(1 − a)",
        "= 0.0363503 × 0.593270 × (1 − 0.593270) = 0.0087714",
        "The error at neuron 0, let through by the slope of its sigmoid: 24 % of it.",
    ),
    "5.6": (
        *("two-layer", 18, "W1", (0, 0), "(3, 2) → (3, 2)"),
        "W ← W − η · m_hat / (√v_hat + ε)",
        "η = lr = 0.1, ε = 1e-8",
        None,
        "Adam's first step is lr, against the sign of the gradient, whatever its size.",
    ),
    "5.7": (
        *("rows", 8, "db2", (0,), "sum over 4 rows: (4, 1) → (1,)"),
        "∂L/∂b2 = Σ over rows of ∂L/∂z2",
        "db2[i] = Σₙ dz2[n, i]",
        "= (-0.105259) + 0.125234 + (-0.128622) + 0.107676 = -0.000971",
        "b2 was added to every row; so its gradient is the sum over the rows.",
    ),
    "5.8": (
        *("digits", 7, "dW2", (9, 5), "(10, 64) @ (64, 32) → (10, 32)"),
        "∂L/∂W2 = (∂L/∂z2)ᵀ a1",
        "dW2[i, j] = Σₙ dz2[n, i]·a1[n, j]",
        None,
        "If W2[9, 5] grows by a little h, L falls by 0.0049 h. 7 of 64 rows count.",
    ),
    "5.10": (
        *("mazur", 2, "a1", (0, 1), "(1, 2) → (1, 2)"),
        "a1 = σ(z1)",
        "σ(z) = 1 / (1 + exp(−z))",
        "= 1 / (1 + exp(-0.3925)) = 0.596884",
        "",
    ),
    "5.12": (
        *("graph", 4, "dc", (), "() → ()"),
        "∂e/∂c = ∂e/∂e · d",
        "e = d · c",
        None,
        "A product hands back the gradient times the other factor: c gets d.",
    ),
    "5.9": (
        *("mazur", 10, "da1", (0, 0), "(1, 2) @ (2, 2) → (1, 2)"),
        "∂L/∂a1 = ∂L/∂z2 W2",
        "da1[n, j] = Σᵢ dz2[n, i]·W2[i, j]",
        "= 0.1384986 × 0.4 + (-0.0380982) × 0.5 = 0.0553994 + (-0.0190491) = 0.0363503",
        "The errors of layer 2, sent back along the weights out of neuron 0.",
    ),
}


@each_of("frame", FRAMES)
def test_the_strips_of_the_design(frame: str) -> None:
    name, step, tensor, index, shapes, rule, general, printed, sentence = FRAMES[frame]
    session = Session(built_in(name))
    session.seek(step + 1)
    explanation = session.explain(tensor, index)
    assert explanation.step == step
    assert explanation.shapes == shapes
    assert (explanation.rule, explanation.general) == (rule, general)
    assert printed in (None, explanation.printed)
    assert len(explanation.printed) <= 78
    assert explanation.sentence == sentence


def test_an_edited_cell_as_in_5_22() -> None:
    session = Session(built_in("mazur"))
    session.seek(9)
    session.edit("a1", (0, 1), 0.9)
    explanation = session.explain("a1", (0, 1))
    assert (
        explanation.rule == "a1 = σ(z1) does not hold here: the value was typed in, before step 9"
    )
    assert explanation.was == "it was 0.596884 = 1 / (1 + exp(-0.3925))"
    assert explanation.sentence == (
        "Typed in by you. 6 tensors were computed from the old value and are stale (≈)."
    )


# Where it goes


def test_readers_are_the_cells_that_have_it_as_a_source() -> None:
    session = Session(built_in("mazur"))
    session.seek(13)
    readers = session.readers("a1", (0, 1))
    assert [(r.cell, r.step) for r in readers] == [
        ("z2[0, 0]", 3),
        ("z2[0, 1]", 3),
        ("dW2[0, 1]", 8),
        ("dW2[1, 1]", 8),
        ("dz1[0, 1]", 11),
    ]
    for reader in readers:
        assert reader.value == session.value(reader.name)[reader.index]
        sources = session.explain(reader.name, reader.index).sources
        assert "a1[0, 1]" in [source.cell for source in sources]


@pytest.mark.sweep(2)
@pytest.mark.parametrize("name", ["mazur", "rows", "graph", "blocks"])
def test_readers_and_sources_are_each_other_the_other_way_round(name: str) -> None:
    session = Session(built_in(name))
    session.seek(len(session.program))
    for line, step in zip(session.program.instructions, range(len(session.program)), strict=True):
        if not line.reads:
            continue
        target = line.writes[0]
        sources = session.explain(target, (0,) * session.value(target).ndim, at=step).sources
        for source in sources[:3]:
            here = Session(built_in(name))
            here.seek(step)
            readers = here.readers(source.name, source.index)
            assert step in [reader.step for reader in readers if reader.name == target]


def test_a_parameter_is_read_in_the_pass_to_come() -> None:
    session = Session(built_in("mazur"))
    session.seek(len(session.program))
    found = [(r.cell, r.step, r.value) for r in session.readers("W2", (0, 1))]
    assert found == [("z2[0, 0]", 19, None), ("da1[0, 1]", 26, None), ("W2[0, 1]", 31, None)]


# Which cell


def test_which_cell_is_in_question() -> None:
    session = Session(built_in("mazur"))
    assert cell_in_question(None, session.values(), None) is None
    lines = session.program.instructions
    session.step()
    assert cell_in_question(lines[0], session.values(), (0, 1)) == ("x", (0, 0))
    session.step()
    assert cell_in_question(lines[1], session.values(), (0, 1)) == ("z1", (0, 1))
    assert cell_in_question(lines[1], session.values(), (1, 1)) == ("z1", (0, 0))
    session.seek(10)
    assert cell_in_question(lines[9], session.values(), (0, 1)) == ("db2", (0,))
    assert cell_in_question(lines[5], session.values(), (0, 1)) == ("L", ())


# Commands


def test_explain_says_rule_numbers_meaning_and_where_from() -> None:
    session = Session(built_in("mazur"))
    text = told(session, "step 9", "explain dW2[0, 1]")
    assert text.splitlines()[0].startswith("dW2[0, 1] = 0.08266762784753325")
    assert "= dz2[0, 0]·a1[0, 1] = 0.138499 × 0.596884 = 0.082668" in text
    assert "If W2[0, 1] grows" in text
    assert "a1[0, 1] = 0.596884378259767  step 2  a1 = sigmoid(z1)" in text


def test_explain_at_a_step() -> None:
    session = Session(built_in("mazur"))
    assert "step 14" in told(session, "explain W1[0, 0] at 14")
    assert "step 14" in told(session, "explain W1[0, 0] at W1")
    assert "step 62" in told(session, "explain W1[0, 0] at W1@3")
    assert session.place == 0


@each_of(
    ("command", "message"),
    [
        ("explain", "a cell"),
        ("explain W9[0]", "W9"),
        ("explain W1[0]", "takes 2 indices"),
        ("explain dW1[0, 0]", "no value yet"),
        ("explain W1[0, 0] at nowhere", "no tensor 'nowhere'"),
        ("explain W1[0, 0] at b1", "no line writes b1"),
        ("explain W1[0, 0] at 999999", "steps are counted"),
        ("readers", "a cell"),
        ("cell L", "no value yet"),
        ("narrate perhaps", "on or off"),
    ],
)
def test_what_cannot_be_explained(command: str, message: str) -> None:
    with pytest.raises(TextError, match=message):
        give(Session(built_in("mazur")), command)


def test_readers_says_what_has_not_run() -> None:
    text = told(Session(built_in("mazur")), "readers W1[0, 0]")
    assert "z1[0, 0]" in text
    assert "not run yet" in text


def test_narrating_follows_the_cell_that_was_asked_for() -> None:
    session = Session(built_in("mazur"))
    assert "rule" not in told(session, "step 2")
    give(session, "narrate on", "cell z1[0, 1]")
    assert "\na1[0, 1] = 0.596884" in told(session, "step")
    assert "\nz2[0, 1] = 1.2249" in told(session, "step")
    assert "z2[0, 1]" not in told(session, "print z2")
    give(session, "narrate off")
    assert "rule" not in told(session, "step")


# The command line


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["explain", *arguments])
    return result.exit_code, result.output


def test_the_command_line_explains_after_the_first_backward_pass() -> None:
    status, text = run("mazur", "dW2[0, 1]")
    assert status == 0
    assert "If W2[0, 1] grows by a little h, L grows by 0.0827 h." in text


def test_the_command_line_writes_json() -> None:
    status, text = run("mazur", "W1[0, 0]", "--at", "14", "--format", "json")
    found = json.loads(text)
    assert status == 0
    assert list(found) == [
        *("cell", "value", "step", "code", "origin", "rule", "symbolic", "arithmetic"),
        *("definition", "exact", "printed", "terms", "zero_terms", "rest", "sources"),
        *("reductions", "sentence"),
    ]
    assert (found["cell"], found["step"]) == ("W1[0, 0]", 14)
    assert found["sources"][1] == {"cell": "lr", "value": 0.5, "step": None}


def test_numbers_in_json_are_those_of_a_trace() -> None:
    session = Session(built_in("overflow"))
    session.run(until="L - L != 0")
    explanation = session.explain("L", ())
    assert as_json(explanation, "float64")["value"] in ("nan", "inf")
    assert json.dumps(as_json(explanation, "float64"), allow_nan=False)


@each_of(
    "arguments",
    [
        ("mazur", "dW9[0]"),
        ("mazur", "W1[5, 5]"),
        ("mazur", "W1[0, 0]", "--at", "x9"),
        ("mazur", "W1[0, 0]", "--at", "99999"),
        ("no-such-file", "W1[0, 0]"),
        ("mazur", "1 +"),
    ],
)
def test_a_wrong_cell_step_or_file_is_exit_status_2(arguments: tuple[str, ...]) -> None:
    status, text = run(*arguments)
    assert status == 2
    assert "Traceback" not in text
