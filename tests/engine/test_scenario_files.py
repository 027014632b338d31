"""A file that is no sensible TOML, or no file, is refused; any TOML is searched for the place."""

from pathlib import Path

import pytest
from in_one_test import each_of
from scenario_texts import NETWORK, PROGRAM, Mistakes

from nnstep.engine.limits import MAX_SCENARIO_BYTES, MAX_TABLES
from nnstep.engine.loading import load
from nnstep.engine.scenario import convert
from nnstep.engine.scenario.errors import ScenarioError


@each_of(
    ("content", "said"),
    [
        (b'format = 1\ntitle = "\xc3\xa9\xff"', "2:11: this byte is not UTF-8 text"),
        ('title = "\x1b[31m"', r"1:10: not valid TOML: illegal character '\x1b'"),
        ("a = sigmoid", "1:5: not valid TOML: invalid value; text stands in quotation marks"),
        ('a = "abc', "1:9: not valid TOML: unterminated string"),
        ("é = 1", "1:1: not valid TOML: invalid statement"),
        ("a = 1\r\nb = \r\n", "2:5: not valid TOML: invalid value"),
        ("a = " + "[" * 5000, "1:105: lists or tables are nested too deeply"),
        ("a = " + "9" * 5000, "1:5: a whole number has too many digits"),
        ("\n" + ".".join("a" * 100_000) + " = 1", "2:1: a key has more than 64 parts"),
        ("", "1:1: the key 'format' is missing"),
    ],
)
def test_what_is_no_sensible_toml(content: str | bytes, said: str, mistakes: Mistakes) -> None:
    assert any(line.startswith(f"s.toml:{said}") for line in mistakes(content))


def test_a_list_has_at_most_so_many_tables(
    mistakes: Mistakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_TABLES == 10_000
    monkeypatch.setattr(convert, "MAX_TABLES", 50)
    said = "s.toml:1:1: there are more than 50 tables in this list"
    assert said in mistakes("[[watch]]\n" * 51)
    assert said not in mistakes("[[watch]]\n" * 50)


@each_of("content", ["\ufeff" + NETWORK, NETWORK.replace("\n", "\r\n")])
def test_files_made_on_windows_are_read(content: str, tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_bytes(content.encode())
    assert load(path).network is not None
    path.write_bytes(content.replace("sigmoid", "sigmod").encode())
    with pytest.raises(ScenarioError, match=r"s\.toml:6:14: "):
        load(path)


def test_a_place_inside_a_string_counts_characters_of_the_file(mistakes: Mistakes) -> None:
    text = PROGRAM.replace("\n", "\r\n").replace("   c", "   ²")
    assert mistakes(text)[0].startswith("s.toml:6:4: the character '\\xb2'")


def test_keys_are_found_however_they_are_written(mistakes: Mistakes) -> None:
    text = """\
format = 1
network = { inputs = 1, "l\\u0061yers" = [{ units = 1 }, # é
    { units = 1, activation.kind = "relu", activation.slop = 3 }] }
loss.kind = 'mse'
'optimizer'."kind" = "sgd"
optimizer.lr = { }
data.x = [ # first
    1, 'b' ]
data.y = [1, 2]
"""
    assert [line.removeprefix("s.toml:") for line in mistakes(text)] == [
        "3:55: unknown key 'slop'",
        "6:16: 'lr' must be a number, not a table",
        "8:8: an array holds numbers, not 'b'",
    ]


@each_of(
    ("name", "said"),
    [
        ("nowhere.toml", "nowhere.toml:1:1: no such file, and no built-in scenario of that name"),
        (
            "xro",
            "xro:1:1: no such file, and no built-in scenario of that name (did you mean 'xor'?)",
        ),
        ("a\x1b[31m", r"a\x1b[31m:1:1: no such file, and no built-in scenario of that name"),
        ("a\0b", r"a\x00b:1:1: no such file, and no built-in scenario of that name"),
        (".", ".:1:1: this is a folder, not a file"),
        ("/dev/zero", "/dev/zero:1:1: not a regular file"),
    ],
)
def test_a_file_that_cannot_be_read(name: str, said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(name)
    assert str(caught.value) == said


def test_a_file_that_is_too_large_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    with path.open("wb") as file:
        file.truncate(MAX_SCENARIO_BYTES + 1)
    with pytest.raises(ScenarioError, match="the file is larger than 32 MiB"):
        load(path)
