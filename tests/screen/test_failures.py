"""Whatever raises, the app goes on, says so in a sentence, and keeps a traceback."""

import asyncio
import re
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from built_in import built_in
from debugging import NARROW, WIDE, app_of, debugger, place, said
from screen_text import screen_lines, screen_text, until
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.pilot import Pilot
from textual.widgets import Static

from nnstep.engine.session.session import Session
from nnstep.tui import failures
from nnstep.tui.app import NnstepApp
from nnstep.tui.debugger import Debugger
from nnstep.tui.failures import MOST_REPORTS, FailsafeApp, write_report
from nnstep.tui.gallery import Gallery
from nnstep.tui.panes.program import ProgramPane

SECRET = 0.123456789


@pytest.fixture(autouse=True)
def goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have failures caught, as they are outside of tests."""
    monkeypatch.delenv(failures.RAISE)


def broken(*_given: object, **_options: object) -> Any:
    secret = SECRET
    raise RuntimeError("as a test") from (ValueError("before") if secret else None)


def reports(folder: Path) -> list[Path]:
    return sorted((folder / "nnstep" / "failures").glob("*"))


def toasts(pilot: Pilot[None]) -> list[str]:
    return [notification.message for notification in pilot.app._notifications]


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


async def test_a_key_that_raises(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    app = app_of()
    async with app.run_test(size=NARROW) as pilot:
        await pilot.press("s")
        with monkeypatch.context() as patch:
            patch.setattr(Debugger, "action_zoom", broken)
            await pilot.press("z")
        (report,) = reports(state)
        assert said(pilot) == (
            "The key z failed (RuntimeError: as a test); the session is kept, "
            f"and {report} has its traceback."
        )
        await pilot.press("s")
        assert place(pilot) == 2
    assert app.return_code is None
    assert app.last_words == ""


async def test_a_screen_whose_handler_raises(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    app = app_of()
    async with app.run_test(size=NARROW) as pilot:
        with monkeypatch.context() as patch:
            patch.setattr(Debugger, "on_descendant_focus", broken)
            await pilot.press("tab")
            await until(pilot, lambda: "failed (RuntimeError: as a test)" in said(pilot))
        await pilot.press("s")
        await until(pilot, lambda: place(pilot) == 1)
        await pilot.press("tab")
        await until(pilot, lambda: debugger(pilot).focused is debugger(pilot).stage.focus)
    assert app.last_words == ""


async def test_the_report_has_the_traceback_and_no_values(state: Path) -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        pilot.app.call_later(broken)
        await until(pilot, lambda: "failed" in said(pilot))
    (report,) = reports(state)
    text = report.read_text()
    assert re.match(r"nnstep [\d.]+, textual [\d.]+, numpy [\d.]+, Python [\d.]+, ", text)
    assert "ValueError: before" in text
    assert "in broken" in text
    assert "RuntimeError: as a test" in text
    assert str(SECRET) not in text
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert stat.S_IMODE(report.parent.stat().st_mode) == 0o700


async def test_a_command_that_raises(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    monkeypatch.setattr(Session, "verify", broken)
    async with app_of().run_test(size=NARROW, notifications=True) as pilot:
        await pilot.press("s", "colon", *"verify", "enter")
        await until(pilot, lambda: bool(toasts(pilot)))
        (report,) = reports(state)
        assert toasts(pilot) == [
            "The command 'verify' failed (RuntimeError: as a test); the session is kept, "
            f"and {report} has its traceback."
        ]
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, Debugger))
        await pilot.press("s")
        assert place(pilot) == 2


async def test_a_worker_that_raises(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    monkeypatch.setattr(Session, "verify", broken)
    async with app_of().run_test(size=NARROW) as pilot:
        await pilot.press("s", "v")
        await until(pilot, lambda: "failed (RuntimeError: as a test)" in said(pilot))
        await pilot.press("s")
        await until(pilot, lambda: place(pilot) == 2)
        assert "computing" not in screen_text(pilot.app)


async def test_a_run_that_raises(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        with monkeypatch.context() as patch:
            patch.setattr(Session, "advance", broken)
            await pilot.press("space")
            await until(pilot, lambda: "failed (RuntimeError: as a test)" in said(pilot))
        assert "running" not in screen_lines(pilot.app)[0]
        await pilot.press("s")
        await until(pilot, lambda: place(pilot) == 1)


async def test_a_thread_that_raises(state: Path) -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        thread = threading.Thread(target=broken)
        thread.start()
        thread.join()
        await until(pilot, lambda: "failed (RuntimeError: as a test)" in said(pilot))
        await pilot.press("s")
        assert place(pilot) == 1


def once(original: Callable[..., Any]) -> Callable[..., Any]:
    """Raise the first time, and do as one should from then on."""
    calls: Iterator[Callable[..., Any]] = iter([broken])
    return lambda *given, **options: next(calls, original)(*given, **options)


async def test_a_pane_that_cannot_paint_once(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    async with app_of().run_test(size=WIDE) as pilot:
        monkeypatch.setattr(ProgramPane, "paint", once(ProgramPane.paint))
        await pilot.press("s")
        assert "Drawing the pane program failed (RuntimeError: as a test)" in said(pilot)
        assert "This cannot be drawn." in screen_text(pilot.app)
        await pilot.press("s")
        assert "This cannot be drawn." not in screen_text(pilot.app)
        assert "▶" in screen_text(pilot.app)
        assert place(pilot) == 2


@pytest.mark.slow
async def test_a_pane_that_can_never_paint(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    monkeypatch.setattr(ProgramPane, "paint", broken)
    app = app_of()
    async with app.run_test(size=WIDE) as pilot:
        for count in range(1, 15):
            await pilot.press("s", "z", "z")
            assert place(pilot) == count
        assert "This cannot be drawn." in screen_text(pilot.app)
        assert "step 14 of" in screen_lines(pilot.app)[0]
        await pilot.resize_terminal(*NARROW)
        await pilot.press("s")
        assert "step 15 of" in screen_lines(pilot.app)[0]
    assert app.last_words == ""


async def ended(app: FailsafeApp) -> None:
    """Wait for the app to end by itself; a pilot would have it draw."""
    async with asyncio.timeout(20):
        while app.return_code is None:
            await asyncio.sleep(0.01)


class Undrawable(Static):
    """A widget that cannot be drawn, as often as it is told to."""

    left = 0

    def render(self) -> Any:
        if self.left:
            self.left -= 1
            broken()
        return "drawn"


class Undrawn(FailsafeApp):
    """An app with such a widget, and a key."""

    BINDINGS: ClassVar[list[BindingType]] = [("s", "step", "Step")]
    steps = 0

    def compose(self) -> ComposeResult:
        yield Undrawable()

    def action_step(self) -> None:
        self.steps += 1


async def test_a_screen_that_cannot_be_drawn_once(state: Path) -> None:
    app = Undrawn()
    async with app.run_test(size=NARROW, notifications=True) as pilot:
        widget = app.query_one(Undrawable)
        widget.left = 1
        widget.refresh()
        await until(pilot, lambda: "Drawing the screen failed" in screen_text(app))
        await pilot.press("s")
        assert app.steps == 1
        assert "drawn" in screen_text(app)
    assert app.last_words == ""


async def test_a_screen_that_can_never_be_drawn_ends_the_app(state: Path) -> None:
    app = Undrawn()
    async with app.run_test(size=NARROW):
        widget = app.query_one(Undrawable)
        widget.left = 10**9
        widget.refresh()
        await ended(app)
    assert app.return_code == 1
    told = r"nnstep cannot go on\. Drawing the screen failed \(RuntimeError: as a test\), and (\S+)"
    words = re.match(told, app.last_words)
    assert words is not None
    assert "in broken" in Path(words[1]).read_text()


async def test_failures_without_end_end_the_app(state: Path) -> None:
    def again() -> None:
        app.call_later(again)
        broken()

    app = app_of()
    async with app.run_test(size=NARROW):
        app.call_later(again)
        await ended(app)
    assert "cannot go on. Something failed" in app.last_words


async def test_two_failures_in_a_row_are_both_told(
    monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    def other(_debugger: Debugger) -> None:
        raise ValueError("another")

    async with app_of().run_test(size=NARROW) as pilot:
        monkeypatch.setattr(Debugger, "action_zoom", broken)
        monkeypatch.setattr(Debugger, "action_copy", other)
        await pilot.press("s")  # what is mounted at the start is there, and both keys go one way
        await pilot.press("z")
        assert "RuntimeError" in said(pilot)
        await pilot.press("z")
        assert len(reports(state)) == 1, "the same failure needs no second file"
        await pilot.press("y")
        assert said(pilot).startswith("The key y failed (ValueError: another)")
        assert len(reports(state)) == 2
        await pilot.press("s")
        assert place(pilot) == 2


async def test_a_state_folder_that_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(Debugger, "action_zoom", broken)
    async with app_of(built_in("mazur")).run_test(size=WIDE) as pilot:
        await pilot.press("s")
        await until(pilot, lambda: "not saved" in screen_lines(pilot.app)[0])
        await pilot.press("z")
        assert said(pilot) == (
            "The key z failed (RuntimeError: as a test); the session goes on, "
            "and its traceback cannot be written (Not a directory)."
        )
        await pilot.press("s")
        assert place(pilot) == 2


async def test_without_a_session_none_is_kept(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    monkeypatch.setattr(NnstepApp, "action_help", broken)
    async with NnstepApp().run_test(size=WIDE, notifications=True) as pilot:
        await pilot.press("question_mark")
        (report,) = reports(state)
        assert toasts(pilot) == [
            f"The key ? failed (RuntimeError: as a test), and {report} has its traceback."
        ]
        assert isinstance(pilot.app.screen, Gallery)


def test_the_newest_reports_are_kept(tmp_path: Path) -> None:
    written = [write_report(f"{number}", tmp_path) for number in range(MOST_REPORTS + 5)]
    assert sorted(tmp_path.iterdir()) == sorted(written[5:])
    assert written[-1].read_text().endswith(f"\n\n{MOST_REPORTS + 4}")


async def test_in_tests_a_failure_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(failures.RAISE, "raise")
    monkeypatch.setattr(Debugger, "action_zoom", broken)
    with pytest.raises(RuntimeError, match="as a test"):
        async with app_of().run_test(size=NARROW) as pilot:
            await pilot.press("z")
