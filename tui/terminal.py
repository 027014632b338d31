"""The terminal: whatever bytes come from it, reading goes on; and what is sent to it is short.

Textual's reader ends at a byte that is not UTF-8 and at reports that its parser does not expect.
"""

import asyncio
import codecs
import os
import re
import selectors
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import IO, Any

from textual._time import get_time
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.events import CursorPosition, Key, Resize
from textual.message import Message

from .styles_sent import shortened
from .typeahead import ESCAPE, EscapedKey

_MOST_CELLS = 1_000
"""Columns or lines that a report of the terminal's size is believed up to."""

PASTE_BEGINS, PASTE_ENDS = "\x1b[200~", "\x1b[201~"
_BEGUN = re.compile(r"\x1b(O[0-?]*|\[[0-?]*[ -/]*)?")
_FINAL = re.compile(r"[@-~]")
# A key of the Linux console, a click in the old form, and what follows Esc and another letter.
_GOES_ON = re.compile(r"\x1b\[[\[M]|\x1b[^\[]")
_LONGEST = 30
# What Esc may begin a sequence with; before anything else it is a key.
_BEGINNINGS = (ESCAPE, "[", "O")

_CHUNK = 4096


class SteadyParser:
    """Turns characters into Textual's events; a sequence that cannot be parsed is left out.

    Textual takes the characters of a sequence that it does not know for keys; here they are none.
    """

    def __init__(self) -> None:
        self._parser = XTermParser()
        self._sequence = ""
        self._pasting = False

    def feed(self, text: str) -> Iterator[Message]:
        """Yield the events of some characters, which may end within a sequence."""
        for character in text:
            if self._is_long_enough(character):
                continue
            if self._sequence == ESCAPE and not self._pasting and character not in _BEGINNINGS:
                self._begin_again()
                self._sequence = ""
                yield from map(_escaped, self._survived(self._parser.feed(character)))
                continue
            yield from self._survived(self._parser.feed(character))
            if self._ends_unknown_sequence(character):
                self._begin_again()

    def tick(self) -> Iterator[Message]:
        """Yield what is certain now that nothing has followed for a while, such as a bare Esc."""
        events = self._survived(self._parser.tick())
        is_key_after_escape = len(self._sequence) == len(ESCAPE) + 1
        yield from map(_escaped, events) if is_key_after_escape else events
        if self._parser._awaiting.timeout is None:
            self._sequence = ""

    @property
    def waits(self) -> float | None:
        """In how many seconds a `tick` makes something certain, None if there is nothing."""
        until = self._parser._timeout_time
        return None if until is None else max(0.0, until - get_time())

    def _survived(self, events: Iterable[Message]) -> Iterator[Message]:
        try:
            for event in events:
                if not (isinstance(event, Resize) and not _is_size(event)):
                    yield event
        except (ValueError, ArithmeticError, LookupError, TypeError, StopIteration, RuntimeError):
            self._begin_again()
        sizes = (self._parser.terminal_size, self._parser.terminal_pixel_size)
        if any(0 in tuple(size) for size in sizes if size is not None):
            # The mouse's place in cells would be divided by zero.
            self._parser.terminal_size = self._parser.terminal_pixel_size = None

    def _begin_again(self) -> None:
        """Forget the characters that stand for nothing yet."""
        known, self._parser = self._parser, XTermParser()
        self._parser.mouse_pixels = known.mouse_pixels
        self._parser.terminal_size = known.terminal_size
        self._parser.terminal_pixel_size = known.terminal_pixel_size

    def _is_long_enough(self, character: str) -> bool:
        """Tell whether a character belongs to a sequence longer than any that is known."""
        if self._pasting or len(self._sequence) < _LONGEST or character == ESCAPE:
            return False
        if len(self._sequence) == _LONGEST:
            self._begin_again()
        self._sequence += character
        if _FINAL.match(character):
            self._sequence = ""
        return True

    def _ends_unknown_sequence(self, character: str) -> bool:
        """Tell whether a character ends a control sequence, and Textual waits for more of it."""
        if character == ESCAPE:
            self._sequence = ESCAPE
            return False
        if not self._sequence:
            return False
        self._sequence += character
        if _BEGUN.fullmatch(self._sequence):
            return False
        ended, self._sequence = self._sequence, ""
        if ended in (PASTE_BEGINS, PASTE_ENDS):
            self._pasting = ended == PASTE_BEGINS
        waits = self._parser._awaiting.timeout is not None  # there is no public way to ask
        return waits and not self._pasting and not _GOES_ON.fullmatch(ended)


def _escaped(event: Message) -> Message:
    """Return a key as one that came right behind Esc."""
    return EscapedKey(event) if isinstance(event, Key) else event


