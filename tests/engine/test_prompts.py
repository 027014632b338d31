"""Random and mutated lines of the prompt have an answer or a clear error, never anything else."""

import faulthandler
import os
import random
import re
import resource
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from built_in import built_in
from msgspec import Struct

from nnstep import scenarios
from nnstep.engine.commands.interpreter import BY_NAME, COMMANDS, Interpreter, complete
from nnstep.engine.language.computing import FUNCTIONS
from nnstep.engine.language.evaluate import COUNTS
from nnstep.engine.language.typed import TextError
from nnstep.engine.machine.clock import UNITS
from nnstep.engine.operations.catalogue import LISTED
from nnstep.engine.saving.journal import Journal
from nnstep.engine.scenario.model import Scenario
from nnstep.engine.session.session import Session
from nnstep.engine.stops.points import location_names
from nnstep.engine.text import printable

SECONDS = 60
SHRINKING = 60
# A line is interrupted after the first, and has failed after the second, in seconds.
PATIENCE, MOST = 0.3, 20
MEMORY = 2 << 30
SEED = "NNSTEP_SEED"

_SIGNS = ("+", "-", "*", "/", "**", "@", "<", "<=", ">", ">=", "==", "!=", "and", "or")
_PART = re.compile(r"\[([^\]]*)\]|\"?([A-Z]+)\"?|([^\s[A-Z\"]+)")
_JUNK = (*"'\"{}[)#;=,é\0", "\x1b[31m", "\U0001d54f", "9" * 400)


class Lines:
    """Makes lines for a session by the grammar that the commands say they have."""

    def __init__(self, session: Session, choose: random.Random) -> None:
        self._session = session
        self._choose = choose
        self._kinds: Mapping[str, Callable[[], str]] = {
            "N": self._number,
            "UNIT": lambda: choose.choice([*UNITS, "layers", "iterations"]),
            "LOCATION": self._location,
            "CONDITION": self._expression,
            "EXPRESSION": self._expression,
            "VALUE": lambda: choose.choice([self._number(), self._expression(1)]),
            "CELL": self._cell,
            "WATCHED": lambda: choose.choice([*session.watches, self._cell()]),
            "BRANCH": lambda: choose.choice([*session.branches.names, "b1", "b9"]),
            "NAME": lambda: choose.choice(["one", "b1", "main", "a/b", "é" * 50]),
            "COMMAND": lambda: choose.choice([*BY_NAME, "nothing"]),
            "TEXT": lambda: f'"{self._expression(1)} is {{{self._expression(1)}}}"',
            "FILE": lambda: choose.choice(["kept", '"a b"', "", "none/kept"]),
            "LINE": lambda: f"{self._cell()} = {self._expression(1)}",
            "STEP": self._number,
            "SEED": self._number,
            "TENSOR": self._name,
            "PATH": lambda: choose.choice(["kept", '"a b"', "", '""', "none/kept", "x" * 300]),
        }

    def line(self) -> str:
        """Return a line that fits the grammar of a command, or one that did before a mutation."""
        choose = self._choose
        command = choose.choice(COMMANDS)
        name = choose.choice([command.name, *command.aliases])
        line = f"{name} {self._filled(command.usage)}".rstrip()
        if not command.writes and choose.random() < 0.4:
            for _ in range(choose.randint(1, 3)):
                line = self._mutated(line)
        return line

    def _filled(self, usage: str) -> str:
        choose = self._choose
        if "[" not in usage:
            usage = choose.choice(usage.split(" | "))
        words = []
        for optional, kind, word in _PART.findall(usage):
            if kind:
                words.append(self._kinds[kind]())
            elif word:
                words.append(word)
            elif choose.random() < 0.6:
                words.append(self._filled(optional))
        return " ".join(words)

    def _mutated(self, line: str) -> str:
        choose = self._choose
        at, words = choose.randrange(len(line) + 1), line.split(" ")
        match choose.randrange(6):
            case 0:
                return line[:at] + line[at + 1 :]
            case 1:
                return line[:at] + choose.choice(_JUNK) + line[at:]
            case 2:
                return line[:at]
            case 3:
                choose.shuffle(words)
            case 4:
                words.insert(choose.randrange(len(words) + 1), choose.choice(words))
            case _:
                words[choose.randrange(len(words))] = self._kinds[choose.choice(_MADE)]()
        return " ".join(words)

    def _number(self) -> str:
        choose = self._choose
        odd = ["0", "-1", "1.5", "nan", "-inf", "1e999", "1/3", "9" * 20, "", "٣"]
        return str(choose.randrange(300)) if choose.random() < 0.7 else choose.choice(odd)

    def _name(self) -> str:
        return self._choose.choice(
            [*self._session.program.tensors, *sorted(COUNTS), "W9", "nothing"]
        )

    def _cell(self) -> str:
        choose, name = self._choose, self._name()
        tensor = self._session.program.tensors.get(name)
        shape = tensor.shape if tensor and choose.random() < 0.8 else (2, 2)
        index = ", ".join(
            str(choose.randrange(-size, size + (choose.random() < 0.2))) for size in shape
        )
        return f"{name}[{index}]" if index else name

    def _location(self) -> str:
        places = [*location_names(self._session.program), "line 3", "layer 1", "line 99", "7"]
        return self._choose.choice([self._name(), self._choose.choice(places)])

    def _expression(self, depth: int = 3) -> str:
        choose = self._choose
        if depth == 0:
            return choose.choice([self._name(), self._cell(), self._number() or "2"])
        deeper = [self._expression(depth - 1) for _ in range(3)]
        match choose.randrange(8):
            case 0:
                given = ", ".join(deeper[: choose.randint(0, 3)])
                return f"{choose.choice([*FUNCTIONS, *LISTED])}({given})"
            case 1:
                return f"({deeper[0]}).T"
            case 2:
                return f"{deeper[0]} if {deeper[1]} else {deeper[2]}"
            case 3:
                return f"({deeper[0]})[{choose.choice(['0', ':', '1:', '-1', '0, 0', '9'])}]"
            case 4:
                return deeper[0]
            case _:
                return f"({deeper[0]}) {choose.choice(_SIGNS)} ({deeper[1]})"


