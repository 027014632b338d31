"""The built-in scenarios compute what PyTorch, and the articles they come from, computed."""

from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from built_in import built_in
from in_one_test import each_of
from oracle_scenarios import (
    BUFFERS,
    ORACLES,
    Arrays,
    Case,
    Iteration,
    assert_close,
    check_published,
    compare_step,
    iterations,
    read_case,
)

from nnstep import scenarios
from nnstep.engine.loading import load
from nnstep.engine.session.session import Session

Array = np.ndarray[Any, Any]
LOOSE = 1e-7
"""Relative tolerance at the end of a long run, where rounding has had time to grow."""


@cache
def run(name: str) -> list[Iteration]:
    return list(iterations(Session(built_in(name))))


def gallery(name: str) -> Case:
    return read_case(ORACLES / "gallery" / f"{name}.json")


def written(iteration: Iteration, name: str) -> Array:
    value = iteration.computed(name)
    assert value is not None, f"{name} was not written"
    return value


def parameters(count: int) -> list[str]:
    return [f"{kind}{layer}" for layer in range(1, count + 1) for kind in "Wb"]


def norms(arrays: list[Array]) -> list[float]:
    return [float(np.linalg.norm(array)) for array in arrays]


def test_names_and_files_agree() -> None:
    files = {path.stem for path in scenarios.path("mazur").parent.glob("*.toml")}
    files.remove(scenarios.template().stem)
    assert files == set(scenarios.names())
    assert len(scenarios.names()) == len(files)
    assert all(scenarios.path(name).is_file() for name in scenarios.names())


def test_the_shape_of_a_network_that_a_list_tells_is_that_of_its_file() -> None:
    for _, example in scenarios.examples():
        if network := built_in(example.name).network:
            widths = [str(network.inputs), *(str(layer.units) for layer in network.layers)]
            if len(widths) > 6:
                widths[2:-2] = "…"
            assert example.shape == "-".join(widths)


def test_a_folder_of_the_name_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rows").mkdir()
    monkeypatch.chdir(tmp_path)
    assert built_in("rows").title == load(scenarios.path("rows")).title


def test_unknown_name() -> None:
    with pytest.raises(KeyError, match="nonesuch"):
        scenarios.path("nonesuch")


@each_of("name", scenarios.names())
def test_loads_without_warning(name: str) -> None:
    scenario = built_in(name)
    assert scenario.warnings == ()
    first = scenario.description.strip().splitlines()
    assert len(first[0]) > 20
    assert first[1] == ""
    assert scenario.source


@each_of("name", ["two-layer", "xor", "blocks", "rows"])
def test_small_networks(name: str) -> None:
    oracle, done = gallery(name), run(name)
    for iteration, step in zip(done, oracle["steps"], strict=False):
        compare_step(iteration, step, name)
    losses = np.array([float(written(iteration, "L")) for iteration in done])
    assert_close(losses, oracle["losses"], f"{name}: losses", LOOSE)
    for kind, per_layer in oracle["final"].items():
        for layer, expected in enumerate(per_layer, start=1):
            assert_close(done[-1].after[f"{kind}{layer}"], expected, f"{name} end", LOOSE)


@dataclass
class Measured:
    """What is kept of a run on real data: its first iteration, losses and norms."""

    begin: Iteration
    names: list[str]
    losses: list[float]
    gradients: list[list[float]]
    ends: dict[int, dict[str, list[float]]]
    last_weights: Array
    after: Arrays


@cache
def measure(name: str, whole: bool = False) -> Measured:
    """Run a scenario, or begin to, keeping what its oracle holds and no more."""
    oracle = gallery(name)
    ends = {end["iteration"]: list(end["buffers"]) for end in oracle["epoch_ends"]}
    count = len(oracle["first"]["losses"])
    names = parameters(len(oracle["config"]["activations"]))
    session = Session(built_in(name))
    drawn = norms([session.value(name) for name in names])
    np.testing.assert_allclose(drawn, oracle["initial"], rtol=1e-12)
    kept: Measured | None = None
    for number, iteration in enumerate(islice(iterations(session), None if whole else count)):
        kept = kept or Measured(iteration, names, [], [], {}, np.empty(0), {})
        kept.after = iteration.after
        kept.losses.append(float(written(iteration, "L")))
        if number < count:
            kept.gradients.append(norms([written(iteration, f"d{name}") for name in names]))
            kept.last_weights = iteration.after[names[-2]]
        if number in ends:
            prefixes = {"": "", **{buffer: BUFFERS[buffer] for buffer in ends[number]}}
            kept.ends[number] = {
                buffer: norms([iteration.after[f"{prefix}{name}"] for name in names])
                for buffer, prefix in prefixes.items()
            }
    assert kept is not None
    return kept


