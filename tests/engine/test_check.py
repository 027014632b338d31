"""`nnstep check`: what it finds, what it says of it, and which rule a misprint comes from."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from built_in import built_in
from in_one_test import each_of

from nnstep import scenarios
from nnstep.engine.check import Item, as_json, as_lines, check, passes_of
from nnstep.engine.loading import load
from nnstep.engine.session.session import Session

TWO_ROWS = """\
format = 1
title = "Two rows"
[network]
inputs = 2
[[network.layers]]
units = 2
activation = "sigmoid"
weights = [[0.1, 0.2], [0.3, 0.4]]
[[network.layers]]
units = 1
activation = "sigmoid"
weights = [[0.5, 0.6]]
[loss]
kind = "LOSS"
[optimizer]
kind = "sgd"
lr = 0.5
[data]
x = [[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]]
y = [[1.0], [0.0], [1.0]]
[run]
iterations = 5
RUN
"""


def checked(
    path: Path, *expectations: str, loss: str = "mse", run: str = "", text: str = TWO_ROWS
) -> list[Item]:
    text = text.replace("LOSS", loss).replace("RUN", run)
    path.write_text(text + "".join(f"[[expect]]\n{each}\n" for each in expectations), "utf-8")
    return list(check(path))


def value(path: Path, at: str, cell: tuple[int, ...], iteration: int, loss: str) -> str:
    """Return what a cell has under another loss, as a book would print it."""
    path.write_text(TWO_ROWS.replace("LOSS", loss).replace("RUN", ""), "utf-8")
    session = Session(load(path))
    session.seek((iteration + 1) * len(session.program))
    return f"{session.value(at)[cell]:.6g}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.toml"


def of(items: list[Item], kind: str) -> list[Item]:
    return [item for item in items if item.kind == kind]


def test_gradients_of_the_first_and_the_last_pass(path: Path) -> None:
    items = checked(path, 'at = "L"\niteration = 3\nvalue = "0.2"\ntol = 9')
    found = {(item.at, item.iteration) for item in of(items, "gradient")}
    assert found == {(at, pass_) for at in ("dW1", "db1", "dW2", "db2") for pass_ in (0, 3)}
    assert all(item.ok for item in items)
    (only,) = of(items, "expect")
    assert (only.at, only.iteration, only.cell, only.expected) == ("L", 3, (), "0.2")
    assert isinstance(only.got, float)


def test_it_runs_as_far_as_a_number_is_printed_and_no_further_than_the_run(path: Path) -> None:
    checked(path)
    assert passes_of(load(path)) == 1
    checked(path, 'at = "W1"\niteration = "start"\ncell = [0, 0]\nvalue = "0.1"')
    assert passes_of(load(path)) == 1
    items = checked(path, 'at = "L"\niteration = 7\nvalue = "0.2"')
    assert passes_of(load(path)) == 5
    assert {item.iteration for item in of(items, "gradient")} == {0, 4}
    (late,) = of(items, "expect")
    assert not late.ok
    assert late.text.endswith("is never reached: the run ends after iteration 4")


@each_of(
    ("at", "cell", "iteration", "loss", "rule"),
    [
        ("L", (), 0, 'mse"\nreduction = "sum', "the sum over all in place of the mean over all"),
        ("dW1", (1, 0), 0, 'mse"\nreduction = "sum', "the sum over all in place of the mean"),
        ("W1", (1, 0), 2, 'mse"\nreduction = "sum', "the sum over all in place of the mean"),
        (
            "dz2",
            (0, 0),
            0,
            'half_squared_error"\nreduction = "mean',
            "half a squared error would give",
        ),
        ("W2", (0, 1), 1, "half_squared_error", "half a squared error with the sum over all"),
    ],
)
def test_the_rule_that_gives_a_misprint_is_named(
    path: Path, at: str, cell: tuple[int, ...], iteration: int, loss: str, rule: str
) -> None:
    printed = value(path, at, cell, iteration, loss)
    keys = f'at = "{at}"\niteration = {iteration}\ncell = {list(cell)}\nvalue = "{printed}"'
    (item,) = of(checked(path, keys), "expect")
    assert not item.ok
    assert f"{printed} is what " in item.text
    assert rule in item.text


def test_no_rule_is_named_for_a_number_that_none_gives(path: Path) -> None:
    (item,) = of(checked(path, 'at = "L"\nvalue = "0.123456"'), "expect")
    assert not item.ok
    assert "would give" not in item.text


def test_weights_updated_too_early(path: Path) -> None:
    """Mazur's article prints the error that the hidden layer has after updated output weights."""
    mazur = (Path(__file__).parents[2] / "scenarios" / "mazur.toml").read_text("utf-8")
    mazur = mazur.split("[[expect]]")[0]
    items = checked(path, 'at = "L"\niteration = 1\nvalue = "0.291027924"', text=mazur)
    (item,) = of(items, "expect")
    assert not item.ok
    assert "0.291027924 is what updated weights, used too early, would give" in item.text
    assert "the sum" not in item.text


