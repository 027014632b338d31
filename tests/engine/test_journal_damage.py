"""A session file can come from anybody: whatever is in it, it is told in words, line by line."""

import random
from functools import cache
from pathlib import Path

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from in_one_test import each_of
from worked_sessions import Worked, code, of_kind, walk

from nnstep.engine.saving import replay
from nnstep.engine.saving.journal import (
    MAX_LINES,
    MAX_SESSION_BYTES,
    Script,
    read_session,
    script,
)
from nnstep.engine.saving.reference import SessionFileError
from nnstep.engine.saving.replay import Opened, Replayed
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.text import printable


def worked() -> Worked:
    """A session of seven lines: two places, an edit, a place, an edit, a breakpoint, a place."""
    case = Worked(code())
    case.give("goto 30", "goto 12", "set a = 0.1", "goto 20", "set b = -nan", "u", "break d")
    return case


def opened(found: Script, scenario: Scenario | None = None) -> Replayed:
    return Opened("w.session", found, scenario or code()).replay()


@cache
def contents() -> bytes:
    """Its file."""
    return worked().contents()


def rows() -> list[str]:
    return contents().decode().splitlines(keepends=True)


def of_rows(*lines: str) -> Script:
    return script("".join(lines).encode())


def problem_of(content: str | bytes) -> str:
    with pytest.raises(SessionFileError) as caught:
        script(content.encode() if isinstance(content, str) else content)
    return str(caught.value)


def test_a_file_reads_as_what_was_typed() -> None:
    assert [line.text for line in script(contents()).lines] == [
        "goto 30",
        "goto 12",
        "set a = 0.1",
        "goto 20",
        "set b = -nan",
        "undo",
        "break d",
        "goto 20",
    ]
    row = rows()[2]
    assert row.startswith("goto 12  # loss ") and " bits " in row and " sum " in row


# A line that does not hold


def test_a_changed_byte_is_seen_at_its_line() -> None:
    content = contents()
    whole = script(content).lines
    choose = random.Random(1)
    for _ in range(150):
        at = choose.randrange(len(content) - 1)
        changed = bytearray(content)
        changed[at] ^= 1 << choose.randrange(7)
        line = content[:at].count(b"\n") + 1
        if line == 1:
            with pytest.raises(SessionFileError):
                script(bytes(changed))
            continue
        found = script(bytes(changed))
        assert found.problem.startswith(f"line {line} ")
        assert found.lines == whole[: line - 2]


def test_a_line_that_was_added_moved_or_taken_out_is_seen() -> None:
    first, *rest = rows()
    for changed in (
        [first, *rest[:2], "set a = 2\n", *rest[2:]],
        [first, rest[1], rest[0], *rest[2:]],
        [first, *rest[1:]],
        [first, rest[0], *rest],
    ):
        assert of_rows(*changed).problem.endswith("it and what follows are left out")


def test_who_changes_a_file_deletes_the_first_checksum() -> None:
    first, *rest = rows()
    found = of_rows(f"{first.rpartition('  # ')[0]}\n", "set a = 3 # mine\n", "\n", *rest)
    assert not found.problem
    assert [line.text for line in found.lines][:2] == ["set a = 3", "goto 30"]
    replayed = opened(found)
    assert replayed.problem == ""
    assert replayed.warning == "Line 4: the numbers before step 30 are not what they were."


def test_a_last_line_without_its_end_is_left_out_and_said() -> None:
    *whole, last = rows()
    for length in range(1, len(last) - 1):
        found = of_rows(*whole, last[:length])
        assert found.problem == "line 9, the last one, has no end and is left out"
        assert len(found.lines) == 7
    replayed = opened(found)
    assert replayed.session.place == 20
    assert replayed.problem == f"w.session: {found.problem}"


