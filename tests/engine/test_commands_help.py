"""What the list of commands gives: help, completion, and messages about what is wrong."""

from pathlib import Path

import pytest
from building import expression
from commanding import give, small, told
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from in_one_test import each_of

from nnstep.engine.commands.command import Command
from nnstep.engine.commands.interpreter import (
    BY_NAME,
    COMMANDS,
    Interpreter,
    complete,
    completed,
)
from nnstep.engine.language.typed import TextError
from nnstep.engine.saving.journal import Journal
from nnstep.engine.session.session import Session
from nnstep.engine.stops.points import Breakpoint
from nnstep.engine.text import printable


def prepared() -> Session:
    """A session in which all examples make sense."""
    session = small()
    session.seek(40)
    session.seek(20)
    for unit in range(2):
        session.edit("W1", (0, unit), 1.0)
    session.undo()
    session.stops.add(Breakpoint("dW2"))
    session.watch("W1[0, 1]")
    if session.branches.current != "b1":
        raise AssertionError("the examples speak of a branch b1")
    return session


# What belongs to the beginning of a run, and what has been done there before.
AT_THE_BEGINNING = {"hunt": [], "accuse": ["hunt 7"]}


@each_of("command", COMMANDS)
def test_every_command_has_help_and_its_example_works(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / command.name
    folder.mkdir()
    monkeypatch.chdir(folder)
    begins = command.name in AT_THE_BEGINNING
    session = small() if begins else prepared()
    give(session, *AT_THE_BEGINNING.get(command.name, []))
    lines = give(session, f"help {command.name}").lines
    assert lines[0].startswith(command.synopsis)
    assert BY_NAME[command.example.split()[0]] is command
    assert Interpreter(session, Journal(session)).execute(command.example) is not None


def test_help_names_every_command_and_fits_on_a_narrow_screen() -> None:
    session = small()
    lines = list(give(session, "help").lines)
    unnamed = [c.name for c in COMMANDS if not any(line.startswith(c.name) for line in lines)]
    assert unnamed == []
    for command in COMMANDS:
        lines += give(session, f"help {command.name}").lines
    assert max(map(len, lines)) <= 80
    assert give(session, "help b").lines == give(session, "help break").lines


def test_no_two_commands_share_a_name() -> None:
    names = [name for command in COMMANDS for name in (command.name, *command.aliases)]
    assert len(names) == len(set(names))


def test_nothing_and_a_comment_do_nothing() -> None:
    session = small()
    for line in ("", "   ", "# step", "\t#"):
        assert give(session, line).lines == ()
    assert give(session, "  step 2 # twice ").moved
    assert session.place == 2


@each_of("name", ["quit", "q", "exit"])
def test_quit(name: str) -> None:
    assert give(small(), name).quit


WRONG = [
    ("stp 3", 1, "there is no command 'stp' (did you mean 'step'?)"),
    ("W1[0, 0] = 1", 1, "a line begins with a command, as in: set W1[0, 0] = 1"),
    ("  norm(W1)", 3, "there is no command 'norm(W1)'"),
    ("W1", 1, "as in: print W1"),
    ("W1 == 2", 1, "as in: print W1 == 2"),
    ("step 3 layr", 8, "there is no unit 'layr' (did you mean 'layer'?)"),
    ("step 3x", 6, "a number of steps is a whole number from 0, not '3x'"),
    ("step 1234567890123456", 6, "at most 15 digits"),
    ("reverse 2", 9, "'2' is too much"),
    ("goto", 5, "say where to"),
    ("goto 541", 6, "the steps are counted from 0 to 540"),
    ("goto iteration x", 16, "an iteration is a whole number"),
    ("goto iteration 31", 16, "the run has iterations 0 to 29"),
    ("goto epoch 16", 12, "the run has epochs 0 to 14"),
    ("goto fault", 11, "no fault has been found"),
    ("goto there", 6, "that is no place to go to"),
    ("run fast", 5, "run until"),
    ("run until L <", 14, "expected a value"),
    ("run until Q < 1", 11, "the program has no tensor 'Q'"),
    ("restart 3", 9, "restart seed 3"),
    ("restart seed", 13, "a seed is a whole number"),
    ("break dW9", 7, "no tensor, phase or layer 'dW9'"),
    ("break  dW1 if", 14, "a condition is missing"),
    ("break if L < 1 < 2", 16, "comparisons do not chain"),
    ("break dW1 if norm(dW9) > 1", 19, "no tensor 'dW9' (did you mean '"),
    ("break dW1 after", 16, "the number behind 'after'"),
    ("break dW1 every x", 17, "the number behind 'every' is a whole number from 0, not 'x'"),
    ("break dW1 every 0", 17, "'every' counts from 1"),
    ("break dW1 log {L}", 15, "in quotation marks"),
    ('break dW1 log "{L}', 15, "in quotation marks"),
    ('break dW1 log "{L} {1 +}"', 24, "expected a value"),
    ("break line 99", 7, "the lines are numbered from 1 to 18"),
    ("watch", 6, "an expression is missing"),
    ("watch W1[0, 1] crosses", 23, "type a number"),
    ("watch W9 changes", 7, "the program has no tensor 'W9'"),
    ("unwatch L", 9, "nothing is watched"),
    ("delete", 7, "say what to delete"),
    ("delete 4", 8, "there is no breakpoint 4; none is set"),
    ("enable x", 8, "a breakpoint's number is a whole number"),
    ("set W1[0, 0]", 13, "a cell gets a value"),
    ("set W1[0] = 1", 5, "one of its cells as in W1[0, 0]"),
    ("set W1[0, :] = 1", 5, "one of its cells as in W1[0, 0]"),
    ("set W1[0, 3] = 1", 5, "index 3 is outside axis 1 of W1, which has 3"),
    ("set W1 + 1 = 1", 5, "that is no cell"),
    ("set a1[0, 0] = 1", 5, "a1 has no value yet; it gets one in forward, layer 1"),
    ("set lr =", 9, "a value is missing"),
    ("set lr = 0,1", 10, "write the decimals after a point"),
    ("set lr = W1", 10, "one number, and this has shape (2, 3)"),
    ("set lr = 1/0", 10, "type nan, inf or -inf if you mean it"),
    ("set lr = a1[0, 0]", 10, "a1 has no value yet"),
    ("print", 6, "an expression is missing"),
    ("print a1", 7, "a1 has no value yet"),
    ("print W1 @ 2", 7, ""),
    ("print foo(W1)", 7, "there is no function 'foo'"),
    ("who W1", 5, "one of its cells"),
    ("switch min", 8, "there is no branch 'min' (did you mean 'main'?)"),
    ("rename a b c", 8, "a branch gets a name as in"),
    ("rename nope b1", 8, "there is no branch 'nope'"),
    ("delete main", 8, "is the present branch"),
    ("delete nope", 8, "there is no branch 'nope'"),
    ("diff", 5, "name the branches to compare"),
    ("help foo", 6, "there is no command 'foo'"),
    ("help step now", 11, "'now' is too much"),
    ("step -1", 6, "a number of steps is a whole number from 0; back goes back"),
    ("back -2", 6, "a number of steps is a whole number from 0; step goes on"),
    ("step layer 2", 12, "the number stands before the unit: 2 layer"),
    ("run 10", 5, "as in: step 10 iterations"),
    ("run until", 10, "a condition is missing, as in: run until L < 0.1"),
    ("run until W1[9, 9] > 0", 11, "index 9 is outside axis 0 of W1, which has 2: 0 to 1"),
    ("restart seed", 13, "a seed is a whole number from 0, and is missing"),
    ("break line", 7, "the number of the line is missing, as in line 2"),
    ("break layer 9", 7, "the layers are numbered from 1 to 2"),
    ("break nope", 7, "the phases are batch, forward, loss, backward and update"),
    ("break norm(W1) > 3", 7, "a condition stands behind if, as in: break if norm(W1) > 3"),
    ("break dW1 if W1[9, 9] > 0", 14, "which has 2: 0 to 1"),
    ("break if W1 @ W1 > 0", 10, "W1 (2, 3) @ W1 (2, 3) does not fit; W1 @ W1.T does"),
    ("watch W1[9,9]", 7, "index 9 is outside axis 0 of W1, which has 2: 0 to 1"),
    ("watch dW1[0, 3]", 7, "index 3 is outside axis 1 of dW1, which has 3: 0 to 2"),
    ("watch dW1[0, 3] changes", 7, "which has 3: 0 to 2"),
    ("watch a1[9, 0] crosses 1", 7, "which has 2: 0 to 1"),
    ("toggle watch W1[9, 9]", 14, "which has 2: 0 to 1"),
    ("watch L crosses 1 2", 19, "expected an operator or the end, found '2'"),
    ("watch L crosses W1[0,0]", 17, "'W1' is not a number"),
    ("unwatch", 8, "nothing is watched, as in: unwatch W1[0, 1]"),
    ("switch", 7, "say which branch to go to: 'main', as in: switch main"),
    ("switch there", 8, "there is no branch 'there'; there is 'main'"),
    (
        "enable",
        7,
        "a breakpoint's number is a whole number from 0, and is missing, as in: enable 1",
    ),
    ("print", 6, "an expression is missing, as in: print dW2 * 2"),
]


@each_of(("text", "column", "message"), WRONG)
def test_what_is_wrong_is_told_with_its_column(text: str, column: int, message: str) -> None:
    session = small()
    with pytest.raises(TextError) as caught:
        give(session, text)
    assert message in caught.value.message
    assert caught.value.start == column - 1
    assert str(caught.value) == f"column {column}: {caught.value.message}"
    assert session.place == 0
    assert session.stops.points == ()


def test_what_no_word_is_to_blame_for_has_no_column() -> None:
    with pytest.raises(TextError, match=r"^there is no edit to undo$") as caught:
        give(small(), "undo")
    assert caught.value.start is None


def test_nothing_that_is_typed_or_printed_acts_on_the_terminal() -> None:
    session = small()
    escape = "\x1b[31m\u202e"
    for text in (escape, f"switch {escape}", f"print {escape}", f"set lr = {escape}"):
        with pytest.raises(TextError) as caught:
            give(session, text)
        assert printable(str(caught.value)) == str(caught.value)
    for line in give(session, f'break L log "{escape}"', "run").lines:
        assert printable(line) == line
    assert "\\x1b[31m" in told(session, "breakpoints")


@each_of(
    ("text", "expected"),
    [
        ("st", ("step",)),
        ("  br", ("branches", "break", "breakpoints")),
        ("step 3 l", ("layer",)),
        ("step ", ("epoch", "iteration", "layer", "op", "phase")),
        ("back ph", ("phase",)),
        ("goto n", ("newest", "next")),
        ("break dW", ("dW1", "dW2")),
        ("break dW1 i", ("if", "isfinite", "isinf", "isnan", "iteration")),
        ("break ba", ("backward", "batch")),
        ('break L log "{dz', ("dz1", "dz2")),
        ("print norm(dW", ("dW1", "dW2")),
        ("watch L cr", ("crosses",)),
        ("set W1[0,1]=lr", ("lr",)),
        ("unwatch W1[0, 1", ("W1[0, 1]",)),
        ("switch m", ("main",)),
        ("help v", ("verify",)),
        ("s 3 ph", ("phase",)),
        ("where ", ()),
        ("nonsense d", ()),
    ],
)
def test_completion_of_the_last_word(text: str, expected: tuple[str, ...]) -> None:
    session = small()
    session.watch("W1[0, 1]")
    assert complete(text, session) == expected


def test_an_empty_line_could_be_any_command() -> None:
    assert complete("", small()) == tuple(sorted(command.name for command in COMMANDS))


@each_of(
    ("text", "word", "expected"),
    [
        ("print norm(dW", "dW1", "print norm(dW1"),
        ("unwatch W1[0, ", "W1[0, 1]", "unwatch W1[0, 1]"),
        ("step ", "layer", "step layer"),
        ("st", "step", "step"),
    ],
)
def test_a_text_with_its_last_word_completed(text: str, word: str, expected: str) -> None:
    assert completed(text, word) == expected


def test_tensors_named_like_commands_are_in_nobodys_way() -> None:
    session = Session(expression("s = a * a\nstep = s * a", "step", a=2.0))
    give(session, "s")
    assert told(session, "print s") == "s = 4.0 (float64)"
    give(session, "step")
    assert told(session, "print step") == "step = 8.0 (float64)"


NAMES = sorted({name for name in BY_NAME if name != "save"})
WORDS = (
    *("3", "0", "1", "-1", "2.5", "nan", "layer", "iteration", "start", "newest", "fault", "next"),
    *("until", "if", "after", "every", "log", '"L = {L}"', "changes", "crosses", "seed", "back"),
    *("W1", "W1[0,0]", "W1[0, 0] = 1", "W1[0]", "a1", "lr", "L", "loss", "norm(W1)", "L < 0.1"),
    *("main", "b1", "backward 2", "line 7", "step", "=", "<", "@", "*", "(", ")", "["),
    *('"', "{", "#", ":", "\x1b", "é"),
)
LINES = st.builds(
    lambda name, words: " ".join([name, *words]),
    st.sampled_from([*NAMES, "nonsense"]),
    st.lists(st.sampled_from(WORDS), max_size=3),
)


@examples(10)
@given(st.lists(LINES, max_size=12))
def test_whatever_is_typed_is_answered_or_told_to_be_wrong(lines: list[str]) -> None:
    assert_answered(lines)


@pytest.mark.slow
@settings(max_examples=1000)
@given(st.lists(LINES, max_size=12))
def test_much_is_typed(lines: list[str]) -> None:
    assert_answered(lines)


def assert_answered(lines: list[str]) -> None:
    """Each line has an answer fit to show, or an error that is."""
    session = small(3)
    for line in lines:
        try:
            answer = give(session, line)
        except TextError as error:
            assert error.start is None or 0 <= error.start <= len(line)
            assert printable(str(error)) == str(error)
        else:
            assert all(printable(text) == text for text in answer.lines)
        complete(line, session)
