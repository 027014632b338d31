"""The command line: what it prints, where, and with which exit status."""

import json
from pathlib import Path

import pytest
from command_line import Piped, run

from nnstep.tui.cli import main
from nnstep.tui.subcommands.opening import why_not_here


def test_version_and_help() -> None:
    assert run("--version").stdout == "nnstep 0.1.0\n"
    text = run("--help").stdout
    for word in ("FILE|NAME", "list", "trace", "schema", "--version"):
        assert word in text


def test_the_list_of_scenarios() -> None:
    lines = run("list").stdout.splitlines()
    mazur = next(line for line in lines if line.startswith("mazur "))
    assert mazur.split(maxsplit=2) == ["mazur", "2-2-2", "Mazur's 2-2-2 network, by hand"]
    assert lines[0].split() == [
        "graph",
        "(a",
        "+",
        "b)",
        "*",
        "c",
        "A",
        "computation",
        "graph:",
        "e",
        "=",
        "(a",
        "+",
        "b)",
        "*",
        "c",
    ]


def test_the_schema_is_json() -> None:
    assert "$defs" in json.loads(run("schema").stdout)


def test_a_trace_is_json_lines_unless_told_otherwise() -> None:
    result = run("trace", "mazur", "--iterations", "2")
    first, *steps = (json.loads(line) for line in result.stdout.splitlines())
    assert first["type"] == "scenario"
    assert [step["step"] for step in steps] == list(range(32))
    table = run("trace", "mazur", "--iterations", "1", "--format", "table").stdout
    assert "z1 = x @ W1.T + b1" in table
    assert "{" not in table


def test_a_trace_can_go_to_a_file(tmp_path: Path) -> None:
    output = tmp_path / "trace.jsonl"
    result = run("trace", "mazur", "--iterations", "1", "--output", str(output))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert output.read_text() == run("trace", "mazur", "--iterations", "1").stdout


