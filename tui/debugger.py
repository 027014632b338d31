"""The debugger's screen: its panes, and what keys do there."""

import asyncio
import re
import secrets
import shlex
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.layout import Layout
from textual.message import Message
from textual.screen import Screen

from nnstep.engine.arrays import Shape
from nnstep.engine.commands.command import Answer
from nnstep.engine.driver import PATIENCE, Driver
from nnstep.engine.language.typed import TextError
from nnstep.engine.limits import HISTORY_BYTES
from nnstep.engine.program.program import Tensor
from nnstep.engine.session.session import Session
from nnstep.engine.text import cell_name, printable
from nnstep.tui.panes import PANES, Row
from nnstep.tui.panes.bars import CellLine, KeyLine, StatusLine
from nnstep.tui.panes.pane import Pane
from nnstep.tui.panes.program import ProgramPane
from nnstep.tui.panes.tensors import TensorPane, TensorView
from nnstep.tui.panes.timeline import TimelinePane
from nnstep.tui.panes.watch import WatchPane

from .actions import Action, bindings, key_of
from .layout import NUMBERS_WIDTH, Arrangement, Needs, regions_of

if TYPE_CHECKING:
    from nnstep.engine.faults.fault import Fault
    from nnstep.engine.saving.recovery import Keeping, Leftover, Taken
    from nnstep.engine.saving.replay import Opened, Replayed
    from nnstep.engine.session.snapshot import Snapshot

# In seconds: how long nothing has to happen before a place is written, and how soon what could not
# be written is tried again.
_MOMENT, _AGAIN = 0.5, 5.0

Kind = TypeVar("Kind", bound=Pane)


_BLANK = re.compile(r"\{(\w+)\}")


class Quit(Message):
    """Tells the app that somebody wants to quit."""


class OpenGallery(Message):
    """Tells the app that somebody wants to choose another scenario."""


class OpenSession(Message):
    """Tells the app to go on with a session that was brought back, in the file that was taken."""

    def __init__(self, replayed: "Replayed", taken: "Taken | None") -> None:
        super().__init__()
        self.replayed = replayed
        self.taken = taken