def test_a_factor_in_an_expression(path: Path) -> None:
    text = 'format = 1\n[program]\ncode = "e = 0.5 * a ** 2"\nloss = "e"\nparameters = {a = 3.5}\n'
    (item,) = of(checked(path, 'at = "da"\nvalue = "7.0"', text=text), "expect")
    assert "7.0 is what a factor 2 more would give" in item.text
    (item,) = of(checked(path, 'at = "da"\nvalue = "-3.5"', text=text), "expect")
    assert "-3.5 is what the opposite sign would give" in item.text


@each_of(
    ("factor", "said"),
    [
        (2, "a factor 2 more in the derivative of the loss"),
        (0.5, "a factor 2 less in the derivative of the loss"),
        (-1, "the opposite sign in the derivative of the loss"),
        (3, "the sum over the 3 rows in place of the mean"),
    ],
)
@each_of("iteration", [0, 1])
def test_a_factor_shows_in_what_is_updated_too(
    path: Path, factor: float, said: str, iteration: int
) -> None:
    """L = mean((w x - y)²) by hand, with dL a multiple of 1, momentum and its buffer."""
    text = """format = 1
[program]
code = "L = mean((w * x - y) ** 2)"
loss = "L"
parameters = { w = 0.7 }
[optimizer]
kind = "sgd"
lr = 0.1
momentum = 0.9
[data]
x = [1.0, 2.0, -0.5]
y = [1.5, 0.5, 0.25]
"""
    x, y = np.array([1.0, 2.0, -0.5]), np.array([1.5, 0.5, 0.25])
    w, v = 0.7, 0.0
    for _ in range(iteration + 1):
        v = 0.9 * v + factor * np.mean(2 * (w * x - y) * x)
        w -= 0.1 * v
    numbers = {"w": f"{w:.6f}", "buf_w": f"{v:.6f}"}
    keys = (f'at = "{at}"\niteration = {iteration}\nvalue = "{n}"' for at, n in numbers.items())
    items = of(checked(path, *keys, text=text), "expect")
    for item, (at, number) in zip(items, numbers.items(), strict=True):
        assert item.at == at
        assert f"{number} is what {said} would give" in item.text


def test_a_number_of_another_cell_is_said_to_be_that(path: Path) -> None:
    right = value(path, "W1", (1, 0), 0, "mse")
    (item,) = of(checked(path, f'at = "W1"\ncell = [0, 1]\nvalue = "{right}"'), "expect")
    assert item.text.endswith("; W1[1, 0] has the printed number")
    (item,) = of(checked(path, 'at = "W1"\ncell = [0, 1]\nvalue = "0.4"'), "expect")
    assert "has the printed number" not in item.text


def test_a_number_that_is_known_to_be_wrong_must_differ(path: Path) -> None:
    right = value(path, "L", (), 0, "mse")
    known = 'at = "L"\nvalue = "0.9"\nwrong = "the author forgot the 1/m"'
    assert of(checked(path, known), "expect")[0].ok
    (item,) = of(checked(path, known.replace("0.9", right)), "expect")
    assert not item.ok
    assert item.text.endswith("they agree, but the file says wrong")


OVERFLOW = TWO_ROWS.replace("lr = 0.5", "lr = 1e200").replace('"sigmoid"', '"identity"')


def test_faults_are_told_and_fail_only_if_there_should_be_none(path: Path) -> None:
    late = 'at = "W1"\niteration = "start"\ncell = [0, 0]\nvalue = "0.1"'
    named = 'at = "W1"\niteration = 3\ncell = [0, 0]\nvalue = "nan"'
    items = checked(path, late, named, text=OVERFLOW)
    assert of(items, "fault")
    assert all(item.ok for item in items)
    items = checked(path, late, named, text=OVERFLOW, run='faults = "none"')
    assert of(items, "fault")
    assert not any(item.ok for item in of(items, "fault"))