def test_what_stands_before_a_line_that_does_not_fit_holds() -> None:
    first, *_ = rows()
    header = f"{first.rpartition('  # ')[0]}\n"
    replayed = opened(of_rows(header, "goto 12\n", "set a = 3\n", "set c = 3\n", "goto 40\n"))
    assert replayed.problem == (
        "w.session: line 4: column 5: the program has no tensor 'c'; "
        "it and what follows are left out"
    )
    assert (replayed.session.place, float(replayed.session.value("a"))) == (12, 3.0)


@each_of("line", ["save mine", "save /tmp/x.session", "save", "sessions delete 1"])
def test_a_line_that_writes_a_file_is_refused(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    header = f"{rows()[0].rpartition('  # ')[0]}\n"
    replayed = opened(of_rows(header, "goto 3\n", f"{line}\n", "goto 5\n"))
    said = f"line 3: a session may not have '{line.split(maxsplit=1)[0]}', which changes files"
    assert said in replayed.problem
    assert replayed.session.place == 3
    assert list(tmp_path.iterdir()) == []


def test_commands_that_a_person_put_into_a_file_are_executed() -> None:
    header = f"{rows()[0].rpartition('  # ')[0]}\n"
    lines = ("step 3 layer\n", "print a\n", "quit\n", "run until e < 1\n", "b d\n", "# end\n")
    replayed = opened(of_rows(header, *lines))
    assert replayed.problem == ""
    assert len(replayed.session.stops.points) == 1 and replayed.session.place > 3


# What is no session


def test_a_file_of_format_1_is_refused_in_a_sentence() -> None:
    said = problem_of('{\n  "format": 1,\n  "nnstep": "0.1.0"\n}\n')
    assert said.startswith(
        "it is a session of format 1, which this version of nnstep does not read"
    )
    assert "make its edits, which it lists, here again" in said


@each_of(
    ("content", "said"),
    [
        (b"", "this is no session file"),
        (b"\n\n", "this is no session file"),
        (b"goto 12\n", "this is no session file"),
        (b"\xff\xfe\n", "this is no session file"),
        (b"# nnstep session 3 {}\n", "and the file has format '3'"),
        (b"# nnstep session \x1b[2J {}\n", r"and the file has format '\x1b[2J'"),
        (b"# nnstep session 2 {}", "the file ends within its first line"),
        (b"# nnstep session 2 {}\n", "the first line is damaged"),
        (b"# nnstep session 2 " + b"[" * 50_000 + b"\n", "the first line is damaged"),
        (b'# nnstep session 2 {"nnstep": 3}\n', "the first line is damaged"),
    ],
)
def test_what_is_no_session_is_refused(content: bytes, said: str) -> None:
    assert said in problem_of(content)
    assert printable(problem_of(content)) == problem_of(content)


# Limits


def test_a_file_has_at_most_so_many_lines() -> None:
    header = f"{rows()[0].rpartition('  # ')[0]}\n"
    found = of_rows(header, *["watch a\n"] * (MAX_LINES + 5))
    assert len(found.lines) == MAX_LINES
    assert found.problem.startswith(f"line {MAX_LINES + 2} is one more than the {MAX_LINES}")


@pytest.mark.slow
def test_more_lines_than_can_be_read_are_not_written() -> None:
    case = worked()
    case.give(*["watch a"] * MAX_LINES)
    with pytest.raises(SessionFileError, match=f"a session file holds at most {MAX_LINES} lines"):
        case.contents()


@each_of(
    ("line", "said"),
    [
        ("watch a" + " " * 500_000, "is longer than 100000 characters"),
        ("watch \x1b[2J", "holds a character that cannot be shown"),
        ("watch a\u202e", "holds a character that cannot be shown"),
        ("watch a\x00", "holds a character that cannot be shown"),
    ],
)
def test_a_line_that_cannot_be_shown_is_left_out(line: str, said: str) -> None:
    header = f"{rows()[0].rpartition('  # ')[0]}\n"
    found = of_rows(header, "goto 3\n", f"{line}\n", "goto 4\n")
    assert said in found.problem and len(found.lines) == 1


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.session"
    with path.open("wb") as file:
        file.truncate(MAX_SESSION_BYTES + 1)
    with pytest.raises(SessionFileError, match="larger than 16 MiB"):
        read_session(path)


def test_what_a_file_asks_for_is_known_before() -> None:
    header = f"{rows()[0].rpartition('  # ')[0]}\n"
    assert of_rows(header, "goto 100000000\n", "goto 5\n", "goto 9\n").instructions == 10**8 + 4
    assert of_rows(header, "goto 9\n", "restart seed 2\n", "goto 9\n").instructions == 18


@pytest.mark.slow
def test_a_place_beyond_all_places_is_no_trouble() -> None:
    header = f"{rows()[0].rpartition('  # ')[0]}\n"
    asked = iter(range(10**6))
    found = of_rows(header, "goto 3\n", "goto 999999999999999\n")
    replayed = Opened("w", found, code(), most=None).replay(cancelled=lambda: next(asked) > 3)
    assert replayed.problem == "w: line 3: it was stopped; it and what follows are left out"
    assert replayed.session.place >= 3
    assert opened(of_rows(header, "goto 99999999999999999\n")).problem.startswith("w.session: line")


@each_of("line", ["goto 100000001", "step 999999999", "goto iteration 99999999"])
def test_more_than_it_may_ask_for_is_not_even_begun(line: str) -> None:
    header = f"{rows()[0].rpartition('  # ')[0]}\n"
    replayed = opened(of_rows(header, "goto 3\n", f"{line}\n"))
    assert "line 3: it asks for more than 100,000,000 operations" in replayed.problem
    assert replayed.session.place == 3


def test_a_run_without_end_is_ended_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "_SLICE", 0.001)
    header = f"{rows()[0].rpartition('  # ')[0]}\n"
    replayed = Opened("w", of_rows(header, "run\n"), code(), most=500).replay()
    assert "line 2: it asks for more than" in replayed.problem
    assert replayed.session.place > 500


