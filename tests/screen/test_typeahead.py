"""What is typed ahead is kept, in order, and Esc, Ctrl+C and q do not wait for it."""

import asyncio

import pytest
from built_in import built_in
from debugging import NARROW, app_of, debugger, place, said
from screen_text import screen_text, until
from textual import events
from textual.geometry import Offset
from textual.pilot import Pilot
from textual.widgets import Input
from typing_ahead import key, send

from nnstep.engine.commands.command import Answer
from nnstep.engine.driver import Driver
from nnstep.tui.app import NnstepApp
from nnstep.tui.debugger import Debugger
from nnstep.tui.dialogs import EditValue, Report
from nnstep.tui.gallery import Choices, Gallery
from nnstep.tui.overlay import MOST_TYPED, Palette
from nnstep.tui.panes.program import ProgramPane
from nnstep.tui.prompt import Prompt
from nnstep.tui.typeahead import PATIENCE, EscapedKey


def mazur() -> NnstepApp:
    return app_of(built_in("mazur"))


def at(pilot: Pilot[None], kind: type) -> bool:
    return isinstance(pilot.app.screen, kind)


async def quiet(pilot: Pilot[None]) -> None:
    """Wait until all that was typed is answered."""
    app = pilot.app
    assert isinstance(app, NnstepApp)
    await until(pilot, lambda: not app.is_behind and not app.is_held)


def shown_branch(pilot: Pilot[None]) -> str:
    return debugger(pilot).driver.snapshot.branch.name


def value(pilot: Pilot[None], name: str, *index: int) -> float:
    return float(debugger(pilot).driver.snapshot.tensors[name][index])


async def test_a_command_typed_with_its_enter_is_executed() -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        send(pilot, ":print lr\n")
        await until(pilot, lambda: at(pilot, Prompt) and "lr = 0.5" in screen_text(pilot.app))


async def test_a_value_typed_with_its_enter_is_put_in() -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        send(pilot, "2e0.33\n")
        await quiet(pilot)
        assert at(pilot, Debugger)
        assert value(pilot, "W1", 0, 0) == 0.33


async def test_ctrl_u_comes_in_order() -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        send(pilot, ":print W1", "<ctrl+u>", "print lr\n")
        await until(pilot, lambda: at(pilot, Prompt) and "lr = 0.5" in screen_text(pilot.app))


async def test_what_follows_the_enter_goes_on_to_the_panes() -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        send(pilot, ":goto 5\nss")
        await until(pilot, lambda: place(pilot) == 7)
        send(pilot, ":goto 900\nss:goto 3\n")
        await until(pilot, lambda: at(pilot, Debugger) and place(pilot) == 3)


async def test_a_pane_that_a_key_opens_answers_the_next_as_it_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("textual.screen.UPDATE_PERIOD", 0.2)  # on a busy machine it is so at times
    async with mazur().run_test(size=(120, 36)) as pilot:
        send(pilot, "ii:goto 3\n")
        await quiet(pilot)
        send(pilot, ":set W1[0, 0] = 0.5\n")
        await quiet(pilot)
        send(pilot, "<escape>")
        await quiet(pilot)
        assert at(pilot, Debugger)
        assert shown_branch(pilot) == "b1"
        pilot.app.screen._update_timer.reset()  # so that what is typed finds nothing drawn
        send(pilot, "t", "<up>", "\n")
        await until(pilot, lambda: shown_branch(pilot) == "main")


async def test_what_is_pasted_ahead_goes_into_the_prompt() -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        send(pilot, ":", events.Paste("print "), "lr\n")
        await until(pilot, lambda: at(pilot, Prompt) and "lr = 0.5" in screen_text(pilot.app))


async def test_what_is_typed_after_the_gallery_goes_to_the_scenario() -> None:
    async with NnstepApp().run_test(size=NARROW) as pilot:
        await until(pilot, lambda: at(pilot, Gallery))
        send(pilot, "\nss")
        await until(pilot, lambda: at(pilot, Debugger) and place(pilot) == 2)


@pytest.mark.parametrize("opens", ["e", ":"])
async def test_enter_twice_closes_once(opens: str) -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        send(pilot, f"2{opens}\n\n\n")
        await quiet(pilot)
        assert at(pilot, Debugger)


@pytest.mark.parametrize("opens", ["e", ":", "?", "o", ":help\n"])
async def test_a_screen_that_is_closed_twice_closes_once(opens: str) -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        send(pilot, f"2{opens}")
        await quiet(pilot)
        screen = pilot.app.screen
        assert not isinstance(screen, Debugger)
        screen.dismiss()
        screen.dismiss()
        await pilot.pause()
        assert at(pilot, Debugger)