def _is_size(event: Resize) -> bool:
    return 0 < event.size.width <= _MOST_CELLS and 0 < event.size.height <= _MOST_CELLS


# Signs that some terminals show two columns wide, written on a line of their own and taken away
# before anybody sees them; the terminal is asked where its cursor stood behind them. On the first
# line the answer could be a key: F3 with others.
_SIGNS = "●○▶▲▼‹≈×÷−→─│Σ∂σ√½⊙"
_ASKED_ON = 2
HOW_WIDE = f"\x1b[{_ASKED_ON};1H{_SIGNS}\x1b[6n\x1b[{_ASKED_ON};1H\x1b[2K"


def shows_signs_narrow(x: int) -> bool:
    """Tell whether a cursor in a column, from 0 on, says that the signs are one column wide."""
    return x == len(_SIGNS)


# So many seconds the thread that writes has for what is sent at once.
_TURN = 0.0005


class LastingFile:
    """A terminal's file: what is written to a terminal that has gone is lost, and no error.

    Textual's thread that writes would end with the error, and the app wait for ever for room in its
    queue.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> None:
        """Write a text."""
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        """Send what has been written."""
        with suppress(OSError):
            self._file.flush()

    def fileno(self) -> int:
        """Return the number of the file."""
        return self._file.fileno()


class SteadyDriver(LinuxDriver):
    """Textual's driver, with a reader that goes on after anything that it cannot read.

    What is read at once is handed over at once: the app works meanwhile, and has the interpreter
    after each hand-over for a while. The reader waits for the terminal, and for nothing else.

    It asks the terminal how wide it shows signs, if the app wants to know, and waits for no answer.
    """

    _is_asked = False
    # Whether what is sent is to be seen: nobody waits for the modes that the terminal is put into.
    _is_seen = False

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._file = LastingFile(self._file)  # type: ignore[assignment, arg-type]
        self._read: list[Message] = []
        # A byte in this pipe has the reader look whether it is to end.
        self._woken, self._wakes = os.pipe()

    def _sigcont_application(self, *_: object) -> None:
        """Take the terminal over again; one that hangs up sends this signal too, and has gone."""
        if os.isatty(self.fileno):
            super()._sigcont_application()

    def start_application_mode(self) -> None:
        """Take the terminal over, and ask it how wide it shows the signs if that is not known."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        has_room = self._get_terminal_size()[0] > 2 * len(_SIGNS)
        if has_room and getattr(self._app, "asks_how_wide_signs_are", False):
            self._is_asked = True
            self.write(HOW_WIDE)
        self._is_seen = True

    def process_message(self, message: Message) -> None:
        """Hand an event on, but the answer to what only the driver has asked."""
        if isinstance(message, CursorPosition) and self._is_asked and message.y == _ASKED_ON - 1:
            self._is_asked = False
            if not shows_signs_narrow(message.x):
                self._app.call_later(self._app.use_ascii)  # type: ignore[attr-defined]
            return
        super().process_message(message)

    def write(self, data: str) -> None:
        """Send data to the terminal, without styles that it has already."""
        super().write(shortened(data))

    def flush(self) -> None:
        """Let the thread that writes have its turn now: else it comes when this one rests.

        It needs the interpreter several times for what it sends at once, and to wake up for it.
        """
        super().flush()
        if self._is_seen:
            time.sleep(_TURN)

    def send_message(self, message: Message) -> None:
        """Keep an event until all that was read with it can be handed over."""
        self._read.append(message)

    def _hand_over(self) -> None:
        read, self._read = self._read, []
        if read:
            asyncio.run_coroutine_threadsafe(self._post(read), loop=self._loop)

    async def _post(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._app.post_message(message)

    def run_input_thread(self) -> None:
        """Read the terminal until told to end, and hand every event on."""
        parser = SteadyParser()
        decode = codecs.getincrementaldecoder("utf-8")("ignore").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                ready = [key.fd for key, _ in selector.select(parser.waits)]
                if self._woken in ready:
                    os.read(self._woken, 1)
                if self.fileno in ready:
                    if not (read := os.read(self.fileno, _CHUNK)):
                        self._app.call_later(self._app.exit, return_code=128 + signal.SIGHUP)
                        return  # the terminal has gone
                    for event in parser.feed(decode(read)):
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)
                self._hand_over()

    def disable_input(self) -> None:
        """Have the reader end, though nothing may come any more, and what is not read be lost."""
        if self._key_thread is not None and self._key_thread.is_alive():
            self.exit_event.set()
            os.write(self._wakes, b"\0")
            self._key_thread.join()
            self.exit_event.clear()
        super().disable_input()
