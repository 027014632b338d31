"""`nnstep run`: the commands of the prompt without a screen, given beforehand or line by line."""

import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

import click
from msgspec import Struct

from nnstep.engine.commands.command import Answer
from nnstep.engine.commands.interpreter import Interpreter
from nnstep.engine.language.typed import TextError
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
    *,
    commands: Sequence[str] = (),
    script: str | None = None,
    plain: bool = False,
) -> int:
    """Execute the commands of a file, then `commands`, then (if `plain`) those that are typed.

    The first of those given beforehand that fails ends it. Without any of the three, run to the end
    or to the first stop. Returns the exit status.
    """
    try:
        lines = _in_file(script) if script is not None else []
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        return _fail(f"{printable(str(script))}: the commands cannot be read: {reason}", WRONG_USE)
    lines += (_Line(text, f"command {n}") for n, text in enumerate(commands, 1))
    try:
        if script is None and not commands and not plain:
            return _run_to_the_end(session)
        status = _execute_all(session, lines)
        if status is None and plain:
            status = _prompt(session) if _is_interactive() else _execute_piped(session)
    except KeyboardInterrupt:
        return INTERRUPTED
    return DONE if status is None else status


def _in_file(path: str) -> list[_Line]:
    """Read a file of commands, one a line."""
    texts = Path(path).read_text(encoding="utf-8-sig").split("\n")
    return [_Line(text, f"{printable(path)}:{n}", True) for n, text in enumerate(texts, 1)]


def _run_to_the_end(session: Session) -> int:
    if session.total is None:
        return _fail("this run has no end: say --iterations N, or give commands", WRONG_USE)
    answer = _execute(session, "run")
    if answer.interrupted:
        return INTERRUPTED
    return FAILED if answer.stop and answer.stop.kind == "fault" else DONE


def _execute_all(session: Session, lines: Iterable[_Line], goes_on: bool = False) -> int | None:
    """Execute commands until one fails, or all of them if it `goes_on`.

    Returns the exit status, None if that is not settled yet: all succeeded, and none was to quit.
    """
    status = None
    for line in lines:
        try:
            answer = _execute(session, line.text)
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


def _execute(session: Session, text: str) -> Answer:
    """Execute a command and print its answer; Ctrl+C interrupts it, and it answers all the same."""
    with _interrupting(session):
        answer = Interpreter(session).execute(text)
    if answer.lines:
        click.echo("\n".join(answer.lines))
    return answer


@contextmanager
def _interrupting(session: Session) -> Iterator[None]:
    """Have Ctrl+C interrupt what the session is doing, if it may end this program at all."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda number, frame: session.interrupt())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _fail(message: str, status: int = FAILED) -> int:
    click.echo(message, err=True)
    return status


# Line by line


def _is_interactive() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def _execute_piped(session: Session) -> int | None:
    """Execute the lines of stdin; what is no text comes out escaped, and is no command."""
    if sys.stdin is None:
        return DONE
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="backslashreplace")
    lines = (_Line(text, f"line {number}") for number, text in enumerate(sys.stdin, 1))
    return _execute_all(session, lines, goes_on=True)


def _prompt(session: Session) -> int:
    """Ask for commands on a terminal until there are no more, in plain text."""
    _edit_lines(session)
    click.echo(printable(session.scenario.title))
    _execute(session, "where")
    click.echo("Type help for the commands, and quit to end.")
    while True:
        try:
            answer = _execute(session, input(PROMPT))
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
