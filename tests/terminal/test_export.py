"""The command `nnstep export`: where it writes, what it refuses, and with which exit status."""

from pathlib import Path

import pytest
from command_line import run

from nnstep.scenarios import path


def test_a_script_goes_to_stdout(tmp_path: Path) -> None:
    result = run("export", "graph", "--to", "numpy", cwd=tmp_path)
    assert result.returncode == 0
    assert "d = a + b\n" in result.stdout
    assert result.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_into_a_file_that_is_not_overwritten(tmp_path: Path) -> None:
    arguments = ["export", "digits", "--to", "numpy", "--iterations", "1", "--output", "out.py"]
    assert run(*arguments, cwd=tmp_path).stdout.split() == ["out.npz", "out.py"]
    (tmp_path / "out.py").write_text("mine")
    refused = run(*arguments, cwd=tmp_path)
    assert refused.returncode == 1
    assert "out.npz is there already, and stays as it is: --force overwrites it" in refused.stderr
    assert (tmp_path / "out.py").read_text() == "mine"
    assert run(*arguments, "--force", cwd=tmp_path).returncode == 0
    assert "X = stored" in (tmp_path / "out.py").read_text()


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    result = run("export", "graph", "--to", "numpy", "--output", "no/out.py", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("no/out.py: ") or "No such file" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "--to", "numpy"], "Say which scenario"),
        (["export", "graph"], "--to"),
        (["export", "graph", "--to", "fortran"], "fortran"),
        (["export", "grahp", "--to", "numpy"], "did you mean 'graph'"),
    ],
)
def test_usage(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert said in result.stderr


def test_a_warning_is_no_part_of_the_script(tmp_path: Path) -> None:
    text = """
format = 1
title = "doubtful"
[network]
inputs = 1
[[network.layers]]
units = 2
activation = "softmax"
weights = [[0.1], [0.2]]
[loss]
kind = "mse"
[data]
x = [[1.0]]
y = [[0.0, 1.0]]
"""
    (tmp_path / "s.toml").write_text(text)
    result = run("export", "s.toml", "--to", "numpy", cwd=tmp_path)
    assert "softmax" in result.stderr
    compile(result.stdout, "exported", "exec")


def test_tables(tmp_path: Path) -> None:
    result = run("export", "graph", "--to", "csv", cwd=tmp_path)
    assert (
        result.stdout == "iteration,epoch,e,d,de,dd,dc,da,db\n0,0,-9.0,3.0,1.0,-3.0,3.0,-3.0,-3.0\n"
    )
    for form in ("csv", "npz"):
        arguments = ["export", "mazur", "--to", form, "--iterations", "2", "--output", "out"]
        assert run(*arguments, cwd=tmp_path).stdout == "out\n"
        assert run(*arguments, cwd=tmp_path).returncode == 1
        assert run(*arguments, "--force", cwd=tmp_path).returncode == 0
        (tmp_path / "out").unlink()
    result = run("export", "mazur", "--to", "npz", cwd=tmp_path)
    assert result.returncode == 2
    assert "--output PATH" in result.stderr


def test_a_script_for_pytorch() -> None:
    result = run("export", "mazur", "--to", "torch")
    assert "    nn.Linear(2, 2),  # z1 = x @ W1.T + b1\n" in result.stdout
    assert "L.backward()" in result.stdout


def test_an_override_of_the_file_is_exported_as_it_stands_and_refused_in_pytorch(
    tmp_path: Path,
) -> None:
    text = path("mazur").read_text(encoding="utf-8")
    own = "dW1 = dz1.T @ x / 3"
    (tmp_path / "own.toml").write_text(f'{text}\n[[override]]\nline = "{own}"\n')
    made = run("export", "own.toml", "--to", "numpy", "--iterations", "1", cwd=tmp_path)
    assert own in made.stdout
    right = run("export", "mazur", "--to", "numpy", "--iterations", "1", cwd=tmp_path)
    assert own not in right.stdout
    refused = run("export", "own.toml", "--to", "torch", cwd=tmp_path)
    assert refused.returncode == 1
    assert own in refused.stderr
