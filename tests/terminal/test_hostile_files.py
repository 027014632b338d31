"""No text of a file acts on the terminal: not from stderr or stdout, and not from the screen."""

import json
import unicodedata
from pathlib import Path

import pytest
from command_line import run

from nnstep.engine.loading import load
from nnstep.tui.app import NnstepApp
from nnstep.tui.config import read_config

BAD = "\x1b]0;title\x07\u202e\u2028\x9b\n\r\x7f"
PROGRAM = """
format = 1
title = TITLE
[program]
code = "L = a * a"
loss = LOSS
parameters = { a = 2.0 }
"""
UNFIT = ("Cc", "Cf", "Cs", "Zl", "Zp")


def written(folder: Path, *, title: str = "t", loss: str = "L") -> Path:
    path = folder / "s.toml"
    text = PROGRAM.replace("TITLE", toml(title)).replace("LOSS", toml(loss))
    path.write_text(text, encoding="utf-8")
    return path


def toml(text: str) -> str:
    return json.dumps(text).replace("\x7f", "\\u007f")


def assert_fit_to_show(text: str) -> None:
    assert not [c for c in text.replace("\n", "") if unicodedata.category(c) in UNFIT]
    assert max(map(len, text.split("\n"))) <= 2100


@pytest.mark.parametrize("loss", [BAD, "x" * 90_000])
@pytest.mark.parametrize("command", ["run", "trace"])
def test_a_loss_of_escape_sequences(command: str, loss: str, tmp_path: Path) -> None:
    written(tmp_path, loss=loss)
    result = run(command, "s.toml", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("s.toml:6:8: no line assigns the loss '")
    assert_fit_to_show(result.stderr)
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("title", [BAD, "x" * 90_000])
def test_a_title_of_escape_sequences(title: str, tmp_path: Path) -> None:
    written(tmp_path, title=title)
    for arguments in (["run"], ["trace", "--format", "table"]):
        result = run(*arguments, "s.toml", "--iterations", "1", cwd=tmp_path)
        assert result.returncode == 0
        assert_fit_to_show(result.stdout + result.stderr)


@pytest.mark.parametrize("name", [BAD, "x" * 90_000])
def test_a_session_of_a_scenario_with_a_hostile_name(name: str, tmp_path: Path) -> None:
    header = {"nnstep": name, "scenario": {"digest": "", "listing": "", "name": name}}
    (tmp_path / "a.session").write_text(f"# nnstep session 2 {json.dumps(header)}\n")
    result = run("run", "a.session", cwd=tmp_path)
    assert result.returncode == 2
    assert_fit_to_show(result.stderr)


@pytest.mark.parametrize("text", [BAD, "x" * 20_000])
def test_a_configuration_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    bad = toml(text)
    path.write_text(f"{bad} = 1\n[keys]\n{bad} = 'a'\nquit = {bad}\n", encoding="utf-8")
    problems = read_config(path).problems
    assert len(problems) == 3
    for problem in problems:
        assert_fit_to_show(problem)


@pytest.mark.parametrize("title", [BAD, "x" * 90_000])
async def test_the_screen(title: str, tmp_path: Path) -> None:
    app = NnstepApp(load(written(tmp_path, title=title)))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        for screen in app.screen_stack:
            for strip in screen._compositor.render_strips():
                assert_fit_to_show(strip.text)
