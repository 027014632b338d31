"""Whatever text stands in a scenario, what is said of it is one short line that acts on nothing."""

import io
import tomllib
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from string import ascii_letters
from typing import Any

import pytest
from examples import examples
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from in_one_test import each_of
from scenario_texts import NETWORK, PROGRAM

from nnstep.engine.loading import load
from nnstep.engine.saving.reference import Reference
from nnstep.engine.scenario.errors import ScenarioError
from nnstep.engine.trace import write_table

LONGEST = 2100
ADDITIONS = """
[[breakpoint]]
at = "line 1"
when = "L > 0"
log = "a"
[[watch]]
show = "L"
[[note]]
at = "forward"
text = "b"
[[expect]]
at = "L"
value = "0.5"
"""
FILE = NETWORK.replace(
    "x = [[0.05, 0.10], [1, 2]]\ny = [[0.01, 0.99], [0, 1]]\n",
    'file = "d.csv"\ninputs = ["p", "q"]\ntarget = ["r", "s"]\n',
)
SCENARIOS = [
    'title = "t"\ndescription = "d"\nsource = "s"\n' + NETWORK + ADDITIONS,
    PROGRAM.replace('loss = "e"', 'loss = "L"').replace("e = d", "L = d") + ADDITIONS,
    FILE,
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], bool]]:
    """Yield the way to each text of a document, and to each key (with True)."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key), True
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))
    elif isinstance(value, str):
        yield path, False


def replaced(value: Any, path: tuple[Any, ...], is_key: bool, text: str) -> Any:
    head, *rest = path
    if isinstance(value, list):
        return [
            replaced(v, tuple(rest), is_key, text)
            if i == head and rest
            else text
            if i == head
            else v
            for i, v in enumerate(value)
        ]
    if not rest and is_key:
        return {text if key == head else key: inner for key, inner in value.items()}
    return {
        key: inner if key != head else replaced(inner, tuple(rest), is_key, text) if rest else text
        for key, inner in value.items()
    }


def toml(value: Any) -> str:
    """Write a value in TOML, all in line; texts escaped, so that any can be written."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(map(escaped, value)) + '"'
    return repr(value)


def escaped(character: str) -> str:
    return character if character in ascii_letters else f"\\U{ord(character):08x}"


def document(table: dict[str, Any]) -> str:
    return "".join(f"{toml(key)} = {toml(value)}\n" for key, value in table.items())


PLACES = [
    (number, path, is_key)
    for number, text in enumerate(SCENARIOS)
    for path, is_key in places(tomllib.loads(text))
]
BAD = "\x1b]0;title\x07\u202e\u2028\x9b\n\r\x00"
texts = st.one_of(
    st.text(max_size=30).map(lambda text: text + BAD),
    st.sampled_from([BAD, BAD * 300, "W" * 9_000, "\U000e0001" * 3000, "", "\x1b[2J", "a\nb"]),
)


def assert_fit_to_show(line: str) -> None:
    assert len(line) <= LONGEST
    bad = [c for c in line if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert not bad, line[:200]


@each_of("number", range(len(SCENARIOS)))
def test_the_scenarios_are_sound_before_a_text_is_put_in(number: int, tmp_path: Path) -> None:
    write(tmp_path, document(tomllib.loads(SCENARIOS[number])))
    load(tmp_path / "s.toml")


def write(folder: Path, text: str) -> Path:
    (folder / "d.csv").write_text("p,q,r,s\n1,2,0,1\n3,4,1,0\n")
    (folder / "s.toml").write_text(text)
    return folder / "s.toml"


@given(st.sampled_from(PLACES), texts)
@example((1, ("program", "loss"), False), BAD)
@example((1, ("program", "loss"), False), "L" * 90_000)
@example((1, ("program", "parameters", "a"), True), "a" * 9_000)
@example((1, ("program", "code"), False), f"{'L' * 9_000} = a")
@example((0, ("title",), False), BAD * 300)
@settings(examples(8), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_at_any_place(
    tmp_path: Path, place: tuple[int, tuple[Any, ...], bool], text: str
) -> None:
    number, path, is_key = place
    table = replaced(tomllib.loads(SCENARIOS[number]), path, is_key, text)
    file = write(tmp_path, document(table))
    try:
        scenario = load(file)
    except ScenarioError as error:
        for line in str(error).split("\n"):
            assert_fit_to_show(line)
            assert line.startswith(f"{file}:")
            at, column = line.removeprefix(f"{file}:").split(":")[:2]
            assert int(at) >= 1 <= int(column)
        return
    for line in (scenario.title, scenario.source, *scenario.warnings):
        assert_fit_to_show(line)
    for line in scenario.description.split("\n"):
        assert_fit_to_show(line.replace("\t", " ")[:LONGEST])
    stream = io.StringIO()
    write_table(scenario, stream, 1)
    for line in stream.getvalue().split("\n"):
        assert_fit_to_show(line)


def test_a_csv_file_with_hostile_names(tmp_path: Path) -> None:
    file = write(tmp_path, FILE)
    (tmp_path / "d.csv").write_text(f'"{"p" * 90_000}\x1b[2J","q\u202e",r,s\n1,2,0,1\n')
    with pytest.raises(ScenarioError) as caught:
        load(file)
    for line in str(caught.value).split("\n"):
        assert_fit_to_show(line)


@each_of("text", [BAD, "x" * 90_000])
def test_a_session_files_scenario_name(text: str) -> None:
    assert_fit_to_show(str(Reference("", "", name=text)))
    assert_fit_to_show(str(Reference("", "", path=text)))
