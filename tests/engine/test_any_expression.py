"""Every function, over any shapes and values: refused with a reason that is ours, or it runs.

`NNSTEP_SEED` repeats a run.
"""

import os
import random
import time
from pathlib import Path

import numpy as np
import pytest
from in_one_test import each_of

from nnstep.engine.arrays import Array
from nnstep.engine.commands.interpreter import Interpreter
from nnstep.engine.language.computing import FUNCTIONS
from nnstep.engine.language.evaluate import evaluate
from nnstep.engine.language.nodes import ConditionError
from nnstep.engine.language.parser import parse_condition
from nnstep.engine.language.typed import TextError
from nnstep.engine.loading import load
from nnstep.engine.operations.catalogue import LISTED
from nnstep.engine.operations.elements import put_back, take
from nnstep.engine.operations.functions import one_hot
from nnstep.engine.scenario.errors import ScenarioError
from nnstep.engine.session.session import Session

SECONDS = 30
SHAPES: list[tuple[int, ...]] = [
    (), (1,), (3,), (2, 3), (3, 2), (3, 1), (1, 3), (2, 2, 2), (1, 1), (2, 1, 1, 1, 1)
]  # fmt: skip
SPECIAL = [0.0, -0.0, 1e308, -1e308, 5e-324, 1.0, -1.0, 2.0, 3.0, np.nan, np.inf, -np.inf]
NAMES = ["a", "b", "c"]
NUMBERS = ["0", "1", "2", "0.5", "-1", "3", "1e300"]
INDICES = ["0", "-1", "1", "0, 0", ":", "1:", "::2", "::-1", "5", "0:0", "0, 0, 0"]
OPTIONS = ["", "axis=0", "axis=-1", "axis=1, keepdims=True", "axis=2", "axis=0.5", "keepdims=True"]
SHAPES_GIVEN = ["(3, 2)", "(-1,)", "(2, 3)", "6", "(1, -1)", "(-1, -1)", "(0,)"]

# Words of NumPy and Python that nobody who types an expression has to know.
THEIRS = ("gufunc", "ufunc", "operands", "numpy", "NoneType", "<class", "cannot reshape", "unsized")


def any_array(draw: random.Random) -> Array:
    shape = draw.choice(SHAPES)
    is_special = draw.random() < 0.3
    values = [
        draw.choice(SPECIAL) if is_special and draw.random() < 0.5 else draw.uniform(-2, 2)
        for _ in range(int(np.prod(shape)))
    ]
    return np.array(values).reshape(shape)


def any_expression(draw: random.Random, depth: int) -> str:
    name = draw.choice(NAMES)
    if not depth or draw.random() < 0.2:
        return draw.choice([*NAMES, *NAMES, *NUMBERS])
    one, other, third = (any_expression(draw, depth - 1) for _ in range(3))
    match draw.randrange(11):
        case 0 | 1:
            return f"({one} {draw.choice(['+', '-', '*', '/', '**', '@'])} {other})"
        case 2:
            return f"-{one}"
        case 3:
            return f"{name}{draw.choice(['.T', '.size', f'[{draw.choice(INDICES)}]'])}"
        case 4:
            return f"({one} if {other} {draw.choice(['>', '==', '<='])} {third} else {one})"
        case 5:
            return f"where({one} {draw.choice(['>', '!='])} {other}, {third}, {name})"
        case 6:
            method = draw.choice(["sum", "mean", "max", "min", "var"])
            return f"{name}.{method}({draw.choice(OPTIONS)})"
        case 7:
            return f"concatenate(({one}, {other}), axis={draw.choice([0, 1, -1, 7])})"
        case 8:
            return f"reshape({one}, {draw.choice(SHAPES_GIVEN)})"
        case _:
            return _any_call(draw, one, other, third)


def _any_call(draw: random.Random, *arguments: str) -> str:
    called = draw.choice([*FUNCTIONS, *LISTED])
    function = FUNCTIONS.get(called)
    count = len(function.inputs) if function else draw.randint(1, 3)
    settings = []
    if function and function.settings and (function.needed or draw.random() < 0.5):
        wanted = draw.randint(function.needed, len(function.settings))
        settings = [draw.choice(["0", "1", "0.5", "(0, 1)", "a"]) for _ in range(wanted)]
    return f"{draw.choice(['', 'np.'])}{called}({', '.join([*arguments[:count], *settings])})"


def written(array: Array) -> str:
    if array.ndim:
        return f"[{', '.join(written(each) for each in array)}]"
    return repr(float(array))


def scenario(lines: str, arrays: dict[str, Array], dtype: str = "float64") -> str:
    values = ", ".join(f"{name} = {written(array)}" for name, array in arrays.items())
    return (
        f"format = 1\n[program]\ncode = '''\n{lines}\n'''\nloss = 'L'\ndtype = '{dtype}'\n"
        f"parameters = {{ q = 1.0, {values} }}\n"
        "[optimizer]\nkind = 'sgd'\nlr = 0.1\n[run]\niterations = 2\n"
    )


def ran_as_a_program(file: Path, draw: random.Random) -> None:
    """Load a program; if it is one, run it, verify it, and explain a cell of each line."""
    try:
        session = Session(load(file))
    except ScenarioError as error:
        assert not any(word in str(error) for word in THEIRS), str(error)
        return
    session.run()
    session.snapshot()
    session.verify()
    session.seek(len(session.program))
    for line in session.program.instructions:
        for name in line.writes:
            shape = session.value(name).shape
            if 0 not in shape:
                session.explain(name, tuple(draw.randrange(size) for size in shape))


