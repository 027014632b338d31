"""The driver: one thing at a time, in order, at once or in the background, and none is lost."""

import asyncio
import gc
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from built_in import built_in
from commanding import give, small

from nnstep.engine import driver as driving
from nnstep.engine.commands.command import Answer
from nnstep.engine.commands.interpreter import COMMANDS, Interpreter
from nnstep.engine.driver import PACES, Driver
from nnstep.engine.language.typed import TextError, Typed
from nnstep.engine.session.going import Target
from nnstep.engine.session.session import Session
from nnstep.engine.stops.points import Stop
from nnstep.engine.turns import MOST_WAITING, Rest

LENGTH = len(small().program)


class Notes:
    """A journal that writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def before(self, session: Session) -> None:
        self.lines.append(f"at {session.place} of {session.newest}")

    def after(self, text: str, session: Session) -> None:
        self.lines.append(text)

    def write(self) -> None:
        pass

    @property
    def runs(self) -> dict[str, Callable[[Session, Typed], Answer]]:
        return {}


class Gate:
    """Holds an advance on another thread until it is opened."""

    def __init__(self) -> None:
        self.open, self.reached = threading.Event(), threading.Event()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    made, advance = Gate(), Session.advance

    def held(self: Session, target: Target, budget: float | None = None) -> Stop | None:
        if threading.current_thread() is not threading.main_thread():
            made.reached.set()
            made.open.wait(10)
        return advance(self, target, budget)

    monkeypatch.setattr(Session, "advance", held)
    yield made
    made.open.set()


async def reached(gate: Gate) -> None:
    while not gate.reached.is_set():
        await asyncio.sleep(0.001)


async def test_what_takes_no_time_is_done_when_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driving, "AT_ONCE", 3600.0)  # however busy the machine is
    driver = Driver(small())
    answer = driver.do("step 3")
    assert answer.done()
    assert driver.snapshot.place == 3
    assert not driver.is_busy
    assert (await answer).lines == give(small(), "step 3").lines


async def test_a_line_that_takes_long_is_done_on_another_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nnstep.engine.session.session.MAX_WORK_OF_A_LINE_AT_ONCE", 1)
    driver = Driver(small())
    step = driver.do("step")
    assert not step.done()
    await step
    assert driver.snapshot.place == 1
    await driver.do("back 1")
    assert driver.snapshot.place == 0


async def test_what_is_never_begun_leaves_no_warning_on_the_terminal() -> None:
    """A screen may close before it begins what it was told to."""
    gc.freeze()  # what is there already need not be looked through
    driver = Driver(small(), start=lambda rest: object())
    driver.do("verify")
    assert driver.is_busy
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        del driver
        gc.collect()
    assert [str(each.message) for each in given] == []


@pytest.mark.sweep(9)
@pytest.mark.parametrize(
    "command", [c.example for c in COMMANDS if not c.writes and ">" not in c.example]
)
async def test_a_line_does_the_same_as_it_does_without_a_loop(command: str) -> None:
    ones = ("step 100", "goto 20", "set W1[0, 0] = 1", "break dW2", "watch W1[0, 1]")
    session, other = small(), small()
    driver = Driver(session)
    for one in ones:
        await driver.do(one)
    give(other, *ones)
    try:
        expected = give(other, command)
    except TextError as error:
        with pytest.raises(TextError, match="^" + str(error)[:8]):
            await driver.do(command)
    else:
        answer = await driver.do(command)
        assert (answer.lines, answer.told) == (expected.lines, expected.told)
        assert driver.snapshot.place == other.place
        if answer.snapshot:
            assert driver.snapshot is answer.snapshot
    assert session.place == other.place


async def test_lines_come_in_order_and_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driving, "AT_ONCE", 1e-9)
    monkeypatch.setattr(driving, "FRAME", 1e-9)
    lines = ["step iteration", "step", "set lr = 0.2", "step layer", "undo", "redo", "who lr"]
    session, other = small(), small()
    driver = Driver(session)
    answers = [driver.do(line) for line in lines * 3]
    assert driver.is_busy
    told = [(await answer).told for answer in answers]
    assert told == [give(other, line).told for line in lines * 3]
    assert session.place == other.place
    await driver.settle()
    assert not driver.is_busy


async def test_a_look_that_a_change_waits_behind_is_not_given_up_for_it(
    monkeypatch: pytest.MonkeyPatch, gate: Gate
) -> None:
    stopping: list[bool] = []
    driver, last_change = Driver(small()), Session.last_change

    def watched(self: Session, *cell: Any) -> Any:
        stopping.append(driver.is_stopping)
        return last_change(self, *cell)

    monkeypatch.setattr(Session, "last_change", watched)
    monkeypatch.setattr(driving, "AT_ONCE", 0.0)
    lines = ("step iteration", "who lr", "set lr = 0.2", "who lr")
    answers = [driver.do(line) for line in lines]
    gate.open.set()
    assert ["Interrupted." in (await answer).lines for answer in answers] == [False] * 4
    assert stopping == [False, False]


async def test_a_look_is_given_up_for_a_change_that_comes_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    under_way = threading.Event()

    def endless(self: Session, *cell: Any) -> None:
        under_way.set()
        while not self.interrupted:
            time.sleep(0.001)

    monkeypatch.setattr(Session, "last_change", endless)
    driver = Driver(small())
    look = driver.do("who lr")
    while not under_way.is_set():
        await asyncio.sleep(0.001)
    change = driver.do("set lr = 0.2")
    assert (await look).interrupted
    assert (await change).told.startswith("lr = 0.2")


async def test_a_short_way_back_is_gone_at_once_though_its_passes_are_computed_again() -> None:
    session = Session(built_in("mazur"), iterations=2500)
    session.advance("run")
    driver, steps = Driver(session), len(session.program)
    for iteration in (1000, 17, 2161):
        assert driver.do(f"goto {iteration * steps + 3}").done()
        assert driver.snapshot.place == iteration * steps + 3


async def test_a_wrong_line_says_so_and_the_next_is_done(gate: Gate) -> None:
    driver = Driver(small())
    long, wrong, good = driver.do("run"), driver.do("undo"), driver.do("goto start")
    gate.open.set()
    await long
    with pytest.raises(TextError, match="no edit to undo"):
        await wrong
    await good
    assert driver.snapshot.place == 0


async def test_a_key_held_down_does_not_pile_up(
    monkeypatch: pytest.MonkeyPatch, gate: Gate
) -> None:
    monkeypatch.setattr(driving, "AT_ONCE", 0.0)
    driver = Driver(small())
    answers = [driver.do("step iteration") for _ in range(100)]
    gate.open.set()
    for answer in answers:
        await answer
    await driver.settle()
    assert driver.snapshot.place == (1 + MOST_WAITING) * LENGTH


async def test_a_change_ends_a_run_without_end_and_a_move_waits(gate: Gate) -> None:
    driver = Driver(small(None))
    await driver.do("break L if iteration == 900000000")
    run, step = driver.do("continue"), driver.do("step")
    await reached(gate)
    assert not driver.is_stopping
    change = driver.do("set lr = 0.5")
    assert driver.is_stopping
    gate.open.set()
    assert (await run).interrupted
    assert (await run).told == "Interrupted."
    place = driver.snapshot.place
    assert (await step).stop
    assert (await change).told == "lr = 0.5 (was 0.1)"
    assert driver.snapshot.place <= place + 1


async def test_a_pause_ends_what_is_under_way_and_what_waits() -> None:
    driver = Driver(small(None))
    run, waiting = driver.do("run"), driver.do("step")
    settled = driver.settle()
    driver.pause()
    assert (await waiting).interrupted
    assert settled.cancelled()
    assert (await run).lines[1] == "Interrupted."
    await driver.settle()
    assert not driver.is_busy


async def test_a_run_at_a_pace_shows_every_step_and_ends_for_whatever_comes() -> None:
    places: list[int] = []
    driver = Driver(small(), lambda: places.append(driver.snapshot.place))
    driver.change_pace(-1)
    run = driver.run_or_pause()
    assert run is not None
    while driver.snapshot.place < 3:
        await asyncio.sleep(0.01)
    assert driver.activity == "running, 5 ops/s"
    assert driver.is_calm
    assert {1, 2, 3} <= set(places)
    assert set(driver.snapshot.before) >= {"x", "y"}
    await driver.do("print lr")
    assert (await run).interrupted
    assert (await run).told == ""


async def test_a_run_flat_out_is_paused_and_changes_count_from_its_beginning() -> None:
    driver = Driver(small())
    driver.change_pace(len(PACES))
    beginning = driver.snapshot.tensors
    answer = driver.run_or_pause()
    assert answer is not None
    assert driver.activity != ""
    assert (await answer).told == "No stop on the way: this is the end of the run."
    assert driver.snapshot.finished
    assert driver.snapshot.before == beginning


async def test_long_work_goes_on_beside_the_loop_and_tells_how_far_it_is() -> None:
    seen: list[str] = []
    driver = Driver(small(), lambda: seen.append(driver.activity))
    go_on = threading.Event()

    def work(progress: object) -> str:
        assert callable(progress)
        progress(3, 9)
        go_on.wait(10)
        return "done"

    result = driver.do_long(work, "restoring")
    while "restoring: 3 of 9" not in seen:
        await asyncio.sleep(0.01)
    step = driver.do("step")
    assert driver.snapshot.place == 0
    go_on.set()
    assert await result == "done"
    await step
    assert driver.snapshot.place == 1


async def test_long_work_ends_early_when_the_loop_does() -> None:
    session = small()
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    tasks: list[asyncio.Task[None]] = []

    def start(rest: Rest) -> None:
        tasks.append(asyncio.get_running_loop().create_task(rest()))

    def work(progress: Callable[[int, int], None]) -> None:
        begun.set()
        go_on.wait(10)
        session._interrupted.clear()  # as what can be interrupted begins
        progress(0, 9)
        if session._interrupted.is_set():
            ended.set()

    driver = Driver(session, lambda: None, start)
    driver.do_long(work, "verifying")
    while not begun.is_set():
        await asyncio.sleep(0.001)
    driver.pause()
    (task,) = tasks
    task.cancel()
    await asyncio.wait({task})
    go_on.set()
    assert await asyncio.to_thread(ended.wait, 10)


async def test_what_a_logpoint_prints_and_what_goes_wrong_is_there_to_say() -> None:
    driver = Driver(small())
    await driver.do('break L log "L is {L}"')
    await driver.do("step iteration")
    assert driver.notice.startswith("L is ")
    await driver.do("step")
    assert driver.notice == ""


async def test_an_error_of_the_front_end_reaches_whoever_waits() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    driver = Driver(small(), broken)
    with pytest.raises(ZeroDivisionError):
        await driver.do("step")


@pytest.mark.parametrize("with_loop", [True, False])
async def test_a_journal_is_told_what_has_to_be_repeated(with_loop: bool) -> None:
    notes, session = Notes(), small()
    driver, interpreter = Driver(session), Interpreter(session, notes)
    driver.journal = notes

    async def execute(line: str) -> Answer:
        return await driver.do(line) if with_loop else interpreter.execute(line)

    for line in ("step 4", "print lr", "set lr = 0.5  # less", "goto 2", "undo", "toggle line 3"):
        await execute(line)
    with pytest.raises(TextError):
        await execute("undo")
    with pytest.raises(TextError):
        await execute("delete 7")
    assert notes.lines == [
        "at 4 of 4",
        "set lr = 0.5  # less",
        "at 2 of 4",
        "undo",
        "at 4 of 4",
        "toggle line 3",
        "at 4 of 4",
        "at 4 of 4",
    ]


class SlowDisk(Notes):
    """A journal whose disk answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.written: Future[None] = Future()

    def write(self) -> Future[None]:  # type: ignore[override]
        return self.written


