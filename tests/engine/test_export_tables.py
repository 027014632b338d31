"""Losses and tensors by iteration: a row each in CSV, an axis of every array in NPZ."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from building import expression, network, optimizer
from built_in import built_in
from export_cases import in_batches, random_network
from in_one_test import each_of

from nnstep.engine.arrays import Array
from nnstep.engine.export.errors import ExportError
from nnstep.engine.export.files import npz
from nnstep.engine.export.tables import arrays_by_iteration, write_csv
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.session.session import Session


def ends(scenario: Scenario, iterations: int) -> list[dict[str, Array]]:
    passes: list[dict[str, Array]] = [{} for _ in range(iterations)]
    for step in Session(scenario, iterations=iterations).steps():
        passes[step.iteration] |= step.writes
    return passes


def rows(scenario: Scenario, iterations: int | None) -> list[dict[str, str]]:
    stream = io.StringIO()
    write_csv(scenario, stream, iterations)
    stream.seek(0)
    return list(csv.DictReader(stream))


@each_of("dtype", ["float64", "float32", "float16"])
def test_a_row_has_all_digits_of_every_cell(dtype: str) -> None:
    for scenario in (random_network(108, dtype), random_network(110, dtype), *in_batches(dtype)):
        table = rows(scenario, 4)
        assert [row["iteration"] for row in table] == ["0", "1", "2", "3"]
        for row, tensors in zip(table, ends(scenario, 4), strict=True):
            filled = {name for name, text in row.items() if text} - {"iteration", "epoch"}
            assert len(filled) == sum(array.size for array in tensors.values())
            for name, array in tensors.items():
                for index in np.ndindex(array.shape):
                    cell = f"{name}[{', '.join(map(str, index))}]" if index else name
                    assert array.dtype.type(row[cell]) == array[index] or np.isnan(array[index])


def test_the_loss_stands_first_and_epochs_are_counted() -> None:
    stream = io.StringIO()
    write_csv(built_in("xor"), stream, 3)
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith('iteration,epoch,L,"x[0, 0]"')
    assert [line.split(",")[1] for line in lines[1:]] == ["0", "0", "1"]


def test_numbers_that_are_not_finite_have_their_names() -> None:
    (row,) = rows(expression("L = log(a) + 1 / b", "L", a=-1.0, b=0.0), None)
    assert (row["L"], row["db"]) == ("nan", "-inf")


def stored(arrays: Any, folder: Path) -> Any:
    (folder / "out.npz").write_bytes(npz(arrays))
    return np.load(folder / "out.npz", allow_pickle=False)


def test_an_array_has_an_axis_of_iterations(tmp_path: Path) -> None:
    scenario = built_in("mazur")
    with stored(arrays_by_iteration(scenario, 5), tmp_path) as arrays:
        for iteration, tensors in enumerate(ends(scenario, 5)):
            for name, array in tensors.items():
                assert arrays[name].shape == (5, *array.shape)
                assert arrays[name][iteration].tobytes() == array.tobytes()
        np.testing.assert_array_equal(arrays["W1@start"], [[0.15, 0.2], [0.25, 0.3]])
        assert arrays["lr@start"] == 0.5


def test_batches_of_several_sizes_have_an_array_each(tmp_path: Path) -> None:
    scenario = network(rows=5, batch_size=2)
    with stored(arrays_by_iteration(scenario, 3), tmp_path) as arrays:
        assert [arrays[f"z1@{i}"].shape for i in range(3)] == [(2, 2), (2, 2), (1, 2)]
        assert arrays["W1"].shape == (3, 2, 2)
        assert "z1" not in arrays


def test_any_name_can_be_stored(tmp_path: Path) -> None:
    made = expression("L = file * file", "L", optimized=optimizer(), file=2.0)
    with stored(arrays_by_iteration(made, 1), tmp_path) as arrays:
        assert arrays["file@start"] == 2.0
        assert arrays["dfile"] == [4.0]


def test_too_many_numbers_are_refused_before_they_are_computed() -> None:
    with pytest.raises(ExportError, match=r"numbers, more than .*--iterations"):
        arrays_by_iteration(built_in("digits"), 10**9)
