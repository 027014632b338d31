"""Whatever stands in a scenario file, loading it gives a scenario or a list of places."""

import random
import re
from pathlib import Path

import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnstep import scenarios
from nnstep.engine.loading import load
from nnstep.engine.scenario.errors import ScenarioError

_LINE = re.compile(r"s\.toml:[1-9][0-9]*:[1-9][0-9]*: \S.*")
_EXAMPLES = settings(
    examples(12),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
_TEXTS = [scenarios.path(name).read_text(encoding="utf-8") for name in scenarios.names()]
_SPLINTERS = [
    '"', "'''",
    "[", "]]", "{", "}", "=", ".", ",", "#", "\n", "\r", "\0", "\x1b", "é", "𝕏", "\u202e",
    "nan", "-inf", "0", "-1", "1e999", "true", "1979-05-27", '"x"', "[[1, 2], [3]]", "{ kind = 3 }",
    "units", "[network]", "[[network.layers]]", "[program]", "999999999999999999999", "L", "W1[9]",
    "0" * 5000, "1.7e308", 'dtype = "float16"',
]  # fmt: skip


def check(folder: Path, content: bytes) -> None:
    """Load a file with this content; anything but a scenario or a placed mistake is a failure."""
    path = folder / "s.toml"
    path.write_bytes(content)
    try:
        load(path)
    except ScenarioError as error:
        lines = str(error).splitlines()
        assert lines
        for line in lines:
            assert _LINE.fullmatch(line.replace(f"{folder}/", "")), line
            assert line.isprintable()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("iris.csv", "digits.npz"):
        (tmp_path / name).write_bytes((scenarios.path("iris").parent / name).read_bytes())
    return tmp_path


@given(st.binary(max_size=60))
@_EXAMPLES
def test_any_bytes(folder: Path, content: bytes) -> None:
    check(folder, content)


@given(st.sampled_from(_TEXTS), st.integers(0, 2**32))
@_EXAMPLES
def test_scenarios_with_splinters(folder: Path, text: str, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(text))
        end = start + chance.choice([0, 1, 1, 5, 40])
        text = text[:start] + chance.choice([*_SPLINTERS, ""]) + text[end:]
    check(folder, text.encode())


@given(st.sampled_from(_TEXTS), st.integers(0, 2**32))
@_EXAMPLES
def test_scenarios_with_other_values(folder: Path, text: str, seed: int) -> None:
    chance = random.Random(seed)
    lines = text.splitlines()
    settable = [number for number, line in enumerate(lines) if re.match(r"\w+ = .*[^\[]$", line)]
    for number in chance.sample(settable, min(3, len(settable))):
        key = lines[number].split(" = ")[0]
        value = chance.choice(
            ["-1", "0", "3", "1e400", "nan", "true", '"relu"', '"a b"', "[]", "[[1.5, 2]]", "{}",
             "07:30:00", '"""\nc = d @ (\n"""', "{ kind = 'normal', std = 1 }", "[[0], [5]]",
             "70000.0", "{ kind = 'uniform', low = -1.7e308, high = 1.7e308 }", '"float16"']
        )  # fmt: skip
        lines[number] = f"{key} = {value}"
    check(folder, "\n".join(lines).encode())


@given(st.sampled_from(_TEXTS), st.integers(0, 2**32))
@_EXAMPLES
def test_scenarios_with_lines_moved_and_lost(folder: Path, text: str, seed: int) -> None:
    chance = random.Random(seed)
    lines = text.splitlines()
    for _ in range(3):
        line = lines.pop(chance.randrange(len(lines)))
        if chance.random() < 0.6:
            lines.insert(chance.randrange(len(lines)), line)
    check(folder, "\n".join(lines).encode())