def test_a_file_that_does_not_load(path: Path) -> None:
    items = checked(path, 'at = "z9"\nvalue = "1"', 'at = "L"\ncell = [0]\nvalue = "1"')
    assert [(item.kind, item.ok) for item in items] == [("scenario", False)] * 2
    assert [item.text.split("s.toml:")[1].split(" ")[0] for item in items] == ["25:6:", "29:8:"]
    assert list(as_lines(items)) == [item.text for item in items]


def test_the_items_as_json(path: Path) -> None:
    items = checked(
        path,
        'at = "W1"\niteration = "start"\nvalues = [["0.1", "0.2"], ["0.3", "0.5"]]',
        'at = "W1"\niteration = 3\ncell = [0, 0]\nvalue = "nan"',
        text=OVERFLOW,
    )
    read = json.loads(as_json(items))
    keys = {"file", "kind", "at", "iteration", "cell", "expected", "got", "ok", "text"}
    assert all(set(each) == keys for each in read)
    starts = [each for each in read if each["iteration"] == "start"]
    assert [(each["cell"], each["expected"], each["got"], each["ok"]) for each in starts] == [
        ([0, 0], "0.1", 0.1, True),
        ([0, 1], "0.2", 0.2, True),
        ([1, 0], "0.3", 0.3, True),
        ([1, 1], "0.5", 0.4, False),
    ]
    (last,) = [each for each in read if each["kind"] == "expect" and each["iteration"] == 3]
    assert (last["expected"], last["got"], last["ok"]) == ("nan", "nan", True)


def test_what_is_right_is_told_in_short(path: Path) -> None:
    right = 'at = "W1"\niteration = "start"\ncell = [0, 0]\nvalue = "0.1"'
    wrong = 'at = "W1"\niteration = "start"\ncell = [0, 1]\nvalue = "0.3"'
    lines = list(as_lines(checked(path, right)))
    assert lines == [f"{path}: 4 gradients right, 1 printed number right"]
    lines = list(as_lines(check("goodfellow")))
    told = "goodfellow: 2 gradients right, 2 gradients not verified, 4 printed numbers right"
    assert lines[0] == told
    lines = list(as_lines(checked(path, right, wrong)))
    assert lines[0] == f"{path}: 4 gradients right, 1 of 2 printed numbers not right"
    assert lines[1].startswith(
        "  EXPECT  W1[0, 1] is 0.2 at the start, printed is 0.3: they differ"
    )


def test_an_override_that_is_wrong_and_the_number_that_the_rule_has(path: Path) -> None:
    own = '[[override]]\nline = "dW1 = dz1.T @ x / 3"\n'
    printed = value(path, "dW1", (1, 0), 0, "mse")
    keys = f'at = "dW1"\ncell = [1, 0]\nvalue = "{printed}"'
    items = checked(path, keys, text=TWO_ROWS + own)
    wrong = [item for item in of(items, "gradient") if not item.ok]
    assert [item.at for item in wrong] == ["dW1"]
    assert "1/3 of the numeric gradient" in wrong[0].text
    (item,) = of(items, "expect")
    assert not item.ok
    assert "is what the program's own rule, without an override, would give" in item.text


@pytest.mark.sweep(6)
@pytest.mark.parametrize("name", scenarios.names())
def test_all_is_right_in_the_gallery(name: str) -> None:
    items = list(check(name))
    assert [item.text for item in items if not item.ok] == []
    cells = sum(len(one.printed) for one in built_in(name).expectations)
    assert len(of(items, "expect")) == cells


PUBLISHED = {
    "blitz": 8,
    "circuit": 7,
    "d2l": 5,
    "feedforward": 1,
    "goodfellow": 4,
    "hmkcode": 2,
    "karpathy": 7,
    "lamsal": 22,
    "logistic": 10,
    "mazur": 20,
    "micrograd": 10,
    "misprint": 5,
    "neuron": 21,
    "ng": 7,
    "nielsen": 2,
    "olah": 3,
    "pencil": 25,
    "tanh-neuron": 7,
    "theta": 2,
    "trask": 4,
    "zhou": 4,
}


@cache
def published() -> set[str]:
    """The texts of the oracles."""
    folder = Path(__file__).parents[1] / "oracles" / "published"
    cases = [json.loads(file.read_text("utf-8")) for file in folder.glob("*.json")]
    return {each["text"] for case in cases for each in case["published"]}


@each_of("name", PUBLISHED)
def test_the_published_numbers_are_printed_as_published(name: str) -> None:
    """Nobody has touched up a digit: each text stands in the oracle that was read elsewhere."""
    printed = [text for one in built_in(name).expectations for _, text in one.printed]
    assert len(printed) >= PUBLISHED[name]
    assert set(printed) <= published()