async def test_a_result_that_comes_late_closes_its_own_screen() -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        send(pilot, ":")
        await quiet(pilot)
        prompt = pilot.app.screen
        assert isinstance(prompt, Prompt)
        await pilot.app.push_screen(Report("Above", ["a", "b"]))
        prompt.dismiss()
        await pilot.pause()
        assert at(pilot, Report)
        send(pilot, "<escape>")
        await until(pilot, lambda: at(pilot, Debugger))


async def test_a_cell_is_taken_when_its_command_runs() -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        send(pilot, "3ssC\n")
        await quiet(pilot)
        await until(pilot, lambda: not debugger(pilot).driver.is_busy)
        assert said(pilot) == "There is no value here yet."
        assert place(pilot) == 0


async def test_a_page_of_the_palette_before_it_has_any_lines() -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        send(pilot, "<ctrl+p>", "n", "<pagedown>")
        await quiet(pilot)
        assert at(pilot, Palette)
        await until(pilot, lambda: "Next pane" in screen_text(pilot.app))
        send(pilot, "<escape>")
        await until(pilot, lambda: at(pilot, Debugger))


async def test_a_search_of_the_palette_that_ends_once_its_list_has_gone() -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: at(pilot, Palette))
        palette = pilot.app.screen
        assert isinstance(palette, Palette)
        await palette.remove_children()
        palette._list_visible = not palette._list_visible


async def test_a_page_of_the_gallery_before_it_has_any_lines() -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        send(pilot, "o")
        await until(pilot, lambda: at(pilot, Gallery))
        choices = Choices(*"abc")
        choices.highlighted = 0
        choices.action_page_up()  # type: ignore[no-untyped-call]
        choices.action_page_down()  # type: ignore[no-untyped-call]
        send(pilot, "<pageup>", "<escape>")
        await until(pilot, lambda: at(pilot, Debugger))


async def test_what_is_pasted_into_a_pane_is_dropped() -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        send(pilot, events.Paste("q:quit\n" * 5000))
        await quiet(pilot)
        assert at(pilot, Debugger)
        assert place(pilot) == 0
        send(pilot, "s")
        await until(pilot, lambda: place(pilot) == 1)


