"""Every network of the oracles is trained by nnstep, and every tensor is compared."""

from pathlib import Path
from typing import Any

import pytest
from in_one_test import each_of
from oracle_scenarios import (
    Iteration,
    assert_close,
    check_published,
    compare_step,
    iterations,
    lookup,
    oracle_cases,
    read_case,
    scenario_text,
    variants,
)

from nnstep.engine.loading import load
from nnstep.engine.session.session import Session

TORCH = oracle_cases("torch")
PUBLISHED = oracle_cases("published")


def run(text: str, folder: Path) -> list[Iteration]:
    path = folder / "case.toml"
    path.write_text(text, encoding="utf-8")
    return list(iterations(Session(load(path), history=None)))


@each_of("path", TORCH + PUBLISHED)
def test_every_tensor_of_every_step(path: Path, tmp_path: Path) -> None:
    for number, case in enumerate(variants(read_case(path))):
        saturated = case["name"] == "fail_bce_saturated"
        done = run(scenario_text(case, fuse=not saturated), tmp_path)
        assert len(done) == len(case["config"]["batches"])
        for iteration, step in zip(done, case["steps"], strict=False):
            if saturated:
                step.pop("da", None)
            compare_step(iteration, step, case["name"])
        if number == 0 and path in PUBLISHED:
            assert_has_printed_numbers(done, case)


def assert_has_printed_numbers(done: list[Iteration], case: dict[str, Any]) -> None:
    """Assert that a run has the numbers that an article prints, if that shows numbers of steps."""
    compared = check_published(done, case["published"])
    assert compared or not any("steps[" in (row.get("path") or "") for row in case["published"])


FUSED = [
    path
    for path in TORCH + PUBLISHED
    if read_case(path)["config"]["loss"].startswith(("bce_prob", "ce_prob"))
    and path.stem != "fail_bce_saturated"
]


@pytest.mark.sweep(4)
@pytest.mark.parametrize("path", FUSED, ids=lambda path: path.stem)
def test_the_long_way_through_the_last_activation(path: Path, tmp_path: Path) -> None:
    case = read_case(path)
    done = run(scenario_text(case, fuse=False), tmp_path)
    last = len(case["config"]["activations"])
    for iteration, step in zip(done, case["steps"], strict=False):
        compare_step(iteration, step, case["name"])
        assert iteration.computed(f"da{last}") is not None


def test_wrong_printed_numbers_are_not_reproduced(tmp_path: Path) -> None:
    case = read_case(next(path for path in PUBLISHED if path.stem == "wrong_interview_prep"))
    (first,) = run(scenario_text(case), tmp_path)
    dz2, dW2 = first.computed("dz2"), first.computed("dW2")
    assert dz2 is not None
    assert dW2 is not None
    assert float(dz2[0, 0]) == pytest.approx(0.562, abs=5e-4)
    assert float(dW2[0, 0]) == pytest.approx(0.281, abs=5e-4)


@pytest.mark.slow
def test_mazur_after_ten_thousand_rounds(tmp_path: Path) -> None:
    case = read_case(next(path for path in PUBLISHED if path.stem == "mazur_step_by_step"))
    done = run(scenario_text(case, iterations=10_001), tmp_path)
    for rounds in (9_999, 10_000):
        expected = case["runs"][f"article_rule_{rounds}"]
        loss, output = done[rounds].computed("L"), done[rounds].computed("a2")
        assert loss is not None
        assert output is not None
        assert_close(loss, expected["loss"], f"loss after {rounds} rounds")
        assert_close(output, expected["output"], f"output after {rounds} rounds")


RUNS = [
    ("dlai_logistic_regression", 100, {"W1": "run_100.W[0]", "b1": "run_100.b[0]"}),
    ("dlai_logistic_regression", 100, {"dW1": "run_100.dW_of_last_step"}),
    pytest.param(
        *("iamtrask_2layer", 10_000, {"W1": "run.W[0]", "a1": "run.output_of_last_step"}),
        marks=pytest.mark.slow,
    ),
]


@pytest.mark.parametrize(("name", "count", "paths"), RUNS)
def test_end_of_a_whole_run(name: str, count: int, paths: dict[str, str], tmp_path: Path) -> None:
    case = read_case(next(path for path in PUBLISHED if path.stem == name))
    last = run(scenario_text(case, iterations=count), tmp_path)[-1]
    for tensor, path in paths.items():
        assert_close(last.after[tensor], lookup(case, path), f"{tensor} at {count}")


def test_every_kind_of_network_case_is_there() -> None:
    names = {path.stem for path in TORCH}
    assert {"act_gelu_erf", "clip_norm_sgd", "opt_adamw", "loss_ce_logits_index_b4"} <= names
    assert "fail_overflow_linear" not in names
