"""What is written to the terminal or a pipe: in UTF-8, and without a word when nobody reads on."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper

import click

from .meant import shown


def speak_utf8() -> None:
    """Write UTF-8 whatever the locale: nearly every terminal reads it, and frames are drawn in it.

    Textual draws on stderr, and decodes what is typed as UTF-8 itself.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8")


@contextmanager
def quiet_when_closed() -> Iterator[None]:
    """End without a word when the reader of the output has seen enough."""
    try:
        yield
    except BrokenPipeError:
        _discard_output()
        sys.exit(0)
    except OSError as error:
        reason = error.strerror or error
        if error.filename is None:
            _discard_output()
            click.echo(f"the output is not complete: {reason}", err=True)
        else:  # the output has no name; this is of a file
            click.echo(f"{shown(error.filename)}: {reason}", err=True)
        sys.exit(1)


def _discard_output() -> None:
    """Send what is left in stdout's buffer nowhere: Python flushes it once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