class Endless:
    """A command of the driver that ends only when it is paused."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
        self.interrupted = False
        self._line, self._done = line, asyncio.get_running_loop().create_future()
        do, pause = Driver.do, Driver.pause

        def begun(driver: Driver, text: str, *given: object, **options: object) -> object:
            return self._done if text == line else do(driver, text, *given, **options)  # type: ignore[arg-type]

        def paused(driver: Driver) -> None:
            self.interrupted = True
            if not self._done.done():
                self._done.set_result(Answer(()))
            pause(driver)

        monkeypatch.setattr(Driver, "do", begun)
        monkeypatch.setattr(Driver, "pause", paused)


@pytest.mark.parametrize("stops", ["<escape>", "<ctrl+c>"])
async def test_what_is_typed_waits_for_a_command_and_escape_interrupts_it(
    monkeypatch: pytest.MonkeyPatch, stops: str
) -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        endless = Endless(monkeypatch, "verify")
        send(pilot, ":verify\n")
        await until(pilot, lambda: "Working" in screen_text(pilot.app))
        send(pilot, "ss", stops)
        await until(pilot, lambda: "Working" not in screen_text(pilot.app))
        await quiet(pilot)
        assert endless.interrupted
        assert pilot.app.screen.query_one(Input).value == "", "what was typed before is given up"


async def test_without_an_interruption_it_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        endless = Endless(monkeypatch, "verify")
        send(pilot, ":verify\nss")
        await until(pilot, lambda: "Working" in screen_text(pilot.app))
        await pilot.pause()
        assert place_of(pilot) == 0
        assert not endless._done.done()
        endless._done.set_result(Answer((), moved=True))
        await until(pilot, lambda: at(pilot, Debugger) and place(pilot) == 2)


def place_of(pilot: Pilot[None]) -> int:
    (screen,) = (each for each in pilot.app.screen_stack if isinstance(each, Debugger))
    return screen.driver.snapshot.place


async def test_q_is_not_kept_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    app = mazur()
    async with app.run_test(size=NARROW) as pilot:
        app.hold(app.run_worker(asyncio.sleep(3600)))
        send(pilot, "s" * 3000, "q")
        await until(pilot, lambda: app._exit)
        assert place_of(pilot) < 3000


async def test_q_has_waited_since_it_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnstep.tui.typeahead.PATIENCE", 10_000.0)
    app = mazur()
    async with app.run_test(size=NARROW) as pilot:
        app.hold(app.run_worker(asyncio.sleep(3600)))
        quits = key("q")
        quits.time -= 10_000
        send(pilot, "sss", quits)
        await until(pilot, lambda: app._exit)


async def test_q_is_a_letter_where_one_is_asked_for() -> None:
    app = mazur()
    async with app.run_test(size=NARROW) as pilot:
        holds = app.run_worker(asyncio.sleep(3600))
        app.hold(holds)
        send(pilot, "s:q")
        await pilot.pause(PATIENCE + 0.2)
        assert not app._exit
        holds.cancel()
        await until(pilot, lambda: at(pilot, Prompt))
        await quiet(pilot)
        assert pilot.app.screen.query_one(Input).value == "q"


async def test_q_is_not_kept_waiting_behind_a_prompt_that_closes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nnstep.tui.typeahead.PATIENCE", 0.001)
    app = mazur()
    async with app.run_test(size=NARROW) as pilot:
        driver = debugger(pilot).driver
        with monkeypatch.context() as patched:
            endless = Endless(patched, "verify")
            send(pilot, ":verify\n", "s" * 200, "q")
            await until(pilot, lambda: "Working" in screen_text(app))
            await pilot.pause(0.05)
            assert not app._exit, "it could be a letter of the next command"
        endless._done.set_result(Answer((), moved=True))
        await until(pilot, lambda: app._exit)
        assert driver.snapshot.place < 200


@pytest.mark.parametrize("before", ["", "s", "sss"])
async def test_q_is_a_letter_while_the_prompt_opens(
    monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    monkeypatch.setattr("nnstep.tui.typeahead.PATIENCE", 0.001)
    app = mazur()
    async with app.run_test(size=NARROW) as pilot:
        send(pilot, f"{before}:q")
        await quiet(pilot)
        assert not app._exit
        assert pilot.app.screen.query_one(Input).value == "q"


async def test_an_editor_opens_once_a_run_has_ended_and_has_what_was_typed() -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        send(pilot, "2k ")
        await until(pilot, lambda: place(pilot) > 0)
        send(pilot, "e0.75\n")
        await quiet(pilot)
        await until(pilot, lambda: at(pilot, Debugger))
        assert not at(pilot, EditValue)
        assert value(pilot, "W1", 0, 0) == 0.75


async def test_words_are_passed_with_escape_and_a_letter_where_text_is_typed() -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        send(pilot, ":print lr")
        await quiet(pilot)
        asked = pilot.app.screen.query_one(Input)
        pilot.app.post_message(EscapedKey(key("b")))
        await until(pilot, lambda: asked.cursor_position == len("print "))
        assert asked.value == "print lr"


async def test_a_click_on_what_has_gone_and_is_drawn_still() -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        await quiet(pilot)
        pane = pilot.app.screen.query_one(ProgramPane)
        x, y = pane.region.offset + Offset(5, 3)
        parent, pane._parent = pane._parent, None
        await pilot.app.on_event(events.MouseDown(None, x, y, 0, 0, 1, False, False, False, x, y))
        pane._parent = parent
        await pilot.press("s")
        await until(pilot, lambda: place(pilot) == 1)


@pytest.mark.parametrize("opens", ["e", ":", "<ctrl+p>"])
async def test_a_line_has_an_end_and_what_is_left_out_is_said(opens: str) -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        send(pilot, "2", opens)
        await quiet(pilot)
        await until(pilot, lambda: bool(pilot.app.screen.query(Input)))
        field = pilot.app.screen.query_one(Input)
        before = field.value
        send(pilot, events.Paste("漢" * (MOST_TYPED + 1)))
        await quiet(pilot)
        assert field.value == before
        if opens != "<ctrl+p>":
            await until(pilot, lambda: "A line has at most 4,000" in screen_text(pilot.app))
        send(pilot, events.Paste("漢" * 100))
        await until(pilot, lambda: field.value.count("漢") == 100)


async def test_a_key_right_behind_a_click_is_about_the_cell_that_was_clicked() -> None:
    async with mazur().run_test(size=NARROW) as pilot:
        await pilot.press("s", "s")
        lines = screen_text(pilot.app).splitlines()
        y = next(y for y, line in enumerate(lines) if "0.2500" in line)
        x = lines[y].index("0.2500")
        clicks = [
            kind(None, x, y, 0, 0, 1, False, False, False, screen_x=x, screen_y=y)
            for kind in (events.MouseDown, events.MouseUp)
        ]
        send(pilot, *clicks, "w")
        await quiet(pilot)
        assert debugger(pilot).selected == ("W1", (1, 0))
        assert [each.text for each in debugger(pilot).driver.snapshot.watches] == ["W1[1, 0]"]
