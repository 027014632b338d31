"""Samples from files and generators: right when sound, refused with a reason when not."""

import io
import os
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from in_one_test import each_of

from nnstep.engine.limits import MAX_DATA_BYTES
from nnstep.engine.loading import load
from nnstep.engine.scenario.datafiles import read_csv, read_npz
from nnstep.engine.scenario.errors import ScenarioError
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.scenario.samples import DataError, generate, one_hot, standardized

IRIS = (
    b"\xef\xbb\xbfwidth, length ,species\r\n1,2.5,virginica\r\n\r\n3,nan,setosa\r\n5,6,setosa\r\n"
)


def packed(**arrays: object) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def zipped(name: str, content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(name, content)
    return file.getvalue()


@cache
def bomb() -> bytes:
    return zipped("x.npy", bytes(MAX_DATA_BYTES + 1))


def header_only(shape: str, descr: str = "<f8") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def test_csv_class_names_become_indices_of_the_sorted_names() -> None:
    samples = read_csv(IRIS, ["length", "width"], ["species"])
    np.testing.assert_array_equal(samples.x, [[2.5, 1], [np.nan, 3], [6, 5]])
    assert samples.classes == ("setosa", "virginica")
    assert samples.y.tolist() == [[1], [0], [0]]
    assert samples.y.dtype == np.int64


def test_csv_targets_may_be_numbers() -> None:
    samples = read_csv(b"a,b,c\n1,2,0.5\n3,4,1\n", ["a"], ["b", "c"])
    assert samples.y.tolist() == [[2.0, 0.5], [4.0, 1.0]]
    assert read_csv(b"a,b\n1,2\n", ["a"], ["b"]).y.dtype == np.int64


@each_of(
    ("content", "message", "option"),
    [
        (b"", "the file is empty", "file"),
        (b"a,b\n", "a header and no rows", "file"),
        (b"a,b\n1,2,3\n", "line 2 has 3 values, the header 2", "file"),
        (b"a,b\n1,2\n\nx,2\n", "line 4, column 'a': 'x' is no number", "inputs"),
        (b"a,b\n1_0,2\n", "line 2, column 'a': '1_0' is no number", "inputs"),
        (b"a,b\n ,2\n", "line 2, column 'a': the value is missing", "inputs"),
        (b"a,b\n1,red\n2, \n", "line 3, column 'b': the value is missing", "target"),
        (b"a,b\n1,\xff\n", "line 2 is not UTF-8 text", "file"),
        (b'a,b\n1,"2\n', "line 2: unexpected end of data", "file"),
        (b"a,b,a\n1,2,3\n", "two columns 'a'", "inputs"),
        (b"A,b\n1,2\n", "no column 'a' (did you mean 'A'?)", "inputs"),
        (b"a,B\x1b\n1,2\n", r"no column 'b'", "target"),
    ],
)
def test_csv_mistakes(content: bytes, message: str, option: str) -> None:
    with pytest.raises(DataError) as caught:
        read_csv(content, ["a"], ["b"])
    assert message in caught.value.message
    assert caught.value.option == option
    assert caught.value.message.isprintable()


def test_npz_arrays_by_name() -> None:
    content = packed(
        x=[[1, 2]], y=np.array([3], np.uint8), other=np.asfortranarray([[1.5, 2], [3, 4]])
    )
    samples = read_npz(content)
    assert samples.x.dtype == np.float64
    assert samples.y.dtype == np.int64
    assert samples.y.tolist() == [3]
    assert read_npz(content, inputs="other").x.tolist() == [[1.5, 2], [3, 4]]


NPZ_MISTAKES = {
    "nothing": (b"", "no NPZ file"),
    "no zip": (b"PK\x03\x04 and so on", "no NPZ file"),
    "cut off": (packed(x=[[1]], y=[1])[:-30], "no NPZ file"),
    "no x": (packed(z=[1]), "no array 'x'"),
    "a number": (packed(x=5, y=[1]), "is a single number"),
    "no rows": (packed(x=np.zeros((0, 2)), y=[1]), "is empty"),
    "complex": (packed(x=[1j], y=[1]), "does not hold real numbers"),
    "text": (packed(x=["a"], y=[1]), "does not hold real numbers"),
    "pickled": (packed(x=np.array([{}], dtype=object), y=[1]), "does not hold real numbers"),
    "too many": (zipped("x.npy", header_only("(10000000000,)")), "more than 10,000,000 numbers"),
    "header alone": (zipped("x.npy", header_only("(5,)")), "has not the numbers it promises"),
    "broken header": (zipped("x.npy", header_only("(5")), "no NPZ file"),
    "negative": (zipped("x.npy", header_only("(-5, -5)")), "is empty"),
    "unknown version": (zipped("x.npy", b"\x93NUMPY\x09\x00"), "no NPZ file"),
}


@each_of("mistake", NPZ_MISTAKES)
def test_npz_mistakes(mistake: str) -> None:
    content, message = NPZ_MISTAKES[mistake]
    with pytest.raises(DataError) as caught:
        read_npz(content)
    assert message in caught.value.message


def test_a_small_file_that_holds_too_much_is_refused() -> None:
    with pytest.raises(DataError, match="larger than 64 MiB"):
        read_npz(bomb())


def test_xor_is_its_four_rows() -> None:
    samples = generate("xor")
    assert samples.x.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert samples.y.tolist() == [[0], [1], [1], [0]]


@each_of("kind", ["xor", "moons", "circles", "spirals", "blobs"])
def test_generated_points_depend_on_the_seed_alone(kind: str) -> None:
    first = generate(kind, samples=21, noise=0.1, seed=3)
    again = generate(kind, samples=21, noise=0.1, seed=3)
    other = generate(kind, samples=21, noise=0.1, seed=4)
    assert first.x.shape == (21, 2)
    assert set(first.y.reshape(-1)) == {0, 1}
    np.testing.assert_array_equal(first.x, again.x)
    assert (first.x != other.x).all()
    np.testing.assert_array_equal(first.y, other.y)
    assert np.isfinite(generate(kind, samples=2).x).all()


def test_generated_shapes_without_noise() -> None:
    circles = generate("circles", samples=8)
    radius = np.where(circles.y[:, 0] == 0, 1.0, 0.5)
    np.testing.assert_allclose(np.hypot(*circles.x.T), radius)
    blobs = generate("blobs", samples=9, noise=0, classes=3)
    assert len(np.unique(blobs.x.round(9), axis=0)) == 3
    spirals = generate("spirals", samples=9, classes=3)
    np.testing.assert_allclose(spirals.x[:3], 0, atol=1e-15)
    moons = generate("moons", samples=4)
    np.testing.assert_allclose(
        moons.x, [[1.0, 0.0], [0.0, 0.5], [-1.0, 0.0], [2.0, 0.5]], atol=1e-15
    )


@each_of(
    ("arguments", "option"),
    [
        ({"kind": "moons", "samples": 10**15}, "samples"),
        ({"kind": "moons", "classes": 3}, "classes"),
        ({"kind": "blobs", "classes": 1}, "classes"),
        ({"kind": "blobs", "samples": 3, "classes": 4}, "classes"),
    ],
)
def test_generator_mistakes(arguments: dict[str, object], option: str) -> None:
    with pytest.raises(DataError) as caught:
        generate(**arguments)  # type: ignore[arg-type]
    assert caught.value.option == option


def test_one_hot_and_standardized() -> None:
    assert one_hot(np.array([[5], [2], [5]])).tolist() == [[0, 1], [1, 0], [0, 1]]
    scaled, constant = standardized(np.array([[1.0, 7.0], [3.0, 7.0]]))
    assert scaled.tolist() == [[-1, 0], [1, 0]]
    assert constant == (1,)


TEMPLATE = """\
format = 1
[network]
inputs = {inputs}
[[network.layers]]
units = {units}
activation = "{activation}"
[loss]
kind = "{loss}"
[data]
{data}
"""

Reader = Callable[..., Scenario]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """A function that reads a scenario with this `[data]`, in a folder with some data files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "iris.csv").write_bytes(IRIS.replace(b"nan", b"4"))
    (tmp_path / "inside" / "a.npz").write_bytes(packed(x=[[1, 2], [3, 1e300]], y=[0, 1]))
    (tmp_path / "inside" / "no_y.npz").write_bytes(packed(x=[[1]]))
    pickled = packed(x=np.array([{}], dtype=object), y=[1])
    (tmp_path / "inside" / "pickled.npz").write_bytes(pickled)
    (tmp_path / "inside" / "bomb.npz").write_bytes(bomb())
    (tmp_path / "inside" / "folder.csv").mkdir()
    (tmp_path / "outside.csv").write_bytes(IRIS)
    (tmp_path / "inside" / "link.csv").symlink_to("../outside.csv")
    (tmp_path / "inside" / "loop.csv").symlink_to("loop.csv")
    os.mkfifo(tmp_path / "inside" / "pipe.csv")

    def reader(
        data: str, inputs: int = 2, units: int = 2, loss: str = "mse", activation: str = "identity"
    ) -> Scenario:
        text = TEMPLATE.format(
            data=data, inputs=inputs, units=units, loss=loss, activation=activation
        )
        Path("inside/s.toml").write_text(text, encoding="utf-8")
        return load("inside/s.toml")

    return reader


CSV = 'file = "iris.csv"\ninputs = ["width", "length"]\ntarget = "species"\n'


def test_a_csv_file_in_a_scenario(read: Reader) -> None:
    data = read(CSV + "one_hot = true\nstandardize = true").data
    assert data is not None
    np.testing.assert_allclose(data.x.mean(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(data.x.std(axis=0), 1)
    assert data.y.tolist() == [[0, 1], [1, 0], [1, 0]]
    data = read(CSV, loss="cross_entropy", activation="softmax").data
    assert data is not None
    assert data.y.tolist() == [1, 0, 0]
    data = read(CSV, units=1, loss="binary_cross_entropy", activation="sigmoid").data
    assert data is not None
    assert data.y.tolist() == [[1.0], [0.0], [0.0]]


def test_generated_data_in_a_scenario(read: Reader) -> None:
    data = read('generate = "xor"', units=1).data
    assert data is not None
    assert data.y.tolist() == [[0.0], [1.0], [1.0], [0.0]]
    data = read(
        'generate = "spirals"\nclasses = 3\nsamples = 7', units=3, loss="cross_entropy"
    ).data
    assert data is not None
    assert data.y.tolist() == [0, 1, 2, 0, 1, 2, 0]
    data = read('generate = "blobs"\none_hot = true').data
    assert data is not None
    assert data.y.shape == (100, 2)


def test_a_column_of_one_value_is_only_centred(read: Reader) -> None:
    Path("inside/flat.csv").write_text("a,b,c\n1,7,0\n2,7,1\n")
    scenario = read(
        'file = "flat.csv"\ninputs = ["a", "b"]\ntarget = "c"\nstandardize = true', units=1
    )
    assert scenario.data is not None
    assert scenario.data.x.tolist() == [[-1, 0], [1, 0]]
    (warning,) = scenario.warnings
    assert warning.startswith("inside/s.toml:13:15: warning: column 'b' has one value")


@each_of(
    ("data", "said"),
    [
        ('file = "gone.csv"\ninputs = "a"\ntarget = "b"', "10:8: 'gone.csv': no such file"),
        ('file = "link.csv"\ninputs = "a"\ntarget = "b"', "10:8: 'link.csv' is outside"),
        ('file = "loop.csv"\ninputs = "a"\ntarget = "b"', "10:8: 'loop.csv'"),
        ('file = "pipe.csv"\ninputs = "a"\ntarget = "b"', "10:8: 'pipe.csv': not a regular file"),
        ('file = "folder.csv"\ninputs = "a"\ntarget = "b"', "10:8: 'folder.csv': this is a folder"),
        ('file = "/etc/a.csv"\ninputs = "a"\ntarget = "b"', "10:8: '/etc/a.csv' is outside"),
        ('file = "a\\u0000.npz"', r"10:8: 'a\x00.npz' cannot be a file's name"),
        ('file = "iris.txt"', "10:8: 'iris.txt' is neither a .csv nor an .npz file"),
        (
            CSV.replace('"length"', '"lenght"'),
            "11:20: the file has no column 'lenght' (did you mean",
        ),
        (CSV.replace('"species"', '"spcies"'), "12:10: the file has no column 'spcies' (did you"),
        (
            CSV.replace('"length"', '"species"'),
            "11:10: line 2, column 'species': 'virginica' is no",
        ),
        (CSV + "samples = 3", "13:1: 'samples' goes with 'generate', not with 'file'"),
        ('file = "a.npz"\ninputs = ["x"]', "11:10: in an NPZ file, 'inputs' is the name of one"),
        ('file = "no_y.npz"', "10:8: the file has no array 'y'"),
        ('file = "pickled.npz"', "10:8: array 'x' does not hold real numbers"),
        ('file = "bomb.npz"', "10:8: array 'x' is larger than 64 MiB"),
        ('file = "a.npz"\ntarget = "z"', "11:10: the file has no array 'z'"),
        ('file = "a.npz"', "10:8: expected shape (2, 2), a target row of 2 for each sample"),
        ('generate = "moons"\nclasses = 3', "11:11: moons has two classes"),
        ('generate = "blobs"\nclasses = 3', "10:12: expected shape (100, 2), a target row of 2"),
        ('generate = "blobs"\nsamples = 1', "10:12: there must be at least two classes"),
        ('generate = "moons"\nsamples = 100_000_000', "11:11: at most 5,000,000 samples"),
        ('generate = "moons"\nnoise = -1', "11:9: 'noise' must be a number >= 0, not -1"),
    ],
)
def test_mistakes_are_placed_in_the_scenario(data: str, said: str, read: Reader) -> None:
    with pytest.raises(ScenarioError) as caught:
        read(data)
    assert str(caught.value).startswith(f"inside/s.toml:{said}")


def test_three_names_need_one_hot_rows(read: Reader) -> None:
    Path("inside/three.csv").write_text("a,b,c\n1,7,p\n2,7,q\n3,7,r\n")
    with pytest.raises(ScenarioError, match="one_hot = true makes them rows"):
        read('file = "three.csv"\ninputs = ["a", "b"]\ntarget = "c"', units=1)


@pytest.mark.slow
def test_a_large_batch_of_a_wide_layer_is_refused(read: Reader) -> None:
    with pytest.raises(ScenarioError, match="a batch of 1,000,000 rows is too large"):
        read('generate = "moons"\nsamples = 1_000_000', units=20, loss="cross_entropy")