# Anything at all


def survives(content: bytes, scenario: Scenario) -> None:
    """Read and execute something: it is refused in words fit to show, or executed in part."""
    try:
        found = script(content)
    except SessionFileError as error:
        assert printable(str(error)) == str(error)
        return
    if found.instructions > 3000:
        return
    replayed = opened(found, scenario)
    said = replayed.problem + replayed.warning
    assert printable(said) == said
    assert "Error" not in said
    assert b"".join(replayed.journal.laid_out())


@pytest.mark.slow
@examples(60)
@given(st.binary(max_size=300))
def test_random_bytes_are_no_trouble(content: bytes) -> None:
    survives(content, code())
    survives(f"{rows()[0].rpartition('  # ')[0]}\n".encode() + content + b"\n", code())


@pytest.mark.slow
@settings(max_examples=100)
@given(st.integers(0, 10**6))
def test_mutated_files_are_no_trouble(seed: int) -> None:
    choose = random.Random(seed)
    case = Worked(of_kind(seed))
    for _ in range(choose.randrange(1, 12)):
        walk(case, choose)
    lines = case.contents().decode().splitlines()
    unchecked = [line.rpartition("  # ")[0] or line for line in lines]
    content = bytearray("\n".join(choose.choice([lines, unchecked])).encode() + b"\n")
    for _ in range(choose.randrange(1, 6)):
        at = choose.randrange(len(content))
        match choose.randrange(4):
            case 0:
                content[at] = choose.randrange(256)
            case 1:
                del content[at : at + choose.randrange(20)]
            case 2:
                content[at:at] = choose.choice([b"\n", b'"', b"9", b"[", b"set ", b"goto ", b"#"])
            case 3:
                start = choose.randrange(len(content))
                content[at:at] = content[start : start + choose.randrange(30)]
    survives(bytes(content), case.session.scenario)
