"""Weights, biases and parameters from a file beside the scenario, and parameters that are drawn."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from in_one_test import each_of

from nnstep.engine.loading import load
from nnstep.engine.saving.reference import scenario_digest
from nnstep.engine.scenario.errors import ScenarioError
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.session.session import Session

NETWORK = """\
format = 1
[network]
inputs = 2
dtype = "{dtype}"
[[network.layers]]
units = 3
weights = {weights}
bias = {bias}
[loss]
kind = "mse"
[data]
x = [[1, 2]]
y = [[1, 2, 3]]
"""
PROGRAM = """\
format = 1
[program]
code = "L = sum(x @ W + b)"
loss = "L"
seed = {seed}
inputs.x = [[1.0, 2.0]]
inputs.b = {b}
parameters.W = {w}
"""
W = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
FILE = '{ file = "w.npz", array = "W1" }'

Write = Callable[..., Scenario]


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """A function that loads a layer with these weights and this bias, given as TOML."""
    monkeypatch.chdir(tmp_path)
    odd, big = np.array([1.0, np.nan]), np.full(3, 7e4)
    np.savez("w.npz", W1=W, b1=np.array([1, 2, 3]), odd=odd, big=big)
    np.save("w.npy", np.asfortranarray(W))

    def write(weights: str = FILE, bias: str = "true", dtype: str = "float64") -> Scenario:
        Path("s.toml").write_text(NETWORK.format(weights=weights, bias=bias, dtype=dtype))
        return load("s.toml")

    return write


@pytest.fixture
def program(network: Write) -> Write:
    """A function that loads a program with this parameter W and this input b."""

    def write(w: str, b: str = "0", seed: int = 0) -> Scenario:
        Path("s.toml").write_text(PROGRAM.format(w=w, b=b, seed=seed))
        return load("s.toml")

    return write


@each_of("weights", [FILE, '{ file = "w.npy" }'])
@each_of("dtype", ["float64", "float32"])
def test_weights_and_a_bias_from_a_file(weights: str, dtype: str, network: Write) -> None:
    session = Session(network(weights, '{ file = "w.npz", array = "b1" }', dtype))
    assert session.value("W1").dtype == session.value("b1").dtype == dtype
    np.testing.assert_array_equal(session.value("W1"), W.astype(dtype))
    np.testing.assert_array_equal(session.value("b1"), [1, 2, 3])


@each_of(
    ("weights", "bias", "said"),
    [
        ('{ file = "v.npz" }', "true", "7:20: 'v.npz': no such file"),
        ('{ file = "../v.npz" }', "true", "7:20: '../v.npz' is outside the scenario's folder"),
        ('{ file = "w.txt" }', "true", "7:20: 'w.txt' is neither an .npz nor an .npy file"),
        ('{ file = "w.npz" }', "true", "7:20: the file has several arrays: say which, 'W1', 'b1'"),
        (
            '{ file = "w.npz", array = "W" }',
            "true",
            "7:37: the file has no array 'W' (did you",
        ),
        ('{ file = "w.npy", array = "W" }', "true", "7:37: an NPY file has one array"),
        ('{ file = "w.npz", array = "b1" }', "true", "7:20: expected shape (3, 2), found (3,)"),
        ('{ array = "b1" }', "true", "7:11: the key 'file' is missing"),
        ('{ file = "w.npz", arry = "b1" }', "true", "7:29: unknown key 'arry' (did you mean"),
        ("3", "true", "7:11: 'weights' must be a list or a table, not 3"),
        (
            FILE,
            '{ file = "w.npz", array = "odd" }',
            "8:17: the array[1] is nan, and must be",
        ),
        (FILE, '{ file = "w.npz", array = "W1" }', "8:17: expected shape (3,), found (3, 2)"),
        (FILE, "{ file = 1 }", "8:17: 'file' must be text in quotation marks, not 1"),
        (FILE, '{ kind = "zero" }', "8:17: 'kind' must be 'zeros'"),
        (FILE, "{ }", "8:8: the key 'kind' is missing"),
    ],
)
def test_a_mistake_has_its_place(weights: str, bias: str, said: str, network: Write) -> None:
    with pytest.raises(ScenarioError) as caught:
        network(weights, bias)
    assert str(caught.value).startswith(f"s.toml:{said}")


def test_a_number_too_large_for_the_type(network: Write) -> None:
    with pytest.raises(ScenarioError, match=r"s.toml:8:17: 70000.0 is too large for float16"):
        network(bias='{ file = "w.npz", array = "big" }', dtype="float16")


def test_the_layout_that_would_fit_is_named(network: Write) -> None:
    np.save("t.npy", W.T)
    with pytest.raises(ScenarioError, match=r"found \(2, 3\); it would fit layout = \"in_out\""):
        network('{ file = "t.npy" }')


def npy_header(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


@each_of("name", ["a.npy", "a.npz"])
@each_of(
    ("content", "said"),
    [
        (npy_header((10**12,)), "has more than 10,000,000 numbers"),
        (npy_header((3, 2)) + b"0", "has not the numbers it promises"),
        (npy_header((0, 2)), "is empty"),
        (b"\x93NUMPY\x01\x00\xff", "or a damaged one"),
    ],
)
def test_what_a_header_promises_is_checked_before_it_is_read(
    name: str, content: bytes, said: str, network: Write
) -> None:
    if name == "a.npy":
        Path(name).write_bytes(content)
    else:
        with zipfile.ZipFile(name, "w") as archive:
            archive.writestr("W.npy", content)
    with pytest.raises(ScenarioError, match=rf"s.toml:7:20: .*{said}"):
        network(f'{{ file = "{name}" }}')


def test_a_pickle_is_never_opened(network: Write) -> None:
    np.save("p.npy", np.array([print, 1], dtype=object), allow_pickle=True)
    with pytest.raises(ScenarioError, match="does not hold real numbers"):
        network('{ file = "p.npy" }')


def test_the_files_bytes_are_in_the_digest(network: Write) -> None:
    before = network()
    assert scenario_digest(before) == scenario_digest(network(str(W.tolist())))
    np.savez("w.npz", W1=W + 1e-12)
    assert scenario_digest(before) != scenario_digest(network())


def test_a_parameter_of_a_program_from_a_file(program: Write) -> None:
    np.savez("w.npz", W=W.T, b=np.float64(0.5))
    session = Session(program('{ file = "w.npz", array = "W" }', '{ file = "w.npz", array = "b" }'))
    session.run()
    assert session.value("L") == pytest.approx((np.array([[1.0, 2.0]]) @ W.T + 0.5).sum())


def test_a_parameter_of_a_program_is_drawn_as_weights_are(program: Write) -> None:
    drawn = '{ shape = [2, 3], init = "he_normal" }'
    first, again = (Session(program(drawn)).value("W") for _ in range(2))
    assert first.shape == (2, 3)
    np.testing.assert_array_equal(first, again)
    expected = np.random.default_rng(0).standard_normal((2, 3)) * np.sqrt(2 / 2)
    np.testing.assert_array_equal(first, expected)
    assert (Session(program(drawn, seed=1)).value("W") != first).all()


@each_of(("shape", "limit"), [([], 6 / 2), ([5], 6 / 6), ([2, 4], 6 / 6), ([3, 2, 4], 6 / 10)])
def test_the_inputs_of_a_shape_are_all_axes_but_the_last(
    shape: list[int], limit: float, program: Write, tmp_path: Path
) -> None:
    text = PROGRAM.format(w=f"{{ shape = {shape} }}", b=0, seed=3).replace("x @ W", "x[0, 0] * W")
    (tmp_path / "s.toml").write_text(text)
    values = Session(load("s.toml")).value("W")
    bound = np.sqrt(limit)
    expected = np.random.default_rng(3).uniform(-bound, bound, tuple(shape))
    np.testing.assert_array_equal(values, expected)


@each_of(
    ("w", "said"),
    [
        ("{ }", "8:16: a table needs 'file', or 'shape' and 'init'"),
        ('{ init = "zeros" }', "8:16: a table needs 'file', or 'shape' and 'init'"),
        ('{ shape = [2], file = "w.npz" }', "8:18: 'file' and 'shape' exclude each other"),
        ('{ shape = [2], array = "W" }', "8:31: 'array' goes with 'file', not with 'shape'"),
        ("{ shape = [0] }", "8:27: an element of 'shape' must be a whole number >= 1, not 0"),
        ("{ shape = [10_000, 10_000] }", "8:26: an array has at most 16 axes and 10,000,000"),
        ('{ shape = [2], init = "he" }', "8:38: 'init' must be 'zeros'"),
        ('{ shape = [2], init = "normal" }', "8:38: 'normal' needs std"),
        ('{ shape = [2], init = { kind = "normal", std = -1 } }', "8:63: 'std' must be"),
        ('{ shape = [4, 3], init = "zeros" }', "3:"),
    ],
)
def test_a_mistake_in_a_parameter(w: str, said: str, program: Write) -> None:
    with pytest.raises(ScenarioError) as caught:
        program(w)
    assert str(caught.value).startswith(f"s.toml:{said}")


def test_inputs_are_not_drawn(program: Write) -> None:
    with pytest.raises(ScenarioError, match=r"s.toml:7:12: the key 'file' is missing"):
        program("0", "{ shape = [2] }")


def test_all_drawn_parameters_together_are_limited(program: Write, tmp_path: Path) -> None:
    many = "".join(f"parameters.W{n} = {{ shape = [10_000_000] }}\n" for n in range(6))
    (tmp_path / "s.toml").write_text(PROGRAM.format(w=1, b=0, seed=0) + many)
    with pytest.raises(ScenarioError, match="more than 50,000,000 numbers together"):
        load("s.toml")