_MADE = ("N", "UNIT", "LOCATION", "EXPRESSION", "CELL", "BRANCH", "COMMAND")


class Failure(Struct, frozen=True):
    """What has become of the last of some lines that was no answer and no clear error."""

    lines: tuple[str, ...]
    what: str


@contextmanager
def interrupting(session: Session) -> Iterator[None]:
    """Have somebody lose patience with what takes long, again and again."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(PATIENCE):
            session.interrupt()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def failure_of(line: str, session: Session, interpreter: Interpreter) -> str:
    """Execute a line; return what is wrong with what has come of it."""
    started = time.monotonic()
    try:
        complete(line, session)
        with interrupting(session):
            lines = interpreter.execute(line).lines
    except TextError as error:
        if error.start is not None and not 0 <= error.start <= len(line):
            return f"the column is none: {error}"
        lines = (str(error), error.message)
        if not error.message.strip():
            return "an error without a word"
    except (Exception, MemoryError, RecursionError) as error:
        return f"{type(error).__name__}: {error}"
    if any(printable(text) != text for text in lines):
        return f"what is said is not fit to show: {lines!r}"
    seconds = time.monotonic() - started
    return f"it took {seconds:.0f} seconds" if seconds > MOST else ""


def first_failure(scenario: Scenario, lines: Sequence[str]) -> Failure | None:
    """Execute lines in a new session, up to the first that fails."""
    session = Session(scenario, history=5_000_000)
    interpreter = Interpreter(session, Journal(session))
    for number, line in enumerate(lines):
        if what := failure_of(line, session, interpreter):
            return Failure(tuple(lines[: number + 1]), what)
    return None


def shrunk(scenario: Scenario, failure: Failure) -> Failure:
    """Leave out lines, then words, then characters, as long as something fails."""
    deadline = time.monotonic() + SHRINKING
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for lines in shorter(failure.lines):
            if time.monotonic() > deadline:
                return failure
            if smaller := first_failure(scenario, lines):
                failure, is_smaller = smaller, True
                break
    return failure


def shorter(lines: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the same lines with less in them."""
    for at in range(len(lines)):
        yield lines[:at] + lines[at + 1 :]
    for at, line in enumerate(lines):
        words = line.split(" ")
        for word in range(len(words)):
            yield (*lines[:at], " ".join(words[:word] + words[word + 1 :]), *lines[at + 1 :])
        for i in range(len(line)):
            yield (*lines[:at], line[:i] + line[i + 1 :], *lines[at + 1 :])


@contextmanager
def limited() -> Iterator[None]:
    """Have no more memory than so much, and end what hangs with a traceback."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf(
        "SC_PAGE_SIZE"
    )
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, before[1]))
    faulthandler.dump_traceback_later(3 * (SECONDS + SHRINKING), exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        resource.setrlimit(resource.RLIMIT_AS, before)


def walked(seed: int, cases: list[Scenario], seconds: float, most: int) -> None:
    """Type lines into sessions until the time is over, or so many sessions have been."""
    deadline, choose = time.monotonic() + seconds, random.Random(seed)
    for _ in range(most):
        scenario, typed = choose.choice(cases), []
        session = Session(scenario, history=5_000_000)
        interpreter, lines = Interpreter(session, Journal(session)), Lines(session, choose)
        for _ in range(30):
            if time.monotonic() > deadline:
                return
            typed.append(line := lines.line())
            if what := failure_of(line, session, interpreter):
                failure = Failure(tuple(typed), what)
                small = shrunk(scenario, first_failure(scenario, typed) or failure)
                pytest.fail(
                    f"{SEED}={seed}, {scenario.title}: {small.what}\n"
                    + "\n".join(map(repr, small.lines))
                )


@pytest.fixture(autouse=True)
def folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have sessions saved where nothing else is."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is limited as on Linux")
def test_whatever_is_typed_into_any_scenario_is_answered() -> None:
    cases = [built_in(name) for name in scenarios.names()]
    seed = int(os.environ.get(SEED, random.SystemRandom().randrange(10**6)))
    print(f"{SEED}={seed} types the same again")
    with limited():
        walked(seed, cases, SECONDS, 10**6)


def test_a_failure_is_found_and_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    execute = Interpreter.execute

    def wrong(self: Interpreter, text: str) -> object:
        if text.startswith("print") and "W" in text:
            raise KeyError("W")
        return execute(self, text)

    monkeypatch.setattr(Interpreter, "execute", wrong)
    with pytest.raises(pytest.fail.Exception, match=r"NNSTEP_SEED=9, .*: KeyError: 'W'\n'printW'$"):
        walked(9, [built_in("mazur")], 600, 100)
