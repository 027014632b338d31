"""Forms in which people have their data: without a header, a sample a column, many classes."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from in_one_test import each_of

from nnstep.engine.loading import load
from nnstep.engine.scenario.errors import ScenarioError
from nnstep.engine.scenario.model import Data, Scenario

SCENARIO = """\
format = 1
[network]
inputs = 2
dtype = "{dtype}"
layers = [{{ units = {units} }}]
[loss]
kind = "{loss}"
[data]
{data}
"""

Write = Callable[..., Scenario]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """A function that loads a scenario of one layer with this `[data]`."""
    monkeypatch.chdir(tmp_path)
    Path("bare.csv").write_text("0.5,1.5,0\n2.5,3.5,1\n\n4.5,5.5,1\n")
    Path("named.csv").write_text("length,width,kind\n1,2,0\n")

    def reader(data: str, units: int = 1, loss: str = "mse", dtype: str = "float64") -> Scenario:
        Path("s.toml").write_text(SCENARIO.format(data=data, units=units, loss=loss, dtype=dtype))
        return load("s.toml")

    return reader


def data_of(scenario: Scenario) -> Data:
    assert scenario.data is not None
    return scenario.data


BARE = 'file = "bare.csv"\ninputs = ["0", "1"]\ntarget = "2"\n'


def test_without_a_header_the_first_row_is_a_sample(read: Write) -> None:
    scenario = read(BARE + "header = false")
    assert data_of(scenario).x.tolist() == [[0.5, 1.5], [2.5, 3.5], [4.5, 5.5]]
    assert data_of(scenario).y.tolist() == [[0], [1], [1]]
    assert scenario.warnings == ()


def test_a_first_row_of_numbers_is_warned_of_and_shown(read: Write) -> None:
    (warning,) = read('file = "bare.csv"\ninputs = ["0.5", "1.5"]\ntarget = "0"').warnings
    assert "s.toml:9:8: warning: the first row, '0.5,1.5,0', is taken for the names" in warning
    assert "header = false reads it as a sample" in warning
    assert not read('file = "named.csv"\ninputs = ["length", "width"]\ntarget = "kind"').warnings


def test_a_missing_column_lists_those_there_are(read: Write) -> None:
    with pytest.raises(ScenarioError) as caught:
        read('file = "named.csv"\ninputs = ["length", "depth"]\ntarget = "kind"')
    assert "s.toml:10:21: the file has no column 'depth'" in str(caught.value)
    assert "it has 'length', 'width', 'kind'" in str(caught.value)
    Path("wide.csv").write_text(",".join(f"c{n}" for n in range(300)) + "\n")
    with pytest.raises(ScenarioError, match="'c11' and 288 more"):
        read('file = "wide.csv"\ninputs = ["none", "c1"]\ntarget = "c2"')


def test_header_goes_with_a_file(read: Write) -> None:
    with pytest.raises(ScenarioError, match="'header' goes with 'file', not with 'generate'"):
        read('generate = "xor"\nheader = false')


def test_one_hot_rows_of_too_many_classes_are_refused_before_they_are_made(read: Write) -> None:
    rows = "".join(f"1,2,class {n}\n" for n in range(4_000))
    Path("many.csv").write_text("a,b,c\n" + rows)
    with pytest.raises(ScenarioError) as caught:
        read('file = "many.csv"\ninputs = ["a", "b"]\ntarget = "c"\none_hot = true', units=4_000)
    assert "s.toml:12:11: one_hot would make 4,000 rows of 4,000 classes" in str(caught.value)


COLUMNS = "x = [[0, 0, 1, 1], [0, 1, 0, 1]]\ny = [[0, 1, 1, 0]]\n"


def test_samples_may_be_written_a_sample_a_column(read: Write) -> None:
    data = data_of(read(COLUMNS + 'orient = "columns"'))
    assert data.x.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert data.y.tolist() == [[0], [1], [1], [0]]
    flat = COLUMNS.replace("[[0, 1, 1, 0]]", "[0, 1, 1, 0]") + 'orient = "columns"'
    assert data_of(read(flat)).y.tolist() == [[0], [1], [1], [0]]
    indices = data_of(read(flat, units=2, loss="cross_entropy")).y
    assert indices.tolist() == [0, 1, 1, 0]


def test_arrays_of_an_npz_file_may_have_a_sample_a_column(read: Write) -> None:
    np.savez("a.npz", x=np.arange(6.0).reshape(2, 3), y=np.array([[1.0, 2.0, 3.0]]))
    data = data_of(read('file = "a.npz"\norient = "columns"'))
    assert data.x.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert data.y.tolist() == [[1], [2], [3]]


def test_where_only_columns_would_fit_one_message_says_so(read: Write) -> None:
    with pytest.raises(ScenarioError) as caught:
        read(COLUMNS)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(
        "s.toml:9:5: x has shape (2, 4) and y (1, 4); where a sample is a column"
    )
    assert 'orient = "columns"' in line


@each_of(
    ("data", "loss", "units", "said"),
    [
        ("x = [[0, 1], [1, 0]]\ny = [[0, 1.5]]", "binary_cross_entropy", 1, "10:10: "),
        ("x = [[0, 1e300], [1, 0]]\ny = [[0, 1]]", "mse", 1, "9:10: 1e+300 is too large"),
        ("x = [[0, 1], [1, 0]]\ny = [[0, 7]]", "cross_entropy", 2, "10:10: there is no class 7"),
    ],
)
def test_mistakes_are_placed_where_they_are_written(
    data: str, loss: str, units: int, said: str, read: Write
) -> None:
    with pytest.raises(ScenarioError) as caught:
        read(data + '\norient = "columns"', units=units, loss=loss, dtype="float32")
    assert re.search(rf"s\.toml:{re.escape(said)}", str(caught.value)), caught.value


def test_a_csv_file_has_a_sample_a_row(read: Write) -> None:
    with pytest.raises(ScenarioError, match="in a CSV file each sample is a row"):
        read(BARE + 'header = false\norient = "columns"')
