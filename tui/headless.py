"""`nnstep run`: the commands of the prompt without a screen, given beforehand or line by line."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from itertools import count
from pathlib import Path

import click
from msgspec import Struct

from nnstep.engine.commands.command import Answer
from nnstep.engine.commands.interpreter import Interpreter
from nnstep.engine.language.typed import TextError
from nnstep.engine.saving.journal import Journal, without_comment
from nnstep.engine.saving.recovery import PATIENCE, Keeping, Taken, find_offer
from nnstep.engine.session.session import Session
from nnstep.engine.text import printable

# The exit statuses; the last one is what shells give to a program that Ctrl+C has ended.
DONE, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

PROMPT = "(nnstep) "


class _Line(Struct, frozen=True):
    """A command to execute; `place` is where it stands: `command 2` or `session.txt:7`."""

    text: str
    place: str
    is_in_file: bool = False

    def said_of(self, error: TextError) -> str:
        """Return the message about a mistake in it."""
        if self.is_in_file and error.start is not None:
            return f"{self.place}:{error.start + 1}: {error.message}"
        return f"{self.place}: {error}"


def run(
    session: Session,
    journal: Journal,
    *,
    commands: Sequence[str] = (),
    script: str | None = None,
    plain: bool = False,
    taken: Taken | None = None,
) -> int:
    """Execute the commands of a file, then `commands`, then (if `plain`) those that are typed.

    The first of those given beforehand that fails ends it. Without any of the three, run to the end
    or to the first stop. A session that is typed to is kept as it is in the app; `taken` is the
    leftover that it goes on in. Returns the exit status.
    """
    try:
        lines = _in_file(script) if script is not None else []
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        name = printable(str(script)) or "''"
        return _fail(f"{name}: the commands cannot be read: {reason}", WRONG_USE)
    lines += (_Line(text, f"command {n}") for n, text in enumerate(commands, 1))
    keeping = Keeping(journal, session.scenario, taken=taken) if plain else None
    worked = _Worked(session, Interpreter(session, keeping or journal), keeping)
    is_typed = plain and _is_interactive()
    try:
        if script is None and not commands and not plain:
            return _run_to_the_end(worked)
        status = _execute_all(worked, lines)
        if status is None and plain:
            session.question.narrates = True
            status = _prompt(worked) if is_typed else _execute_piped(worked)
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        if keeping:
            keeping.end(keep=False, edits=is_typed)
    return DONE if status is None else status


class _Worked(Struct, frozen=True):
    """A session, what executes its commands, and what keeps it, if anything does."""

    session: Session
    interpreter: Interpreter
    keeping: Keeping | None


def _in_file(path: str) -> list[_Line]:
    """Read a file of commands, one a line."""
    texts = Path(path).read_text(encoding="utf-8-sig").split("\n")
    places = (f"{printable(path)}:{n}" for n in count(1))
    return [_Line(without_comment(text), next(places), True) for text in texts]


def _run_to_the_end(worked: _Worked) -> int:
    if worked.session.total is None:
        return _fail("this run has no end: say --iterations N, or give commands", WRONG_USE)
    answer = _execute(worked, "run")
    if answer.interrupted:
        return INTERRUPTED
    return FAILED if answer.stop and answer.stop.kind == "fault" else DONE


def _execute_all(worked: _Worked, lines: Iterable[_Line], goes_on: bool = False) -> int | None:
    """Execute commands until one fails, or all of them if it `goes_on`.

    Returns the exit status, None if that is not settled yet: all succeeded, and none was to quit.
    """
    status = None
    for line in lines:
        try:
            answer = _execute(worked, line.text)
        except TextError as error:
            status = _fail(line.said_of(error))
            if not goes_on:
                return status
        else:
            if answer.interrupted:
                return INTERRUPTED
            if answer.quit:
                return status or DONE
    return status


def _execute(worked: _Worked, text: str) -> Answer:
    """Execute a command and print its answer; Ctrl+C interrupts it, and it answers all the same."""
    session, keeping = worked.session, worked.keeping
    with _on_interrupt(session.interrupt), _progress(session, shown=keeping is None):
        answer = worked.interpreter.execute(text)
        if keeping:
            _write(session, keeping)
    if answer.lines:
        click.echo("\n".join(answer.lines))
    return answer


def _write(session: Session, keeping: Keeping) -> None:
    """Have what was done written before it is said, but wait for no disk that does not answer."""
    before = keeping.problem
    keeping.note(session)
    written = keeping.write_all()
    if not before:
        with suppress(TimeoutError):
            written.result(PATIENCE)
    if keeping.problem not in ("", before):
        click.echo(keeping.problem, err=True)


@contextmanager
def interrupted() -> Iterator[Callable[[], bool]]:
    """Have Ctrl+C noted, and give what tells whether it was pressed."""
    pressed = threading.Event()
    with _on_interrupt(pressed.set):
        yield pressed.is_set


@contextmanager
def _on_interrupt(interrupt: Callable[[], None]) -> Iterator[None]:
    """Have Ctrl+C interrupt what is being done, if it may end this program at all."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda number, frame: interrupt())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_SILENT, _OFTEN = 0.5, 0.1  # seconds before the first word, and between the words


