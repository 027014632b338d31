"""A failure of the program ends neither the app nor the session in it.

Whatever a key, a command, a worker or a pane raises comes here. It is said in a sentence, the
traceback goes into a file that the sentence names, and the app goes on. Where it cannot go on, it
ends in order, and `last_words` says where the session is.

Textual ends an app at the first exception: it leaves the loop of the widget, screen or app that
raised, and nothing can start that again. So exceptions are caught one step below that loop, where
a message is handed over.
"""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from textual import events
from textual.app import App
from textual.dom import DOMNode
from textual.drivers._writer_thread import WriterThread
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget
from textual.worker import WorkerFailed

from nnstep.engine.text import printable

RAISE = "NNSTEP_FAILURES"
"""With `raise` in this variable, a failure ends the app with its traceback: for tests."""

MOST_REPORTS = 20
"""So many tracebacks are kept; the oldest go."""

MOST_UNDRAWN = 3
"""So many attempts to draw the screen may fail in a row, before the app ends."""

MOST_IN_A_ROW = 10
"""So many failures may come without a key or a click in between, before the app ends."""

_MOST_TOLD = 40

# What Textual, or a screen of ours, is in while it draws.
_DRAWING = ("_compositor_refresh", "_refresh_layout", "_display", "_send")


def raises() -> bool:
    """Tell whether a failure ends the app."""
    return os.environ.get(RAISE) == "raise"