@each_of("name", ["iris", "digits"])
def test_first_iteration_of_real_data(name: str) -> None:
    tensors, begin = gallery(name)["first"]["tensors"], measure(name).begin
    for layer in range(1, len(tensors["db"]) + 1):
        for key in ("z", "a", "dz"):
            row = written(begin, f"{key}{layer}")[0]
            assert_close(row, tensors[f"{key}_row"][layer - 1], f"{name}: {key}{layer}")
        assert_close(written(begin, f"db{layer}"), tensors["db"][layer - 1], f"{name}: db{layer}")
        first_row = written(begin, f"dW{layer}")[0]
        assert_close(first_row, tensors["dW_first_row"][layer - 1], f"{name}: dW{layer}")


@each_of("name", ["iris", "digits"])
def test_beginning_of_real_data(name: str) -> None:
    oracle, run = gallery(name)["first"], measure(name)
    losses = np.array(run.losses[: len(oracle["losses"])])
    assert_close(losses, oracle["losses"], f"{name}: losses", LOOSE)
    np.testing.assert_allclose(run.gradients, oracle["gradients"], rtol=LOOSE)
    assert_close(run.last_weights, oracle["W_last"], f"{name}: {run.names[-2]}", LOOSE)


@pytest.mark.parametrize("name", ["iris", pytest.param("digits", marks=pytest.mark.slow)])
def test_epochs_of_real_data(name: str) -> None:
    oracle, run = gallery(name), measure(name, whole=True)
    assert len(run.losses) == oracle["epoch_ends"][-1]["iteration"] + 1
    for end in oracle["epoch_ends"]:
        number = end["iteration"]
        np.testing.assert_allclose(run.losses[number], end["loss"], rtol=1e-6)
        np.testing.assert_allclose(run.ends[number][""], end["parameters"], rtol=LOOSE)
        for buffer, expected in end["buffers"].items():
            np.testing.assert_allclose(run.ends[number][buffer], expected, rtol=1e-6)
    assert_close(run.after["b1"], oracle["final"]["b1"], f"{name}: b1 at the end", 1e-6)
    last = oracle["final"]["b_last"]
    assert_close(run.after[run.names[-1]], last, f"{name}: {run.names[-1]} at the end", 1e-6)


@each_of(("name", "oracle"), [("mazur", "mazur_step_by_step"), ("lamsal", "theneuralblog_lamsal")])
def test_published_numbers(name: str, oracle: str) -> None:
    case = read_case(ORACLES / "published" / f"{oracle}.json")
    for iteration, step in zip(run(name), case["steps"], strict=False):
        without_dx = {key: value for key, value in step.items() if key != "dX"}
        compare_step(iteration, without_dx, name)
    assert check_published(run(name), case["published"]) >= 20


def first_nonfinite(done: list[Iteration], names: list[str], after: bool) -> int:
    """Return the first iteration, counted from 1, in which one of `names` is not finite."""
    for t, iteration in enumerate(done, start=1):
        tensors = [iteration.after[name] if after else written(iteration, name) for name in names]
        if not all(np.isfinite(tensor).all() for tensor in tensors):
            return t
    return 0


def test_overflow_happens_where_pytorch_overflows() -> None:
    case = read_case(ORACLES / "torch" / "fail_overflow_linear.json")
    done, summary = run("overflow"), case["summary"]
    assert len(done) == case["total_steps_run"]
    assert first_nonfinite(done, ["L"], False) == summary["first_nonfinite_loss_step"]
    gradients = first_nonfinite(done, ["dW1", "db1"], False)
    assert gradients == summary["first_nonfinite_gradient_step"]
    broken = first_nonfinite(done, ["W1", "b1"], True)
    assert broken == summary["first_nonfinite_parameter_after_step"]
    nan = [t for t, it in enumerate(done, start=1) if np.isnan(it.after["W1"]).any()]
    assert nan[0] == summary["first_nan_parameter_after_step"]
    for step in case["steps"]:
        assert_close(written(done[step["t"] - 1], "L"), step["loss"], f"step {step['t']}")


def test_vanishing_norms_are_pytorchs() -> None:
    case = read_case(ORACLES / "torch" / "fail_vanish_sigmoid10.json")
    begin = run("vanishing")[0]
    for key in ("W", "dz"):
        name = "dW" if key == "W" else "dz"
        actual = norms([written(begin, f"{name}{layer}") for layer in range(1, 11)])
        expected = case[f"grad_norm_{key}_per_layer"]
        np.testing.assert_allclose(actual, expected, rtol=1e-9)
        ratio = case[f"ratio_{key}_first_over_last"]
        assert actual[0] / actual[-1] == pytest.approx(ratio, rel=1e-9)
    compare_step(begin, case["steps"][0], "vanishing")


def test_graph() -> None:
    (only,) = run("graph")
    values = {name: float(array) for name, array in only.after.items()}
    expected = {"d": 3.0, "e": -9.0, "da": -3.0, "db": -3.0, "dc": 3.0, "dd": -3.0}
    assert {name: values[name] for name in expected} == expected


def test_xor_is_learned() -> None:
    done = run("xor")
    losses = [float(written(iteration, "L")) for iteration in done[-10:]]
    assert max(losses) < 0.1
