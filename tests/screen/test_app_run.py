"""Running: paced or flat out, keys stay alive, and a paused run can be stepped on."""

import threading

import pytest
from building import network
from debugging import NARROW, app_of, debugger, place, said
from screen_text import screen_lines, until
from textual.pilot import Pilot

from nnstep.engine.driver import PACES, Driver
from nnstep.engine.scenario.model import Run
from nnstep.engine.session.going import Target
from nnstep.engine.session.session import Session
from nnstep.engine.stops.points import Stop


def driver(pilot: Pilot[None]) -> Driver:
    return debugger(pilot).driver


async def flat_out(pilot: Pilot[None]) -> None:
    await pilot.press(*["+"] * len(PACES))
    assert said(pilot) == "Speed: flat out"


async def test_space_runs_to_the_end() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await flat_out(pilot)
        await pilot.press("space")
        await until(pilot, lambda: not driver(pilot).is_busy)
        assert driver(pilot).snapshot.finished
        assert "end of the run" in screen_lines(pilot.app)[0]


@pytest.mark.slow
async def test_a_run_without_end_is_paused_and_stepped_on() -> None:
    async with app_of(network()).run_test(size=NARROW) as pilot:
        await flat_out(pilot)
        await pilot.press("space")
        await until(pilot, lambda: place(pilot) > 1000)
        assert "flat out" in screen_lines(pilot.app)[0]
        assert " of " not in screen_lines(pilot.app)[0]
        await pilot.press("space")
        await until(pilot, lambda: not driver(pilot).is_busy)
        assert "flat out" not in screen_lines(pilot.app)[0]
        paused = place(pilot)
        await pilot.press("s")
        assert place(pilot) == paused + 1


async def test_ctrl_c_pauses_a_run_and_does_not_quit() -> None:
    async with app_of(network()).run_test(size=NARROW) as pilot:
        await pilot.press("space", "ctrl+c")
        await until(pilot, lambda: not driver(pilot).is_busy)
        assert pilot.app.is_running


@pytest.mark.slow
async def test_a_step_during_a_run_stops_it_first() -> None:
    async with app_of(network()).run_test(size=NARROW) as pilot:
        await flat_out(pilot)
        await pilot.press("space")
        await until(pilot, lambda: place(pilot) > 0)
        await pilot.press("i")
        await until(pilot, lambda: not driver(pilot).is_busy)
        assert driver(pilot).snapshot.position == 0


async def test_a_paced_run_moves_line_by_line() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        seen = set()
        show = driver(pilot)._changed

        def watched() -> None:
            seen.add(place(pilot))
            show()

        driver(pilot)._changed = watched
        await pilot.press("space")
        await until(pilot, lambda: place(pilot) >= 4)
        assert "running, 10 ops/s" in screen_lines(pilot.app)[0]
        await pilot.press("space")
        assert {1, 2, 3, 4} <= seen


async def test_the_speed_changes_during_a_run() -> None:
    async with app_of().run_test(size=NARROW) as pilot:
        await pilot.press(*["-"] * len(PACES))
        assert said(pilot) == "Speed: 1 op/s"
        await pilot.press("space")
        await flat_out(pilot)
        await until(pilot, lambda: driver(pilot).snapshot.finished)


async def test_keys_are_alive_while_an_instruction_takes_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, under_way = threading.Event(), threading.Event()
    advance = Session.advance

    def slow(self: Session, unit: Target, budget: float | None = None) -> Stop | None:
        if threading.current_thread() is not threading.main_thread():
            under_way.set()
            held.wait(10)
        return advance(self, unit, budget)

    monkeypatch.setattr(Session, "advance", slow)
    async with app_of(network()).run_test(size=NARROW) as pilot:
        await pilot.press("space")
        await until(pilot, under_way.is_set)
        await pilot.press("2", "down", "right")
        assert debugger(pilot).selected == ("W1", (1, 1))
        await pilot.press("s")
        held.set()
        await until(pilot, lambda: place(pilot) == 2 and not driver(pilot).is_busy)
        held.clear()
        await pilot.press("space", "s", "s", "s", "space")
        held.set()
        await until(pilot, lambda: not driver(pilot).is_busy)
        assert place(pilot) == 3


async def test_a_long_unit_goes_on_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnstep.engine.driver.AT_ONCE", 1e-9)
    monkeypatch.setattr("nnstep.engine.driver.FRAME", 1e-9)
    async with app_of().run_test(size=NARROW) as pilot:
        await pilot.press("i", "s", "i")
        await until(pilot, lambda: place(pilot) == 36 and not driver(pilot).is_busy)


@pytest.mark.slow
async def test_restart_in_a_run_starts_again() -> None:
    async with app_of(network()).run_test(size=NARROW) as pilot:
        await flat_out(pilot)
        await pilot.press("space")
        await until(pilot, lambda: place(pilot) > 100)
        await pilot.press("r")
        await until(pilot, lambda: place(pilot) == 0)
        assert not driver(pilot).is_busy
        assert said(pilot) == "A run with seed 0, from the first step."


async def test_another_seed_is_another_run() -> None:
    async with app_of(network()).run_test(size=NARROW) as pilot:
        first = driver(pilot).snapshot.tensors["W1"]
        await pilot.press("i", "R")
        await until(pilot, lambda: place(pilot) == 0)
        assert said(pilot) == f"A run with seed {driver(pilot).seed}, from the first step."
        assert f"seed {driver(pilot).seed}" in screen_lines(pilot.app)[0]
        assert (driver(pilot).snapshot.tensors["W1"] != first).any()
        again = driver(pilot).snapshot.tensors["W1"]
        await pilot.press("i", "r")
        await until(pilot, lambda: place(pilot) == 0)
        assert (driver(pilot).snapshot.tensors["W1"] == again).all()


@pytest.mark.slow
async def test_quitting_in_a_run_leaves_nothing_running() -> None:
    async with app_of(network()).run_test(size=NARROW) as pilot:
        await flat_out(pilot)
        await pilot.press("space")
        await until(pilot, lambda: place(pilot) > 0)
        await pilot.press("q")
    assert pilot.app.return_code == 0


async def test_a_finished_run_of_a_bounded_length() -> None:
    async with app_of(network(run=Run(epochs=2))).run_test(size=NARROW) as pilot:
        await pilot.press("i", "i")
        assert driver(pilot).snapshot.finished
