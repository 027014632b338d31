"""Fixtures of several test modules."""

from pathlib import Path

import pytest
from scenario_texts import Mistakes

from nnstep.engine.loading import load
from nnstep.engine.scenario.errors import ScenarioError


@pytest.fixture(autouse=True)
def state_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test find, or leave, a session where a person's are kept."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mistakes:
    """A function that loads a text as `s.toml` and returns what is said of it."""
    monkeypatch.chdir(tmp_path)

    def said(content: str | bytes) -> list[str]:
        Path("s.toml").write_bytes(content.encode() if isinstance(content, str) else content)
        with pytest.raises(ScenarioError) as caught:
            load("s.toml")
        assert str(caught.value).splitlines() == list(map(str, caught.value.problems))
        return str(caught.value).splitlines()

    return said
