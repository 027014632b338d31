"""Scenarios of the gallery with a few things changed load, or are refused with a place."""

import os
import random
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from nnstep import scenarios
from nnstep.engine.loading import load
from nnstep.engine.scenario.errors import ScenarioError
from nnstep.tui.cli import main

SEED = int(os.environ.get("NNSTEP_FUZZ_SEED", random.randrange(10**9)))
TABLES = {
    name: tomllib.loads(scenarios.path(name).read_text(encoding="utf-8"))
    for name in scenarios.names()
    if name != "digits"  # its many numbers make each example slow, and are of one kind
}
WORDS = sorted(
    set(re.findall(r"\w+", " ".join(scenarios.path(name).read_text() for name in TABLES)))
)

scalars = st.one_of(
    st.booleans(),
    st.integers(-2, 40),
    st.sampled_from([2**31, 2**53 + 1, 2**63, -(2**64), 10**400]),
    st.floats(allow_nan=True),
    st.sampled_from(WORDS),
    st.text(max_size=8),
    st.just("x" * 3000),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner),
    max_leaves=5,
)
changes = st.tuples(
    st.sampled_from(["replace", "delete", "rename", "copy", "add"]),
    st.integers(0, 10**6),
    st.sampled_from(WORDS) | st.text(max_size=5),
    values,
)


def containers(value: Any) -> list[Any]:
    """Return every table and list in a document that is not empty, the document itself first."""
    if not isinstance(value, dict | list) or not value:
        return []
    inner = value.values() if isinstance(value, dict) else value
    return [value, *(each for item in inner for each in containers(item))]


def copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}
    return [copied(inner) for inner in value] if isinstance(value, list) else value


def change(document: dict[str, Any], what: str, at: int, word: str, value: Any) -> None:
    """Change one thing somewhere in a document."""
    places = containers(document)
    if not places:
        return
    place = places[at % len(places)]
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    key = keys[at // len(places) % len(keys)]
    match what:
        case "replace":
            place[key] = value
        case "delete":
            del place[key]
        case "rename" if isinstance(place, dict):
            place[word] = place.pop(key)
        case "add" if isinstance(place, dict):
            place[word] = value
        case "copy" if isinstance(place, dict):
            place[word] = copied(place[key])
        case _:
            place.append(copied(place[key]))


def toml(value: Any) -> str:
    """Write a value in TOML, all in line; every text escaped, so that any can be written."""
    match value:
        case dict():
            return "{" + ", ".join(f"{toml(k)} = {toml(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case str():
            return '"' + "".join(f"\\U{ord(character):08x}" for character in value) + '"'
        case bool():
            return str(value).lower()
    return repr(value)


def assert_clean(file: Path) -> None:
    """See that a file loads, or is refused with a place on each line, by the command line too."""
    problem = ""
    try:
        load(file)
    except ScenarioError as error:
        problem = str(error)
    result = CliRunner().invoke(main, ["trace", str(file), "--iterations", "0"])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.exit_code == (2 if problem else 0)
    assert "Traceback" not in result.output
    for line in problem.split("\n") if problem else ():
        assert re.match(re.escape(str(file)) + r":[1-9]\d*:[1-9]\d*: \S", line), line
        assert line in result.output


@pytest.mark.slow
@seed(SEED)
@settings(
    max_examples=1000,
    derandomize=False,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.sampled_from(sorted(TABLES)), st.lists(changes, min_size=1, max_size=4))
def test_a_changed_table(tmp_path: Path, name: str, made: list[Any]) -> None:
    print(f"NNSTEP_FUZZ_SEED={SEED}")
    document = copied(TABLES[name])
    for each in made:
        change(document, *each)
    file = written(tmp_path)
    text = "".join(f"{toml(key)} = {toml(value)}\n" for key, value in document.items())
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    assert_clean(file)


@pytest.mark.slow
@seed(SEED)
@settings(
    max_examples=600,
    derandomize=False,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    st.sampled_from(sorted(TABLES)),
    st.integers(0, 10**6),
    st.integers(0, 40),
    st.sampled_from(WORDS) | st.text(max_size=6) | st.sampled_from(["[[", "9" * 5000, '"', "\0"]),
    st.integers(0, 200),
)
def test_a_changed_text(
    tmp_path: Path, name: str, at: int, removed: int, put: str, repeated: int
) -> None:
    print(f"NNSTEP_FUZZ_SEED={SEED}")
    text = scenarios.path(name).read_text(encoding="utf-8")
    at %= len(text)
    changed = text[:at] + put + text[at + removed :] + text[at : at + repeated]
    file = written(tmp_path)
    file.write_bytes(changed.encode("utf-8", "surrogatepass"))
    assert_clean(file)


def written(folder: Path) -> Path:
    """Return where a scenario is to be written, its data file beside it."""
    iris = scenarios.path("iris")
    data = TABLES["iris"]["data"]["file"]
    if not (folder / data).exists():
        (folder / data).write_bytes((iris.parent / data).read_bytes())
    return folder / "s.toml"