@pytest.mark.parametrize("output", ["missing/trace.jsonl", "/dev/full"])
def test_a_file_that_cannot_be_written_is_told(output: str, tmp_path: Path) -> None:
    result = run("trace", "mazur", "--output", output, cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith(f"{output}: the trace is not complete: ")
    assert result.stderr.count("\n") == 1


def test_a_closed_pipe_ends_it_quietly() -> None:
    with Piped("trace", "mazur") as program:
        assert json.loads(program.stdout.readline())["type"] == "scenario"
        program.stdout.close()
        assert (program.wait(), program.stderr.read()) == (0, "")


def test_warnings_of_a_trace_go_to_stderr(tmp_path: Path) -> None:
    (tmp_path / "doubtful.toml").write_text(
        "format = 1\n[network]\ninputs = 1\n[[network.layers]]\nunits = 2\nactivation = 'softmax'\n"
        "[loss]\nkind = 'mse'\n[data]\nx = [[1.0]]\ny = [[0.0, 1.0]]\n",
        encoding="utf-8",
    )
    result = run("trace", "doubtful.toml", cwd=tmp_path)
    assert result.returncode == 0
    assert result.stderr.startswith("doubtful.toml:")
    assert result.stderr.count("warning: ") == 1
    assert all(json.loads(line) for line in result.stdout.splitlines())


@pytest.mark.parametrize("command", [[], ["trace"]])
def test_a_mistake_in_a_scenario_is_its_text_alone(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text('format = 1\ntitel = "x"\n', encoding="utf-8")
    result = run(*command, "wrong.toml", cwd=tmp_path)
    assert result.returncode == 2
    assert "wrong.toml:2:1: unknown key 'titel' (did you mean 'title'?)" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_name_that_is_nothing_is_told_with_a_suggestion() -> None:
    result = run("trace", "mazu")
    assert result.returncode == 2
    assert result.stderr == (
        "mazu:1:1: no such file, and no built-in scenario of that name (did you mean 'mazur'?)\n"
    )
    assert "\x1b" not in run("trace", "\x1b[31mred").stderr


@pytest.mark.parametrize("arguments", [[""], ["run", " "], ["trace", ""]])
def test_an_empty_name_is_told_what_to_type(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stderr == (
        "the name of the scenario is empty: say a file, or a name that nnstep list shows\n"
    )


@pytest.mark.parametrize("arguments", [[], ["mazur"]])
def test_without_a_terminal_one_sentence_names_trace(arguments: list[str]) -> None:
    result = run(*arguments, TERM="xterm-256color")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "nnstep trace" in result.stderr


def test_with_a_driver_of_its_own_the_app_does_not_ask_for_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert "needs a terminal" in (why_not_here() or "")
    monkeypatch.setenv("TEXTUAL_DRIVER", "nowhere:Driver")
    assert why_not_here() is None


def test_a_name_too_long_for_a_file_is_no_crash() -> None:
    result = run("trace", "a" * 300)
    assert result.returncode == 2
    assert result.stderr.endswith("no such file, and no built-in scenario of that name\n")


def test_a_file_that_cannot_be_written_is_not_taken_for_the_output() -> None:
    result = run("run", "mazur", "--command", f"save {'a' * 300}", "--command", "step")
    assert result.returncode == 1
    assert "it cannot be written: File name too long" in result.stderr
    assert "the output is not complete" not in result.stderr


def test_an_error_of_a_file_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*given: object, **options: object) -> None:
        Path("/none/there").read_bytes()

    monkeypatch.setattr("nnstep.tui.headless.run", fails)
    with pytest.raises(SystemExit) as ended:
        main(["run", "mazur"], standalone_mode=False)
    assert ended.value.code == 1
    assert capsys.readouterr().err == "/none/there: No such file or directory\n"


def test_a_full_disk_is_told_in_a_sentence() -> None:
    with Path("/dev/full").open("w") as full, Piped("trace", "xor", stdout=full) as program:
        told = program.stderr.read()
        assert program.wait() == 1
    assert told == "the output is not complete: No space left on device\n"


def test_check_says_what_is_right_and_what_is_not(tmp_path: Path) -> None:
    done = run("copy", "mazur", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "mazur.toml\n")
    assert run("new", cwd=tmp_path).stdout == "scenario.toml\n"
    done = run("check", "mazur.toml", "scenario.toml", "graph", cwd=tmp_path)
    assert done.returncode == 0
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == [
        "mazur.toml",
        "scenario.toml",
        "graph",
    ]
    text = (tmp_path / "mazur.toml").read_text("utf-8")
    (tmp_path / "mazur.toml").write_text(text.replace('"0.3775"', '"0.3776"'), "utf-8")
    done = run("check", "mazur.toml", "graph", cwd=tmp_path)
    assert done.returncode == 1
    assert "z1[0, 0] is 0.3775 in iteration 0, printed is 0.3776" in done.stdout
    done = run("check", "--format", "json", "mazur.toml", cwd=tmp_path)
    assert done.returncode == 1
    (wrong,) = [item for item in json.loads(done.stdout) if not item["ok"]]
    assert wrong | {"text": ""} == {
        "file": "mazur.toml",
        "kind": "expect",
        "at": "z1",
        "iteration": 0,
        "cell": [0, 0],
        "expected": "0.3776",
        "got": 0.3775,
        "ok": False,
        "text": "",
    }


def test_check_of_what_does_not_load_and_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("format = 1\n", "utf-8")
    done = run("check", "bad.toml", "none.toml", cwd=tmp_path)
    assert done.returncode == 1
    assert "bad.toml:1:1: a scenario needs a [network]" in done.stdout
    assert "none.toml:1:1: no such file" in done.stdout
    assert run("check").returncode == 2
    assert run("check", "--format", "xml", "mazur").returncode == 2


def test_copy_and_new_overwrite_nothing(tmp_path: Path) -> None:
    done = run("copy", "iris", "flowers.toml", cwd=tmp_path)
    assert done.stdout == "flowers.toml\niris.csv\n"
    done = run("copy", "iris", "flowers.toml", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("flowers.toml is there already;")
    assert run("copy", "iris", "flowers.toml", "--force", cwd=tmp_path).returncode == 0
    assert run("new", "flowers.toml", cwd=tmp_path).returncode == 1
    done = run("copy", "irris", cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean 'iris'" in done.stderr
