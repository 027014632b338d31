"""Copies of built-in scenarios, and a new one: whole with their data, and nothing overwritten."""

from pathlib import Path

import pytest

from nnstep import scenarios
from nnstep.engine.check import check
from nnstep.engine.copying import CopyError, NoScenarioError, copy_scenario, new_scenario
from nnstep.engine.loading import load
from nnstep.engine.session.session import Session


@pytest.mark.sweep(5)
@pytest.mark.parametrize("name", scenarios.names())
def test_a_copy_runs_as_the_built_in_scenario_does(name: str, tmp_path: Path) -> None:
    paths = copy_scenario(name, tmp_path)
    assert paths[0] == tmp_path / f"{name}.toml"
    copied, original = Session(load(paths[0])), Session(load(name))
    copied.step("phase")
    original.step("phase")
    for key, value in original.values().items():
        assert value.tobytes() == copied.value(key).tobytes()


def test_data_files_go_beside_a_copy_of_another_name(tmp_path: Path) -> None:
    paths = copy_scenario("iris", tmp_path / "flowers.toml")
    assert [path.name for path in paths] == ["flowers.toml", "iris.csv"]


def test_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert copy_scenario("mazur") == [Path("mazur.toml")]
    assert new_scenario() == Path("scenario.toml")
    assert {path.name for path in tmp_path.iterdir()} == {"mazur.toml", "scenario.toml"}


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    (tmp_path / "iris.csv").write_text("mine")
    with pytest.raises(CopyError, match=r"iris\.csv is there already"):
        copy_scenario("iris", tmp_path)
    assert not (tmp_path / "iris.toml").exists()
    assert (tmp_path / "iris.csv").read_text() == "mine"
    copy_scenario("iris", tmp_path, force=True)
    assert (tmp_path / "iris.csv").read_text() != "mine"
    with pytest.raises(CopyError, match=r"iris\.toml is there already"):
        copy_scenario("iris", tmp_path)
    # The same data may serve two copies.
    copy_scenario("iris", tmp_path / "second.toml")
    with pytest.raises(CopyError, match=r"second\.toml is there already"):
        new_scenario(tmp_path / "second.toml")


def test_what_cannot_be_written_or_found(tmp_path: Path) -> None:
    with pytest.raises(CopyError, match="cannot be written: No such file or directory"):
        copy_scenario("mazur", tmp_path / "none" / "mazur.toml")
    with pytest.raises(NoScenarioError, match="did you mean 'mazur'"):
        copy_scenario("mazurr", tmp_path)


def test_a_new_scenario_is_right(tmp_path: Path) -> None:
    items = list(check(new_scenario(tmp_path)))
    assert [item.text for item in items if not item.ok] == []
    assert len([item for item in items if item.kind == "expect"]) == 5
