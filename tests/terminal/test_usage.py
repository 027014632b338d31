"""Help, completion, progress, and locales of all kinds: how the command line meets a person."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import run
from pseudo_terminal import Terminal

from nnstep import scenarios

# What a locale that is not UTF-8 makes of Python's streams; few machines have such a locale.
NOT_UTF8: dict[str, Any] = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("command", [[], ["list"], ["run"], ["trace"], ["schema"], ["completion"]])
def test_a_short_h_is_help_everywhere(command: list[str]) -> None:
    short, long = run(*command, "-h"), run(*command, "--help")
    assert (short.returncode, short.stdout) == (0, long.stdout)
    assert "-h, --help" in short.stdout


def test_help_is_a_command_too() -> None:
    assert run("help").stdout == run("--help").stdout
    told = run("help", "run").stdout
    assert told == run("run", "--help").stdout
    assert told.startswith("Usage: ")
    assert " run [OPTIONS] " in told.splitlines()[0]
    wrong = run("help", "rum")
    assert wrong.returncode == 2
    assert "there is no command 'rum'" in wrong.stderr


@pytest.mark.parametrize("command", ["run", "trace"])
def test_without_a_name_those_there_are_are_listed(command: str) -> None:
    result = run(command)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: ")
    assert result.stderr.endswith(run("list").stdout)


def completed(*words: str, cwd: Path) -> list[str]:
    """Return what bash is told to complete the last word to, as `type,value`."""
    result = run(
        cwd=cwd,
        _NNSTEP_COMPLETE="bash_complete",
        COMP_WORDS=" ".join(["nnstep", *words]),
        COMP_CWORD=str(len(words)),
    )
    return result.stdout.split()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("map.toml", "mad.session", "ma.txt", "ma x.toml", "ma\x1b.toml", "net.toml"):
        (tmp_path / name).touch()
    return tmp_path


def test_tab_completes_names_and_files(folder: Path) -> None:
    fitting = ["plain,mazur", "plain,mad.session", "plain,map.toml"]
    assert completed("ma", cwd=folder) == fitting
    assert completed("run", "ma", cwd=folder) == fitting
    assert completed("trace", "ma", cwd=folder) == fitting


def test_tab_completes_commands_and_leaves_other_files_to_the_shell(folder: Path) -> None:
    assert completed("comp", cwd=folder) == ["plain,completion"]
    assert completed("completion", "f", cwd=folder) == ["plain,fish"]
    assert completed("run", "--pl", cwd=folder) == ["plain,--plain"]
    assert completed("other/m", cwd=folder) == ["file,other/m"]
    assert {f"plain,{name}" for name in scenarios.names()} < set(completed("", cwd=folder))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_printed(shell: str) -> None:
    result = run("completion", shell)
    assert result.returncode == 0
    assert f"_NNSTEP_COMPLETE={shell}_complete" in result.stdout


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash here")
def test_bash_itself_completes(folder: Path) -> None:
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    program = bin_folder / "nnstep"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m nnstep.tui "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(nnstep completion bash)"\n'
        "COMP_WORDS=(nnstep maz); COMP_CWORD=1\n"
        "_nnstep_completion nnstep maz nnstep\n"
        'echo "${COMPREPLY[@]}"\n'
    )
    path = f"{bin_folder}:{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={**os.environ, "PATH": path},
    )
    assert result.stdout == "mazur\n"


GREEK = """\
format = 1
title = "Σ η"
[program]
code = "L = a * a"
loss = "L"
parameters = { a = 3.0 }
"""


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["list"], "Mazur's"),
        (["trace", "greek.toml"], '"title":"Σ η"'),
        (["trace", "greek.toml", "--format", "table"], "Σ η\n"),
        (["run", "mazur", "--plain"], ""),
    ],
)
def test_output_is_utf8_in_any_locale(arguments: list[str], shown: str, tmp_path: Path) -> None:
    (tmp_path / "greek.toml").write_text(GREEK, encoding="utf-8")
    usual = run(*arguments, cwd=tmp_path)
    other = run(*arguments, cwd=tmp_path, **NOT_UTF8, PYTHONIOENCODING="")
    assert (other.returncode, other.stdout) == (usual.returncode, usual.stdout)
    assert usual.returncode == 0 and shown in usual.stdout
    assert "\\u" not in other.stdout


def test_the_screen_is_drawn_in_any_locale() -> None:
    with Terminal("-m", "nnstep.tui", "mazur", **NOT_UTF8, PYTHONIOENCODING="") as terminal:
        terminal.wait_for_text("z1 = x @ W1.T + b1")
        assert "\\u" not in terminal.text
        assert "1 program                          |[0 step]" in terminal.text
        assert terminal.end("q") == 0


LONG = """\
format = 1
[program]
code = "L = (a - 1) * (a - 1)"
loss = "L"
parameters = { a = 3.0 }
[optimizer]
kind = "sgd"
lr = 0.0001
[run]
iterations = 4_000
"""

# Progress is told at once, and not after half a second.
RUN = """
from nnstep.tui import cli, headless
headless._SILENT = 0
cli.main(["run", "FILE"])
"""


@pytest.fixture
def long_run(tmp_path: Path) -> tuple[str, str]:
    file = tmp_path / "long.toml"
    file.write_text(LONG, encoding="utf-8")
    return "-c", RUN.replace("FILE", str(file))


def test_a_run_shows_its_progress_on_a_terminal_and_wipes_it(long_run: tuple[str, str]) -> None:
    with Terminal(*long_run) as terminal:
        assert terminal.end() == 0
        assert b"\riteration " in terminal.sent
        assert b"% done" in terminal.sent
        assert "% done" not in terminal.text


def test_a_run_shows_no_progress_elsewhere(long_run: tuple[str, str]) -> None:
    result = run(*long_run)
    assert (result.returncode, result.stderr) == (0, "")
    assert "\r" not in result.stdout