class FailsafeApp(App[None], inherit_bindings=False):
    """An app that goes on, whatever its parts raise."""

    def __init__(self) -> None:
        super().__init__()
        self._in_a_row = self._undrawn = 0
        self._is_telling = False
        self._reports: dict[str, Path] = {}
        self._ended_by = ""
        self._where: Callable[[], str] = str
        self._hook = threading.excepthook

    # What an app says of its session

    @property
    def kept(self) -> str:
        """The part of a sentence that says that the session is kept; empty without a session."""
        return ""

    def where_kept(self) -> Callable[[], str]:
        """Return what tells, once the app has ended, where the session is."""
        return str

    def say_failure(self, sentence: str) -> None:
        """Show a sentence about a failure."""
        self.notify(sentence, severity="error", markup=False)

    @property
    def last_words(self) -> str:
        """Why the app could not go on, and where the session is; empty if somebody quit."""
        return "\n\n".join(filter(None, (self._ended_by, self._where()))) if self._ended_by else ""

    # Where exceptions arrive

    async def _dispatch_message(self, message: Message) -> None:
        if isinstance(message, events.InputEvent):
            self._in_a_row = 0
        await self._guarded(super()._dispatch_message, message)

    def _register_child(
        self, parent: DOMNode, child: Widget, before: int | None, after: int | None
    ) -> None:
        self._guard(child)
        super()._register_child(parent, child, before, after)

    def _start_widget(self, parent: Widget, widget: Widget) -> None:
        self._guard(widget)
        super()._start_widget(parent, widget)

    def _guard(self, widget: Widget) -> None:
        """Have a widget, or a screen, go on when one of its handlers raises."""
        guarded = partial(self._guarded, widget._dispatch_message)
        widget._dispatch_message = guarded  # type: ignore[method-assign] # also Textual's own

    async def _guarded(
        self, dispatch: Callable[[Message], Awaitable[None]], message: Message
    ) -> None:
        try:
            await dispatch(message)
        except Exception as error:
            if raises():
                raise
            self.fail(error, _cause(message))

    def _handle_exception(self, error: Exception) -> None:
        """Take what Textual has caught itself: from workers, timers, callbacks and drawing."""
        if raises():
            super()._handle_exception(error)
        elif isinstance(error, WorkerFailed):
            self.fail(error.error, "What was going on")
        else:
            self.fail(error)

    def panic(self, *renderables: RenderableType) -> None:
        """End the app: the thread that reads keys has ended."""
        if raises():
            super().panic(*renderables)
        else:
            self._give_up("Reading the keys failed", _as_text(renderables))

    def on_load(self) -> None:
        """Take what threads raise, and what tasks raise that nobody waits for."""
        if not raises():
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(self._task_failed)
            threading.excepthook = partial(self._thread_failed, loop)

    def on_unmount(self) -> None:
        """Leave threads as they were found."""
        threading.excepthook = self._hook

    def _task_failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception):
            self.fail(error, "What was going on")

    def _thread_failed(
        self, loop: asyncio.AbstractEventLoop, ended: threading.ExceptHookArgs
    ) -> None:
        """Take the end of a thread, on that thread.

        Without the one that writes to the terminal, the app would wait for it for ever, and leave
        the terminal as it is now. So it is told to end, and what it writes until then is written.
        """
        error, thread = ended.exc_value, ended.thread
        if isinstance(thread, WriterThread):
            text = _traceback(error)
            loop.call_soon_threadsafe(self._give_up, "Writing to the terminal failed", text)
            while (written := thread._queue.get()) is not None:
                with suppress(OSError, ValueError):
                    thread._file.write(written)
                    thread._file.flush()
        elif isinstance(error, Exception):
            loop.call_soon_threadsafe(self.fail, error, "What was going on")

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        """Send what was drawn, and so know that drawing goes well."""
        before = self._undrawn
        super()._display(screen, renderable)
        if self._undrawn == before:
            self._undrawn = 0

    # What becomes of them

    def fail(self, error: BaseException | None, what: str = "Something") -> None:
        """Say that something failed, keep its traceback, and go on if that is possible.

        The first note of the exception, if there is one, says better what it was.
        """
        self._in_a_row += 1
        if is_drawing := _is_of_drawing(error):
            self._undrawn += 1
            what = "Drawing the screen"
        told = f"{getattr(error, '__notes__', [what])[0]} failed ({_in_short(error)})"
        if not self.is_running or self._undrawn >= MOST_UNDRAWN or self._in_a_row > MOST_IN_A_ROW:
            self._give_up(told, _traceback(error))
            return
        if not self._is_telling:
            self._is_telling = True
            try:
                self.say_failure(f"{told}{self.kept}, and {self._reported(_traceback(error))}.")
            except Exception as worse:
                self._give_up(told, _traceback(worse))
            self._is_telling = False
        if is_drawing:
            self.call_later(self._draw_again)

    def _draw_again(self) -> None:
        self.screen.refresh(layout=True)

    def _give_up(self, told: str, traceback: str) -> None:
        """End the app in order; the first reason is the one that is told."""
        if not self._ended_by:
            self._where = self.where_kept()
            self._ended_by = f"nnstep cannot go on. {told}, and {self._reported(traceback)}."
        self.exit(return_code=1)

    def _reported(self, traceback: str) -> str:
        """Write a traceback into a file, unless it is in one; return where it is."""
        from nnstep.engine.saving.recovery import state_folder

        path = self._reports.get(traceback)
        if path is None or not path.exists():
            try:
                path = write_report(traceback, state_folder() / "failures")
            except (OSError, RuntimeError, ImportError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                return f"its traceback cannot be written ({printable(reason)})"
            self._reports[traceback] = path
        return f"{printable(_as_typed(path))} has its traceback"


def write_report(traceback: str, folder: Path) -> Path:
    """Write a traceback into a new file that only its owner can read; return its path.

    Raise `OSError` if that cannot be.
    """
    import platform
    import time
    from importlib.metadata import version

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    packages = [f"{name} {version(name)}" for name in ("nnstep", "textual", "numpy")]
    about = ", ".join([*packages, f"Python {platform.python_version()}", platform.platform()])
    stem = time.strftime("%Y-%m-%d-%H%M%S")
    for number in count(1):
        path = folder / (f"{stem}.txt" if number == 1 else f"{stem}-{number}.txt")
        with suppress(FileExistsError):
            path.touch(mode=0o600, exist_ok=False)
            break
    path.write_text(f"{about}\n\n{traceback}", encoding="utf-8", errors="backslashreplace")
    oldest_first = sorted(folder.glob("*.txt"), key=lambda each: each.stat().st_mtime_ns)
    for old in oldest_first[:-MOST_REPORTS]:
        old.unlink(missing_ok=True)
    return path


def _cause(message: Message) -> str:
    """Return what somebody has done that a message comes from."""
    if not isinstance(message, events.Key):
        return "Something"
    typed = message.character if message.is_printable else None
    return f"The key {(typed or '').strip() or message.key}"


def _as_typed(path: Path) -> str:
    """Return a path as short as it can be typed."""
    with suppress(RuntimeError, ValueError):
        return f"~/{path.relative_to(Path.home())}"
    return str(path)


def _in_short(error: BaseException | None) -> str:
    """Return an exception in a few words."""
    message = printable(str(error)).strip()
    if len(message) > _MOST_TOLD:
        message = message[: _MOST_TOLD - 1] + "…"
    name = type(error).__name__
    return f"{name}: {message}" if message else name


def _traceback(error: BaseException | None) -> str:
    """Return where an exception comes from: lines of code, and no values of variables."""
    import traceback

    return "".join(traceback.format_exception(error))


def _as_text(renderables: tuple[RenderableType, ...]) -> str:
    """Return as plain text what Rich would show."""
    from io import StringIO

    from rich.console import Console

    console = Console(file=StringIO(), width=100, color_system=None)
    console.print(*renderables)
    return console.file.getvalue()  # type: ignore[attr-defined]


def _is_of_drawing(error: BaseException | None) -> bool:
    """Tell whether an exception was raised in drawing the screen."""
    trace = error.__traceback__ if error else None
    while trace is not None:
        if trace.tb_frame.f_code.co_name in _DRAWING:
            return True
        trace = trace.tb_next
    return False