async def test_a_change_is_shown_once_it_is_on_the_disk() -> None:
    shown: list[float] = []
    disk, session = SlowDisk(), small()
    driver = Driver(session, lambda: shown.append(float(driver.snapshot.tensors["lr"])))
    driver.journal = disk
    change = driver.do("set lr = 0.5")
    step = driver.do("step")
    await asyncio.sleep(0.05)
    assert not change.done() and not step.done() and driver.is_busy
    assert session.value("lr") == 0.5 and 0.5 not in shown
    disk.written.set_result(None)
    assert (await change).told.startswith("lr = 0.5")
    assert (await step).moved and shown[-1] == 0.5


async def test_a_disk_that_does_not_answer_holds_a_change_up_only_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driving, "PATIENCE", 0.02)
    driver = Driver(small())
    driver.journal = SlowDisk()
    assert (await driver.do("set lr = 0.5")).told.startswith("lr = 0.5")
    assert driver.snapshot.tensors["lr"] == 0.5


def test_what_is_repeated_from_a_journal_comes_to_the_same_session() -> None:
    notes, session, again = Notes(), small(), small()
    lines = ("step 40", "goto 7", "set W1[0, 1] = 0.5", "toggle watch L", "toggle line 4", "run")
    for line in (*lines, "undo", "switch b1", "rename warm", "restart seed 3", "step 5"):
        Interpreter(session, notes).execute(line)
    for line in notes.lines:
        if line.startswith("at "):
            place, newest = line.split()[1::2]
            give(again, f"goto {newest}", f"goto {place}")
        else:
            give(again, line)
    give(again, f"goto {session.place}")
    for line in ("where", "branches", "breakpoints", "watches", "print W1"):
        assert give(again, line).lines == give(session, line).lines


def test_the_lines_of_an_answer_are_made_when_they_are_read() -> None:
    made: list[int] = []

    def lines() -> Iterator[str]:
        made.append(1)
        yield "one\x1b"

    answer = Answer(lines)
    assert made == []
    assert answer.lines == (r"one\x1b",)
    assert answer.lines[0] == r"one\x1b"
    assert made == [1]