class Debugger(Screen[None]):
    """Shows one scenario being run.

    `history` is how many bytes of the past are kept. `opened` is a session of the scenario that is
    to be brought back, and `replayed` one that has been. `taken` is the leftover that it goes on
    in, if it does.
    """

    AUTO_FOCUS = "#program"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("debugger"),
        Binding("escape", "give_up", show=False),
    ]

    def __init__(
        self,
        session: Session,
        actions: tuple[Action, ...],
        *,
        history: int = HISTORY_BYTES,
        opened: "Opened | None" = None,
        replayed: "Replayed | None" = None,
        taken: "Taken | None" = None,
    ) -> None:
        super().__init__()
        self.scenario = scenario = session.scenario
        self.driver = Driver(session, self._show, self._start)
        self._session = session
        self._actions = actions
        self._history = history
        self._taken = taken
        self._keeping: Keeping | None = None
        self._kept: Snapshot = self.driver.snapshot
        self._is_writing = False
        self._problem = ""
        self.pinned = False
        self.typed: list[str] = []
        self.opened = opened
        self.replayed = replayed
        self.offer: Leftover | None = None
        self.last_fault: Fault | None = None
        self._place = 0
        self._arrangement = Arrangement()
        self._status = StatusLine(printable(scenario.title), id="status")
        network = scenario.network is not None
        self._panes = {row: row.make(network=network, actions=actions) for row in PANES}
        # The panes, the one looked at last first; the one that has the keys; those asked for.
        self._lately = list(PANES)
        self._here = PANES[0]
        self._asked: set[Row] = set()
        self._zoomed = False
        # The region of each pane that may be seen now, and which pane stands in each region.
        self._regions: dict[Row, str] = {}
        self._standing: dict[str, Pane] = {}
        self._cell = CellLine(self._active, id="cell")
        self._keys = KeyLine(actions, id="keys")
        for pane in self._panes.values():
            pane.show(self.driver.snapshot)

    def compose(self) -> ComposeResult:
        """Put the panes between the status and the keys."""
        self._arrange()
        yield self._status
        yield from self._panes.values()
        yield self._cell
        yield self._keys

    def _start(self, work: Coroutine[Any, Any, None]) -> object:
        return self.run_worker(work, group="driver")

    def on_mount(self) -> None:
        """Show the state before the first step."""
        self._show()
        if count := len(self.scenario.warnings):
            what = "1 warning" if count == 1 else f"{count} warnings"
            self.say(f"{what}: {self._key_of('help')} shows {'it' if count == 1 else 'them'}.")

        if self.replayed is None:
            self.call_after_refresh(self.offer_earlier)
        else:
            self.begin_to_keep()
            self.write_soon()
            self.say(self.replayed.problem or f"Taken up again at step {self._session.place}.")

    def on_unmount(self) -> None:
        """The app ends, or another scenario is opened; the session stays on disk."""
        self.end(keep=True)

    # Showing.

    def _show(self) -> None:
        """Hand the snapshot of the moment to every pane.

        Only a step brings what it wrote into view; after an edit, a reader stays where it was made.
        """
        snapshot, driver = self.driver.snapshot, self.driver
        moved = snapshot.place != self._place and not driver.is_on_the_way
        if not driver.is_on_the_way:
            self._place = snapshot.place
        follow = moved and bool(snapshot.written) and driver.is_calm and not self.pinned
        if follow:
            self._turn_to(snapshot.program.tensors[snapshot.written[0]])
        self._status.show(snapshot, self._activity())
        # The hidden ones first: one that is seen may show what belongs to one that is not.
        for pane in sorted(self._panes.values(), key=lambda pane: pane.display):
            pane.show(snapshot, follow=follow)
        self._cell.show(self._active)
        self._keep(snapshot)
        opened = [row for row in PANES if self._is_open(row)] != list(self._regions)
        if opened or self._wanted("below").height != self._arrangement.needs.below:
            self._arrange()
        if driver.notice:
            self.say(driver.notice)

    def _activity(self) -> str:
        seed = self.driver.seed
        drawn = f"seed {seed}" if seed != self.scenario.seed else ""
        kept = "tab kept" if self.pinned else ""
        self._problem = self._keeping.problem if self._keeping else ""
        return " · ".join(filter(None, (self.driver.activity, drawn, kept, self._problem)))

    def on_key(self) -> None:
        """Take the answer to the last key away; what is bound to this one runs afterwards."""
        self.say("")

    def say(self, message: str) -> None:
        """Answer a key on the last line."""
        self._keys.message = printable(message)
        if (lines := self._keys.lines_at(self.app.size.width)) != self._arrangement.needs.message:
            self._arrangement.needs = replace(self._arrangement.needs, message=lines)
            self._lay_out()

    # Arranging.

    @property
    def layout(self) -> Layout:
        """What places the panes."""
        return self._arrangement

    def _pane(self, kind: type[Kind]) -> Kind:
        """Return the pane that is the only one of its kind."""
        return next(pane for pane in self._panes.values() if isinstance(pane, kind))

    @property
    def _active(self) -> TensorView:
        """The tensors looked at last."""
        panes = (self._panes[row] for row in self._lately)
        return next(pane.own_view for pane in panes if isinstance(pane, TensorPane))

    @property
    def selected(self) -> tuple[str, Shape] | None:
        """The name and the index of the cell under the cursor, of the pane looked at last."""
        return self._active.selected

    @property
    def selected_line(self) -> int:
        """The position of the line of the listing under the cursor."""
        return self._pane(ProgramPane).selected_line

    @property
    def selected_watch(self) -> str | None:
        """The expression under the cursor of the watch pane, None if keys go elsewhere."""
        watch = self._pane(WatchPane)
        return watch.selected if self.focused is watch else None

    def reveal_cell(self) -> None:
        """Bring the selected cell into view."""
        self._active.reveal_cursor()
        self._show_cell()

    def _show_cell(self) -> None:
        """Draw the cell under the cursor, and the cursor where it is now."""
        for pane in self._standing.values():
            if isinstance(pane, TensorPane):
                pane.redraw()
        self._cell.show(self._active)

    def _is_open(self, row: Row) -> bool:
        """Tell whether a pane is to be shown, where there is room for it."""
        if row.shown == "when asked for":
            return row in self._asked
        return row.shown == "always" or not self._panes[row].nothing

    def _has_room(self, row: Row) -> bool:
        """Tell whether a pane can be shown beside the others."""
        return self._regions[row] in regions_of(self.app.size, self._arrangement.needs)

    def _wanted(self, region: str) -> Size:
        """Return in how much room all that belongs in a region could be seen."""
        wanted = [
            pane.wanted(NUMBERS_WIDTH - 1)
            for row, pane in self._panes.items()
            if row.region == region and self._is_open(row)
        ]
        width = max((size.width for size in wanted), default=0)
        return Size(width, max((size.height for size in wanted), default=0))

    def _arrange(self) -> None:
        """Choose which pane stands in each region, and give the keys to one of these.

        The pane that has the keys keeps them, and is shown alone if there is no room for it.
        """
        needs = self._arrangement.needs = Needs(
            self._wanted("listing").width,
            self._wanted("first").height,
            self._wanted("below").height,
            any(row.region == "bottom" and self._is_open(row) for row in PANES),
            self._keys.lines_at(self.app.size.width),
        )
        there = regions_of(self.app.size, needs)
        self._regions = {
            row: next((name for name in (row.region, row.group) if name in there), row.region)
            for row in PANES
            if self._is_open(row)
        }
        if self._here not in self._regions:
            self._here = PANES[0]
        here = self._regions[self._here]
        self._zoomed = self._zoomed or here not in there
        standing = {here, *self._regions.values()} & {here, *there}
        self._standing = {region: self._turn_in(region) for region in standing}
        seen = {here} if self._zoomed else standing
        for pane in self._panes.values():
            pane.display = any(self._standing[region] is pane for region in seen)
        self._arrangement.shown = {self._standing[region].id or "": region for region in seen}
        self._arrangement.zoomed = here if self._zoomed else None
        self._lay_out()
        self._mark_active()
        self._show_cell()
        self._focus()

    def _turn_in(self, region: str) -> Pane:
        """Return the pane that is to stand in a region: it shows what was looked at last there."""
        sharing = [row for row, name in self._regions.items() if name == region]
        shown = self._panes[min(sharing, key=self._lately.index)]
        stands = next(pane for row in sharing if (pane := self._panes[row]).take(shown))
        stands.tabs = tuple(self._panes[row].own_tab for row in sharing)
        return stands

    def _lay_out(self) -> None:
        # A child has to ask: a screen that does keeps the arrangement that it remembers.
        self._panes[PANES[0]].refresh(layout=True)

    def _focus(self) -> None:
        if self.is_mounted:
            self.set_focus(self._standing[self._regions[self._here]])

    def _look_at(self, row: Row) -> None:
        """Give a pane its turn, as the one looked at last; where that is possible, at once."""
        self._lately.remove(row)
        self._lately.insert(0, row)
        stands = self._standing.get(self._regions.get(row, ""))
        if stands is not None and stands.take(self._panes[row]):
            self._mark_active()
        else:
            self._arrange()

    def _mark_active(self) -> None:
        """Have the cursor shown in the tensors looked at last, and nowhere else."""
        active = self._active
        for pane in self._standing.values():
            if isinstance(pane, TensorPane):
                pane.look_at(pane.view is active)

    def _turn_to(self, tensor: Tensor) -> None:
        """Give the pane that has a tensor its turn, if it takes turns with others."""
        for row, region in self._regions.items():
            stands = self._standing.get(region)
            if stands and len(stands.tabs) > 1 and self._panes[row].holds(tensor):
                if self._regions[self._here] == region:
                    self._here = row
                self._look_at(row)
                return

    def _go_to(self, row: Row) -> None:
        """Have the keys go to a pane, which comes into view; say so if nothing else is left."""
        self._here, was_zoomed = row, self._zoomed
        if row.shown == "when asked for":
            self._asked.add(row)
        self._look_at(row)
        if self._regions[row] in self._arrangement.shown.values():
            self._show_cell()
            self._focus()
        else:
            self._arrange()
        if self._zoomed and not was_zoomed:
            self.say(f"There is room for this pane alone: {self._key_of('zoom')} shows all.")

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Remember which pane has the keys, and which tensors were looked at last."""
        if isinstance(event.widget, Pane) and event.widget is self.focused:
            self._here = row_of(event.widget.tab.digit)
            self._look_at(self._here)
            self._show_cell()

    def on_resize(self, event: events.Resize) -> None:
        """Arrange the panes for another size; what was looked at stays in view."""
        self._arrange()

    # Looking around.

    def action_pane(self, digit: int) -> None:
        """Go to a pane by its digit."""
        row = row_of(digit)
        if row.shown == "when filled" and (reason := self._panes[row].nothing):
            self.say(reason)
        else:
            self._go_to(row)

    def action_next_pane(self, direction: int) -> None:
        """Go to the next pane of those that there is room for, or to the one before."""
        here, count = PANES.index(self._here), len(PANES)
        self._go_to(
            min(
                (row for row in self._regions if self._has_room(row)),
                key=lambda row: direction * (PANES.index(row) - here) % count or count,
            )
        )

    def action_toggle_pane(self, digit: int) -> None:
        """Show a pane and go to it, or hide it."""
        row = row_of(digit)
        if row in self._asked:
            self._asked.remove(row)
            self._arrange()
        else:
            self._go_to(row)

    def action_zoom(self) -> None:
        """Show the focused pane alone, or all panes again."""
        self._zoomed = not self._zoomed
        if not self._zoomed and not self._has_room(self._here):
            self._here = PANES[0]
        self._arrange()

    def on_tensor_pane_cursor_moved(self) -> None:
        """Show the cell that the cursor is on now."""
        self._cell.show(self._active)

    def on_pane_tab_clicked(self, message: Pane.TabClicked) -> None:
        """Go to the pane whose tab was clicked."""
        self.action_pane(message.digit)

    def on_timeline_pane_go_to(self, message: TimelinePane.GoTo) -> None:
        """Go to a place chosen on the timeline."""
        self.do(f"goto {message.place}")

    def on_timeline_pane_switch_to(self, message: TimelinePane.SwitchTo) -> None:
        """Go to a branch chosen on the timeline."""
        self.do(f"switch {message.name}")

    def action_pin(self) -> None:
        """Stop following the step, or start again."""
        self.pinned = not self.pinned
        self._status.show(self.driver.snapshot, self._activity())
        self.say("This tab stays." if self.pinned else "The tab follows the step again.")

    # Commands

    def action_do(self, line: str) -> None:
        """Execute a line of the prompt, its blanks filled in with what the cursor is on."""
        blanks = {name: self._blanks[name]() for name in _BLANK.findall(line)}
        if None in blanks.values():
            self.say("There is no value here yet.")
        else:
            self.do(line.format(**blanks))

    @property
    def _blanks(self) -> Mapping[str, Callable[[], str | None]]:
        return {
            "line": lambda: str(self.selected_line + 1),
            "cell": lambda: cell_name(*self.selected) if self.selected else None,
            "watched": lambda: self.selected_watch or self._blanks["cell"](),
            "seed": lambda: str(secrets.randbelow(10_000)),
            "fault": self._next_fault,
        }

    def _next_fault(self) -> str:
        """Return the number of the next fault of the branch, after the last of the first."""
        snapshot = self.driver.snapshot
        faults = snapshot.branch.faults
        if not faults:
            return ""
        later = [fault for fault in faults if fault.place > snapshot.place]
        here = [fault for fault in faults if fault.place == snapshot.place]
        if self.last_fault in here:
            # Several may show at one step.
            later = here[here.index(self.last_fault) + 1 :] + later
        self.last_fault = (later or faults)[0]
        return str(faults.index(self.last_fault) + 1)

    def do(self, text: str) -> None:
        """Execute a line of the prompt, now or when it is its turn, and show the answer."""
        self.begin_to_keep()
        self._answer(self.driver.do(text))

    def _answer(self, answer: "asyncio.Future[Answer]") -> None:
        if answer.done():
            self._tell(answer)
        else:
            self._answer_later(answer)

    @work
    async def _answer_later(self, answer: "asyncio.Future[Answer]") -> None:
        await asyncio.wait({answer})
        self._tell(answer)

    def _tell(self, answer: "asyncio.Future[Answer]") -> None:
        try:
            self.show_answer(answer.result())
        except TextError as error:
            self.say(error.message)

    def show_answer(self, answer: Answer | None) -> None:
        """Show what a command has answered: on the last line, or over the panes if it is long."""
        if answer is None:
            return
        if answer.quit:
            self.post_message(Quit())
        elif answer.plot is not None:
            from .dialogs import Plot

            plot = answer.plot
            self.app.push_screen(Plot(plot.text, plot.values, complete=plot.complete))
        elif answer.told or answer.moved or len(answer.lines) < 2:
            if message := answer.told or " ".join(() if answer.moved else answer.lines):
                self.say(message)
        else:
            from .dialogs import Report

            self.app.push_screen(Report(answer.title, answer.lines))

    def action_prompt(self) -> None:
        """Ask for a command."""
        from .prompt import Prompt

        self.begin_to_keep()
        self.app.push_screen(Prompt(self.driver, self.typed), self.show_answer)

    def action_edit(self) -> None:
        """Ask for a new value of the cell under the cursor, once nothing is under way."""
        self.begin_to_keep()
        settled = self.driver.settle()
        if settled.done():
            self._ask_for_value()
        else:
            self._ask_later(settled)

    @work
    async def _ask_later(self, settled: "asyncio.Future[None]") -> None:
        await settled
        self._ask_for_value()

    def _ask_for_value(self) -> None:
        from .dialogs import EditValue

        if self.selected is None:
            self.say("There is no value here yet.")
            return
        name, index = self.selected
        self.reveal_cell()
        cell, current = cell_name(name, index), self.driver.snapshot.tensors[name][index]

        async def change(text: str) -> None:
            line = f"set {cell} = "
            try:
                self.show_answer(await self.driver.do(line + text))
            except TextError as error:
                raise error.counted_from(len(line)) from None

        self.app.push_screen(EditValue(cell, str(current), change))

    # Running

    def action_run(self) -> None:
        """Run at the speed of the moment, or pause."""
        if answer := self.driver.run_or_pause():
            self._answer(answer)

    def action_change_speed(self, faster: int) -> None:
        """Run faster or slower."""
        self.driver.change_pace(faster)
        self.say(f"Speed: {self.driver.pace}")

    def action_give_up(self) -> None:
        """Pause whatever is under way."""
        self.driver.pause()

    def action_interrupt(self) -> None:
        """Pause a run; with nothing to pause, say how to quit."""
        if self.driver.is_busy:
            self.driver.pause()
        else:
            self.say(f"{self._key_of('quit')} quits.")

    # Keeping it

    def begin_to_keep(self) -> None:
        """Have the session kept on disk: once it is on the screen, or before anything is done."""
        if self._keeping is None:
            from nnstep.engine.saving.journal import Journal
            from nnstep.engine.saving.recovery import Keeping

            taken, replayed = self._taken, self.replayed
            journal = replayed.journal if replayed else Journal(self._session)
            self._keeping = Keeping(journal, self.scenario, taken=taken if replayed else None)
            self.driver.journal = self._keeping

    def offer_earlier(self) -> None:
        """Once the screen is there, bring back what was opened, or offer an earlier session."""
        from nnstep.engine.saving.recovery import find_offer

        self.begin_to_keep()
        self._keep(self.driver.snapshot)
        if self.opened is not None:
            self.bring_back(self.opened, self._taken)
        elif (offer := find_offer(self.scenario)) is not None:
            self.offer = offer
            self.say(offer.offer(self._key_of("recover")))

    def _keep(self, snapshot: "Snapshot") -> None:
        """Note where the session is, and have it written when nothing has happened for a moment.

        Changes are on the disk before they are shown: that is the driver's work.
        """
        if snapshot is not self._kept and self._keeping:
            self._kept = snapshot
            self._keeping.note(self._session)
            self.write_soon()

    def write_soon(self) -> None:
        """Have what was noted written in a moment; what cannot be is tried again."""
        if self._keeping and not self._is_writing:
            self._is_writing = True
            self.run_worker(self._write_soon(self._keeping), group="keeping")

    async def _write_soon(self, keeping: "Keeping") -> None:
        while self._is_writing:
            await asyncio.sleep(_AGAIN if keeping.problem else _MOMENT)
            written = asyncio.wrap_future(keeping.write_all())
            await asyncio.wait({written}, timeout=PATIENCE)
            self._is_writing = bool(keeping.problem)
            if self._problem != keeping.problem:
                self._status.show(self.driver.snapshot, self._activity())

    @property
    def is_kept(self) -> bool:
        """Whether what was done is on the disk, or will be in a moment."""
        return self._keeping is not None and not self._keeping.problem

    def where_kept(self) -> str:
        """Say where the session is, once it has ended, and how it can be gone on with."""
        path, problem = (self._keeping.path, self._keeping.problem) if self._keeping else (None, "")
        if path is None:
            return f"The session is {problem}." if problem else "Nothing was done in the session."
        kept = "The session is kept" if not problem else "All but the last of the session is kept"
        return f"{kept}. To go on with it:\n\n    nnstep {shlex.quote(str(path))}"

    def end(self, *, keep: bool) -> None:
        """Leave no run behind, and on disk the session, or nothing but its edits."""
        self.driver.pause()
        if self._keeping:
            self._keeping.end(keep=keep)

    def action_recover(self) -> None:
        """Take the earlier session up again that was offered."""
        if self.offer is None:
            self.say("There is no earlier session to take up.")
            return
        from nnstep.engine.saving.replay import take_up

        try:
            self.bring_back(*take_up(self.offer.path))
        except ValueError as error:
            self.say(str(error))

    @work
    async def bring_back(self, opened: "Opened", taken: "Taken | None" = None) -> None:
        """Execute a session again that was opened, and go on with it, or with a part of it."""
        driver = self.driver
        replayed = await driver.do_long(
            lambda progress: opened.replay(
                history=self._history,
                progress=progress,
                cancelled=lambda: driver.is_stopping,
            ),
            "restoring, Escape stops",
        )
        if replayed.problem and taken:
            # What is left out is still in the file, which is not gone on with.
            taken.claim.release()
            taken = None
        self.post_message(OpenSession(replayed, taken))

    def action_open_gallery(self) -> None:
        """Go to the gallery."""
        self.driver.pause()
        self.post_message(OpenGallery())

    def _key_of(self, action_id: str) -> str:
        return key_of(self._actions, action_id)


def row_of(digit: int | None) -> Row:
    """Return the row of the table that a digit stands for."""
    return next(row for row in PANES if row.digit == digit)