def ran_at_the_prompt(file: Path, expression: str, draw: random.Random) -> None:
    """Use an expression wherever the prompt takes one; then step, whatever the values are."""
    try:
        session = Session(load(file))
    except ScenarioError:  # a NaN among what is to be trained
        return
    prompt = Interpreter(session)
    value = draw.choice(["nan", "inf", "1e300", "-7", "0", "1e9"])
    for line in (
        f"print {expression}",
        f"watch {expression}",
        f"break L if {expression}",
        f"set q = {expression}",
        f"override total = sum({expression})",
        f"override total = sum(take({draw.choice(NAMES)}, {draw.choice(NAMES)}))",
        f"override total = sum({expression}) if sum(a) > 1 else q",
        f"set {draw.choice(NAMES)}[0] = {value}",
        f"set a = {value}",
        "step 8",
        "back 6",
        "step 3",
        "verify",
    ):
        try:
            prompt.execute(line)
        except TextError as error:
            assert not any(word in str(error) for word in THEIRS), f"{line}\n{error}"
    session.snapshot()


def tried(seed: int, file: Path) -> None:
    draw = random.Random(seed)
    arrays = {name: any_array(draw) for name in NAMES}
    expression = any_expression(draw, draw.randint(1, 3))
    dtype = draw.choice(["float64", "float32", "float16"])
    program = scenario(f"u = {expression}\nL = sum(u)", arrays, dtype)
    other = scenario("total = sum(a)\nL = total + sum(b) + sum(c) * q", arrays)
    try:
        file.write_text(program, encoding="utf-8")
        ran_as_a_program(file, draw)
        file.write_text(other, encoding="utf-8")
        ran_at_the_prompt(file, expression, draw)
    except Exception as error:
        error.add_note(f"NNSTEP_SEED={seed}\n{program}\n{expression}")
        raise


@each_of("seed", (0, 1, 100, 200))
def test_some_expressions_are_refused_or_run(seed: int, tmp_path: Path) -> None:
    tried(seed, tmp_path / "scenario.toml")


@pytest.mark.slow
def test_any_expression_is_refused_or_runs(tmp_path: Path) -> None:
    first = int(os.environ.get("NNSTEP_SEED", "0")) or random.randrange(10**6)
    seed, end = first, time.monotonic() + SECONDS
    while time.monotonic() < end:
        tried(seed, tmp_path / "scenario.toml")
        seed += 1


@each_of(
    ("expression", "said"),
    [
        ("elu(a, (0, 1))", "'alpha' is a number; the call is elu(z, alpha)"),
        ("sum(a, 0, 1)", "'keepdims' is True or False"),
        ("(1 if a > b else 2)", "shapes (3,) and (2,) do not broadcast together"),
        ("elu(reshape(0, (-1,)) / 2)", "reshape makes an array of numbers that are written down"),
    ],
)
def test_a_program_that_could_not_run_is_refused(
    expression: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "scenario.toml"
    arrays = {"a": np.ones(3), "b": np.ones(2)}
    file.write_text(scenario(f"u = {expression}\nL = sum(u)", arrays), encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"scenario\.toml:4:\d+: ") as error:
        load(file)
    assert said in str(error.value)


@each_of(
    ("expression", "said"),
    [
        ("-1 @ 1", "@ takes no single numbers, write *"),
        ("reshape(a, (3, 2))", "an array of shape (3,) has 3 numbers, which do not fit (3, 2)"),
        ("-isnan(a)", "- takes numbers"),
        ("elu(a, (0, 1))", "'alpha' is a number"),
        ("one_hot(a, 1)", "one_hot takes a class for each row of a matrix"),
        ("len(1)", "len cannot be called like this"),
    ],
)
def test_at_the_prompt_our_words_say_what_is_wrong(expression: str, said: str) -> None:
    with pytest.raises(ConditionError) as error:
        evaluate(parse_condition(expression), {"a": np.ones(3)})
    assert said in str(error.value)


@each_of(
    ("line", "said"),
    [
        ("total = sum(a) if q > 2 else a", "the values before 'if' and after 'else' have shapes"),
        ("total = 1.0 * int(q)", "int takes a count"),
        ("total = sum(softplus(isnan(a)))", "softplus cannot be called like this"),
    ],
)
def test_an_override_that_hangs_on_values_is_refused(line: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(scenario("total = sum(a)\nL = total * q", {"a": np.ones(3)}), encoding="utf-8")
    with pytest.raises(TextError) as error:
        Interpreter(Session(load(file))).execute(f"override {line}")
    assert said in str(error.value)


def test_an_override_may_count_and_reduce_numbers(tmp_path: Path) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(scenario("total = sum(a)\nL = total * q", {"a": np.ones(3)}), encoding="utf-8")
    session = Session(load(file))
    session.override("total = sum(a.size) + sum(len(a) / 2)")
    session.step()
    assert session.value("total") == 4.5


def test_a_place_that_there_is_not_is_nan() -> None:
    x = np.array([[1.0, 2], [3, 4]])
    taken = take(x, np.array([1, -1, 2, np.nan, -3]))
    np.testing.assert_array_equal(taken, [[3, 4], [3, 4], *[[np.nan] * 2] * 3])
    back = put_back(np.ones((5, 2)), np.array([1, -1, 2, np.nan, -3]), x)
    np.testing.assert_array_equal(back, [[0, 0], [2, 2]])
    np.testing.assert_array_equal(take(x, np.array(7.0), axis=1), [np.nan, np.nan])


def test_a_row_whose_class_there_is_not_is_nan() -> None:
    like = np.zeros((3, 2))
    rows = one_hot(np.array([1.0, np.nan, 2]), like)
    np.testing.assert_array_equal(rows, [[0, 1], [np.nan, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(one_hot(np.array(1), like), [[0, 1]] * 3)