@contextmanager
def _progress(session: Session, *, shown: bool) -> Iterator[None]:
    """Say on a terminal how far a run is, on one line that is wiped at the end."""
    if not shown or sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    done = threading.Event()

    def tell() -> None:
        written = 0
        wait = _SILENT
        while not done.wait(wait):
            line = _how_far(session)
            click.echo(f"\r{line:<{written}}", err=True, nl=False)
            written, wait = len(line), _OFTEN
        if written:
            click.echo(f"\r{'':<{written}}\r", err=True, nl=False)

    telling = threading.Thread(target=tell, daemon=True)
    telling.start()
    try:
        yield
    finally:
        done.set()
        telling.join()


def _how_far(session: Session) -> str:
    """Return which iteration is being run, and how much of the run is done if it has an end."""
    place, total = session.place, session.total
    iteration = f"iteration {session.clock.iteration(place):,}"
    return iteration if not total else f"{iteration}, {place / total:.0%} done"


def _fail(message: str, status: int = FAILED) -> int:
    click.echo(message, err=True)
    return status


# Line by line


def _is_interactive() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def _execute_piped(worked: _Worked) -> int | None:
    """Execute the lines of stdin; what is no text comes out escaped, and is no command."""
    if sys.stdin is None:
        return DONE
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="backslashreplace")
    lines = (_Line(text, f"line {number}") for number, text in enumerate(sys.stdin, 1))
    return _execute_all(worked, lines, goes_on=True)


def _prompt(worked: _Worked) -> int:
    """Ask for commands on a terminal until there are no more, in plain text."""
    session = worked.session
    _edit_lines(session)
    click.echo(printable(session.scenario.title))
    if session.place == 0 and (offer := find_offer(session.scenario)):
        click.echo(printable(offer.offer(f"nnstep run {offer.path} --plain")))
    _execute(worked, "where")
    click.echo("Type help for the commands, and quit to end.")
    while True:
        try:
            answer = _execute(worked, input(PROMPT))
        except TextError as error:
            click.echo(str(error), err=True)
        except KeyboardInterrupt:
            click.echo()
        except EOFError:
            click.echo()
            return DONE
        else:
            if answer.quit:
                return DONE


def _edit_lines(session: Session) -> None:
    """Have `input` edit lines, remember them, and complete names, if there is Readline for it.

    Readline is told that the terminal is a dumb one, so that it sends no escape sequences.
    """
    os.environ["TERM"] = "dumb"
    try:
        import readline
    except ImportError:
        return
    from nnstep.engine.commands.interpreter import complete, completed

    def candidate(_: str, number: int) -> str | None:
        line = readline.get_line_buffer()[: readline.get_endidx()]
        words = complete(line, session)
        start = readline.get_begidx()
        return completed(line, words[number])[start:] if number < len(words) else None

    readline.set_completer(candidate)
    readline.set_completer_delims(" \t")
    for setting in ("enable-bracketed-paste", "colored-stats", "colored-completion-prefix"):
        readline.parse_and_bind(f"set {setting} off")
    readline.parse_and_bind("tab: complete")
