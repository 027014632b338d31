"""`nnstep run`: commands without a screen, what they print, and with which exit status."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import command_line
import pytest
from command_line import Piped
from pseudo_terminal import Terminal

from nnstep.engine.loading import load
from nnstep.engine.saving.recovery import leftovers, state_folder

ENDLESS = 'format = 1\n[program]\ncode = "L = a * a"\nloss = "L"\nparameters = { a = 3.0 }\n'
OPTIMIZED = f"{ENDLESS}[optimizer]\nkind = 'sgd'\nlr = 0.01\n"


def run(*arguments: str, **given: Any) -> subprocess.CompletedProcess[str]:
    return command_line.run("run", *arguments, **given)


@pytest.fixture
def endless(tmp_path: Path) -> str:
    path = tmp_path / "endless.toml"
    path.write_text(OPTIMIZED, encoding="utf-8")
    return str(path)


def test_without_commands_it_runs_to_the_end() -> None:
    result = run("mazur", "--iterations", "3")
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "Step 48 of 48, branch main."
    assert lines[-1] == "This is the end of the run."


def test_a_value_that_is_not_finite_is_a_status_for_scripts() -> None:
    result = run("overflow")
    assert result.returncode == 1
    assert "L is inf" in result.stdout
    assert run("overflow", "--command", "run").returncode == 0


def test_a_breakpoint_stops_a_run_without_commands(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(f'{ENDLESS}[[breakpoint]]\nat = "backward"\n', encoding="utf-8")
    result = run(str(path))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[1] == "Stopped by 1: break backward."


def test_a_saved_session_goes_on(tmp_path: Path) -> None:
    saved = run(
        "mazur", "--command", "goto 5", "--command", "set W1[0, 1] = 0.5",
        "--command", "step iteration", "--command", "save lesson", cwd=tmp_path,
    )  # fmt: skip
    assert saved.returncode == 0, saved.stderr
    result = run("lesson.session", "--command", "print W1[0, 1]", "--command", "undo", cwd=tmp_path)
    assert "step 16" in run("lesson.session", "--command", "where", cwd=tmp_path).stdout.lower()
    assert result.stdout.startswith("0.499") or "0.499" in result.stdout
    assert "The change of W1[0, 1] is undone." in result.stdout


def test_a_damaged_session_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "bad.session"
    path.write_text("{", encoding="utf-8")
    result = run("bad.session", "--command", "where", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith("bad.session:")
    assert path.read_text(encoding="utf-8") == "{"


def test_a_run_without_end_wants_an_end_or_commands(endless: str) -> None:
    result = run(endless)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "this run has no end: say --iterations N, or give commands\n"
    assert run(endless, "--iterations", "5").returncode == 0
    assert run(endless, "--command", "step").returncode == 0


def test_commands_are_executed_in_order() -> None:
    result = run("mazur", "--command", "step 2", "--command", "print W1[0, 1]")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "Step 2 of 1600, iteration 0, epoch 0, forward, layer 1, branch main.",
        "Last: z1 = x @ W1.T + b1",
        "z1 = [[0.3775 0.3925]]",
        "Next: a1 = sigmoid(z1)",
        "W1[0, 1] = 0.2 (float64)",
    ]


def test_the_first_command_that_fails_ends_it() -> None:
    result = run("mazur", "--command", "print lr", "--command", "print  Q9", "--command", "help")
    assert result.returncode == 1
    assert result.stdout == "lr = 0.5 (float64)\n"
    assert result.stderr == ("command 2: column 8: the program has no tensor 'Q9'\n")


def test_a_file_of_commands_comes_before_the_others(tmp_path: Path) -> None:
    (tmp_path / "lesson.txt").write_text(
        "\ufeff# a lesson\n\nset lr = 0.25\r\nstep 3 iterations  # go\n", encoding="utf-8"
    )
    result = run("mazur", "--commands", "lesson.txt", "--command", "print lr", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    first, *_, last = result.stdout.splitlines()
    assert first == "lr = 0.25 (was 0.5)"
    assert last == "lr = 0.25 (float64)"


def test_a_mistake_in_a_file_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "lesson.txt").write_text("step\nprint Q9\nstep\n", encoding="utf-8")
    result = run("mazur", "--commands", "lesson.txt", "--command", "step", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stdout.count("Step ") == 1
    assert result.stderr == "lesson.txt:2:7: the program has no tensor 'Q9'\n"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name, reason in (("missing", "No such file or directory"), ("bytes", "it is not UTF-8")):
        result = run("mazur", "--commands", name, cwd=tmp_path)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr == f"{name}: the commands cannot be read: {reason}\n"


def test_quit_ends_it_with_success() -> None:
    result = run("mazur", "--command", "quit", "--command", "nonsense")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_plain_through_a_pipe_goes_on_after_a_mistake_and_tells_of_it() -> None:
    result = run("mazur", "--plain", typed="print lr\nprnt lr\n\n# no\nprint L\nprint b1[0]")
    assert result.returncode == 1
    assert result.stdout == "lr = 0.5 (float64)\nb1[0] = 0.35 (float64)\n"
    assert result.stderr.splitlines() == [
        "line 2: column 1: there is no command 'prnt' (did you mean 'print'?); help lists them",
        "line 5: column 7: L has no value yet",
    ]


@pytest.mark.parametrize(("typed", "status"), [("step\n", 0), ("", 0), ("foo\nquit\nstep\n", 1)])
def test_the_status_of_plain_tells_whether_a_command_failed(typed: str, status: int) -> None:
    result = run("mazur", "--plain", "--command", "print lr", typed=typed)
    assert result.returncode == status
    assert result.stdout.count("Step ") == (typed == "step\n")


def test_plain_does_not_begin_after_a_command_that_failed() -> None:
    result = run("mazur", "--plain", "--command", "foo", typed="step\n")
    assert (result.returncode, result.stdout) == (1, "")


def test_what_is_no_text_is_no_command() -> None:
    result = run("mazur", "--plain", typed=b"\xff\x1b[31m\nstep\n")
    assert result.returncode == 1
    assert "\x1b" not in result.stdout + result.stderr
    assert result.stdout.startswith("Step 1 of")


def test_plain_answers_each_line_as_it_comes() -> None:
    with Piped("run", "mazur", "--plain") as program:
        for value in ("0.25", "0.75"):
            program.stdin.write(f"set lr = {value}\nprint lr\n")
            program.stdin.flush()
            program.stdout.readline()
            assert program.stdout.readline() == f"lr = {value} (float64)\n"
        program.stdin.close()
        assert program.wait() == 0


def test_a_closed_pipe_ends_it_quietly() -> None:
    with Piped("run", "mazur", *["--command", "step 1"] * 3000) as program:
        assert program.stdout.readline().startswith("Step 1 of 1600")
        program.stdout.close()
        assert (program.wait(), program.stderr.read()) == (0, "")


def test_control_characters_of_a_scenario_never_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    log = '\n[[breakpoint]]\nat = "L"\nlog = "\\u001b[31m{L}"\n'
    path.write_text(f"{ENDLESS}{log}", encoding="utf-8")
    result = run(str(path), "--command", "breakpoints", "--command", "run")
    assert (result.returncode, result.stderr) == (0, "")
    assert "\x1b" not in result.stdout
    assert "Log, step 0: \\x1b[31m9" in result.stdout


def test_warnings_go_to_stderr(tmp_path: Path) -> None:
    path = tmp_path / "doubtful.toml"
    path.write_text(
        "format = 1\n[network]\ninputs = 1\n[[network.layers]]\nunits = 2\nactivation = 'softmax'\n"
        "[loss]\nkind = 'mse'\n[data]\nx = [[1.0]]\ny = [[0.0, 1.0]]\n",
        encoding="utf-8",
    )
    result = run(str(path), "--command", "step")
    assert result.returncode == 0
    assert result.stderr.count("\n") == result.stderr.count("warning: ") == 1
    assert result.stdout.startswith("Step 1 of ")


def test_a_mistake_in_the_scenario_is_its_text_alone() -> None:
    result = run("mazu")
    assert result.returncode == 2
    assert result.stderr.startswith("mazu:1:1: no such file")


# On a terminal


def plain(scenario: str) -> Terminal:
    return Terminal("-m", "nnstep.tui", "run", scenario, "--plain")


def processor_time(terminal: Terminal) -> int:
    """Return how long the program has computed, in ticks."""
    fields = Path(f"/proc/{terminal.process.pid}/stat").read_text(encoding="ascii").rsplit(")")[1]
    return int(fields.split()[11])


def interrupt_when_it_runs(terminal: Terminal) -> None:
    """Press Ctrl+C once the program has computed for so long that it must be the endless run."""
    start = processor_time(terminal)
    enough = os.sysconf("SC_CLK_TCK") // 4
    terminal.wait_for(lambda: processor_time(terminal) > start + enough)
    terminal.press("\x03")
    terminal.wait_for_text("Interrupted.")


def test_plain_on_a_terminal_asks_completes_remembers_and_sends_no_escape_sequences() -> None:
    with plain("mazur") as terminal:
        terminal.wait_for_text("(nnstep)")
        assert "Mazur's 2-2-2 network, by hand" in terminal.text
        terminal.press("print norm(dW\n")
        terminal.wait_for_text("column 14: ")
        terminal.press("ste\t 3\n")
        terminal.wait_for_text("Step 3 of 1600")
        terminal.press("\x1b[A\n")
        terminal.wait_for_text("Step 6 of 1600")
        terminal.press("nonsense")
        terminal.wait_for(lambda: terminal.text.rstrip().endswith("nonsense"))
        terminal.press("\x03")
        terminal.wait_for(lambda: terminal.text.rstrip().endswith("(nnstep)"))
        terminal.press("print lr\n")
        terminal.wait_for_text("lr = 0.5 (float64)")
        terminal.wait_for(lambda: terminal.text.rstrip().endswith("(nnstep)"))
        assert terminal.end(asked_by="\x04") == 0
        assert "nonsense" not in terminal.text.split("lr = 0.5")[-1]
        assert b"\x1b" not in terminal.sent
        assert terminal.is_as_found


def test_ctrl_c_interrupts_a_command_and_the_prompt_goes_on(endless: str) -> None:
    with plain(endless) as terminal:
        terminal.wait_for_text("(nnstep)")
        terminal.press("run\n")
        interrupt_when_it_runs(terminal)
        terminal.press("goto start\n")
        terminal.wait_for_text("Step 0, iteration 0, epoch 0, loss, branch main.")
        terminal.press("quit\n")
        assert terminal.end() == 0


def test_ctrl_c_ends_commands_given_beforehand(endless: str) -> None:
    command = ["-m", "nnstep.tui", "run", endless, "--command", "print a"]
    with Terminal(*command, "--command", "run", "--command", "print L") as terminal:
        terminal.wait_for_text("a = 3.0 (float64)")
        interrupt_when_it_runs(terminal)
        assert terminal.end() == 130
        assert "(float64)" not in terminal.text.split("Interrupted.")[1]


# A session that is typed to is kept


@pytest.mark.slow
def test_plain_keeps_its_session_and_offers_it_again() -> None:
    with plain("mazur") as terminal:
        terminal.wait_for_text("(nnstep)")
        terminal.press("goto 12\n")
        terminal.wait_for_text("Step 12 of 1600")
        terminal.press("set W1[0, 1] = 0.5\n")
        terminal.wait_for_text("W1[0, 1] = 0.5 (was 0.2)")
        terminal.signal(signal.SIGKILL)
        terminal.end()
    with Terminal("-m", "nnstep.tui", "run", "mazur", "--plain", columns=250) as terminal:
        terminal.wait_for_text("An earlier session ended at step 12 with 1 edit: nnstep run /")
        terminal.press("quit\n")
        assert terminal.end() == 0
    (left,) = leftovers()
    with plain(str(left.path)) as terminal:
        terminal.wait_for_text("Step 12 of 1600")
        terminal.press("sessions\n")
        terminal.wait_for_text("No other session is left.")
        terminal.press("undo\n")
        terminal.wait_for_text("The change of W1[0, 1] is undone.")
        terminal.press("quit\n")
        assert terminal.end() == 0
    assert leftovers() == ()


def test_commands_from_a_pipe_leave_nothing_behind() -> None:
    result = run("mazur", "--plain", typed="set W1[0, 1] = 0.5\nsessions\n")
    assert "No other session is left." in result.stdout
    assert leftovers() == () and not list(state_folder().iterdir())


def test_a_session_file_is_executed_as_it_stands(tmp_path: Path) -> None:
    first = run(
        "mazur", "--command", 'break L log "5 \" # {L}"', "--command", "goto 12",
        "--command", "set W1[0, 1] = 0.5", "--command", "save lesson", cwd=tmp_path,
    )  # fmt: skip
    assert first.returncode == 0, first.stderr
    again = run(
        "mazur", "--commands", "lesson.session", "--command", "print W1[0, 1]",
        "--command", "save other", cwd=tmp_path,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert "W1[0, 1] = 0.5 " in again.stdout
    one, other = (tmp_path / f"{name}.session" for name in ("lesson", "other"))
    assert one.read_text() == other.read_text()


def test_what_a_session_leaves_out_is_said(tmp_path: Path) -> None:
    assert run("mazur", "--command", "watch L", "--command", "save a", cwd=tmp_path).returncode == 0
    path = tmp_path / "a.session"
    path.write_text(path.read_text() + "goto 4")
    result = run("a.session", "--command", "where", cwd=tmp_path)
    assert result.returncode == 0
    assert "line 4, the last one, has no end and is left out" in result.stderr


@pytest.mark.parametrize("what", ["elsewhere", "too much"])
def test_without_a_terminal_nobody_agrees(what: str, tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text(Path(load("xor").path).read_text())
    (tmp_path / "other").mkdir()
    name = "other/a" if what == "elsewhere" else "a"
    saved = run("case.toml", "--command", "watch L", "--command", f"save {name}", cwd=tmp_path)
    assert saved.returncode == 0, saved.stderr
    path = tmp_path / f"{name}.session"
    if what == "too much":
        first, *rest = path.read_text().splitlines(keepends=True)
        path.write_text("".join([first.partition("  # ")[0] + "\n", "goto 100000001\n", *rest]))
    result = run(f"{name}.session", "--command", "where", cwd=tmp_path)
    assert result.returncode == 2
    said = "is not in its folder" if what == "elsewhere" else "it asks for 100,000,001 operations"
    assert said in result.stderr and "Traceback" not in result.stderr
