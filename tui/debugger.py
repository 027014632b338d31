"""The debugger's screen: what keys do there, and what is answered."""

from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from nnstep.engine.arrays import Shape
from nnstep.engine.commands.command import Answer
from nnstep.engine.driver import Driver
from nnstep.engine.insight import NO_INSIGHT, Insight
from nnstep.engine.limits import HISTORY_BYTES
from nnstep.engine.session.session import Session
from nnstep.engine.session.snapshot import Snapshot
from nnstep.engine.text import cell_name, printable
from nnstep.engine.turns import Rest
from nnstep.tui.panes import row_of
from nnstep.tui.panes.key_line import KeyLine
from nnstep.tui.panes.pane import Pane
from nnstep.tui.panes.program import ProgramPane
from nnstep.tui.panes.scene import Asked, Cell, Scene, Scenes, Topic
from nnstep.tui.panes.status_line import StatusLine
from nnstep.tui.panes.step import StepPane
from nnstep.tui.panes.strip import Opening, Strip
from nnstep.tui.panes.tensors import TensorPane

from .actions import FOOTERS, Action, bindings
from .ahead import Ahead, Moment
from .arranging import MAP, Arranging
from .autosave import Autosave
from .blanks import NO_VALUE, Blanks
from .inside import Inside
from .pointer import Pointer
from .ready import get_ready
from .signs import draws_ascii
from .spelled import Speller
from .stage import Stage
from .trees import Trees
from .typeahead import hold

if TYPE_CHECKING:
    from nnstep.engine.explain.explanation import Explanation
    from nnstep.engine.saving.recovery import Taken
    from nnstep.engine.saving.replay import Opened, Replayed
    from nnstep.engine.verification.verdict import Verification
    from nnstep.tui.panes.map import MapPane


class Debugger(Arranging):
    """Shows one scenario being run.

    `history` is how many bytes of the past are kept. `opened` is a session of the scenario that is
    to be brought back, and `replayed` one that has been. `taken` is the leftover that it goes on
    in, if it does. A `command` is the first that is executed.
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
        command: str = "",
    ) -> None:
        super().__init__(actions, history)
        self._command = command
        self.scenario = scenario = session.scenario
        self.driver = Driver(session, self._show, self._start)
        self.autosave = Autosave(
            session, self.driver, self._start, self._show_status, replayed=replayed, taken=taken
        )
        self.stage = Stage(
            actions,
            self._hand_over,
            lambda: bool(self.driver.snapshot.watches),
            network=scenario.network is not None,
        )
        self._trees = Trees(self.stage, self.driver, self._go_to, self._ask)
        self._opened = opened
        self._taken = taken
        self._place = 0
        self._ran = range(0)
        self._pointer = Pointer()
        self._ahead = Ahead(self.driver)
        self._speller = Speller()
        self._verified: tuple[object, Verification | None] = None, None
        self._why: Explanation | None = None
        self._inside: Inside | None = None
        self._is_drawn = False
        self._blanks = Blanks(
            self.driver,
            line=lambda: self.stage.find(ProgramPane).selected_line,
            cell=lambda: cell_name(*self.selected) if self.selected else None,
            asked=lambda: self._trees.asked or self.filled("{cell}"),
            watched=lambda: self.selected_watch,
        )
        self._scenes = Scenes(session.program)
        self._status = StatusLine(printable(scenario.title), id="status")
        self._strip = Strip(id="strip", opening=Opening.of(printable(scenario.title), actions))
        self._offer = ""
        self._keys = KeyLine(tuple(a for a in actions if a.scope != "gallery"), id="keys")

    def _hand_over(self, pane: Pane) -> None:
        """Have a pane that is there from now on show what the others do."""
        pane.subject = printable(self.scenario.title)
        pane.show(self.driver.snapshot, self._scene())

    def compose(self) -> ComposeResult:
        """Put the panes that are seen at first between the status and the keys."""
        self._fit()
        yield self._status
        yield from self.stage.seen
        yield self._strip
        yield self._keys

    @work
    async def _start(self, rest: Rest) -> None:
        """Do something in the background; a screen that has closed by then does not begin it."""
        await rest()

    def on_mount(self) -> None:
        """Show the state before the first step."""
        self._show()
        if count := len(self.scenario.warnings):
            what = "1 warning" if count == 1 else f"{count} warnings"
            self.say(f"{what}: {self._key_of('about')} shows {'it' if count == 1 else 'them'}.")
        if self.autosave.replayed is None:
            self.call_after_refresh(self._begin)
        else:
            self.call_after_refresh(self._explain)
            self.autosave.begin()
            self.autosave.write_soon()
            problem, place = self.autosave.replayed.problem, self.driver.snapshot.place
            self.say(problem or f"Taken up again at step {place}.")

    def _begin(self) -> None:
        """Once the screen is there, bring back what was opened, or offer an earlier session."""
        self._explain()
        self.autosave.begin()
        self.autosave.note()
        if self._opened is not None:
            hold(self.app, self._bring_back(self._opened, self._taken))
        elif self._command:
            self.do(self._command)
        elif (offer := self.autosave.find_offer()) is not None:
            self._offer = printable(offer.offer(self._key_of("copy")))
            self.say(self._offer)

    def _explain(self) -> None:
        """Explain from now on, if anything has run; what was not seen at first is there now."""
        self._is_drawn = True
        self._mount_rest()
        if self.driver.snapshot.place:
            self._ask()
        get_ready(self.call_later, self.scenario)

    def on_unmount(self) -> None:
        """The app ends, or another scenario is opened; the session stays on disk."""
        self.end(keep=True)

    def end(self, *, keep: bool) -> None:
        """Leave no run behind, and on disk the session, or nothing but its edits."""
        self.driver.pause()
        self.autosave.end(keep=keep)

    # Showing

    def _show(self) -> None:
        """Hand the snapshot of the moment to every pane.

        Only a step brings what it wrote into view; after an edit, a reader stays where it was made.
        """
        snapshot, driver, focus = self.driver.snapshot, self.driver, self.stage.focus
        moved = snapshot.place != self._place and not driver.is_on_the_way
        if moved:
            self._take_note(snapshot.place)
        self._trees.follow()
        # What a run passes too fast to be read is not followed.
        follow = moved and bool(snapshot.written) and driver.is_calm
        scene = self._ahead.or_drawn(self._scene(follow=follow))
        self._show_status()
        for view in (self._status, *self._panes):
            view.give(snapshot, scene)
        self._strip.topic = self._topic
        self._strip.give(snapshot, scene)
        self._show_keys()
        self.autosave.note()
        self.stage.update()
        self._mount(self.stage.seen)
        if self.stage.focus is not focus:
            self._focus()
        if driver.notice:
            self.say(driver.notice)

    @property
    def _panes(self) -> list[Pane]:
        """All panes, the hidden first: one that is seen may show what belongs to one that is not.

        The strip, which may speak of what they show, is behind them.
        """
        return sorted(self.stage.panes.values(), key=lambda pane: pane.display)

    def _take_note(self, place: int) -> None:
        """Take note of what has just run: a pass at most, or this was a jump."""
        before, self._place = self._place, place
        is_near = before < place <= before + len(self.driver.snapshot.program)
        self._ran = range(before, place) if is_near else range(0)
        self._pointer.go_on(stays=self.stage.is_in_numbers)

    def _scene(self, *, follow: bool = False) -> Scene:
        """Return what there is to see around the snapshot; on the way, no cell is in question."""
        snapshot = self.driver.snapshot
        cell = None if self.driver.is_on_the_way else self.selected
        insight = self._insight(cell, self._trees.place)
        self._why = insight.why
        survey = self.driver.survey() if self._shows_map else None
        return self._scene_of(Moment(snapshot, self._ran, cell, insight, follow, survey))

    def _scene_of(self, moment: Moment) -> Scene:
        verified_of, verified = self._verified
        return self._scenes.scene(
            moment.snapshot,
            moment.ran,
            Asked(*moment.cell) if moment.cell else None,
            is_shown=self.stage.here is not row_of(1),
            follow=moment.follow,
            insight=moment.insight,
            verified=verified if verified_of == _pass_of(moment.snapshot) else None,
            survey=moment.survey,
        )

    def look_ahead(self, *, is_read: bool) -> None:
        """Once a step is shown, and nothing more was typed, draw the next one on the side."""
        if len(self._ran) != 1 or self._inside or draws_ascii(self.app):
            return
        pointer = self._pointer.after_a_step(stays=self.stage.is_in_numbers)
        maps = self._shows_map
        if coming := self._ahead.look(pointer, self._trees, surveys=maps, is_read=is_read):
            views = [self._status, *self._panes, self._strip]
            self._ahead.draw(coming.snapshot, self._scene_of(coming), views)

    def show_answer(self, answer: Answer | None) -> None:
        """Show what a command has answered; what came of the gradients, beside them from now on."""
        if answer is not None and answer.verification is not None:
            self._verified = _pass_of(self.driver.snapshot), answer.verification
            self._ask()
        super().show_answer(answer)

    @property
    def _shows_map(self) -> bool:
        """Whether a map is seen: what it shows is not found out otherwise."""
        return self._is_drawn and any(pane.shows_layers for pane in self.stage.seen)

    def _insight(self, cell: Cell | None, place: int | None) -> Insight:
        """Return what there is to say of the last line and of a cell, where one can follow.

        With a place, it is the value that the cell has there.

        Explaining is imported once the screen is there.
        """
        if not (self._is_drawn and self.driver.is_calm):
            return NO_INSIGHT
        insight = self.driver.look_into(cell, place)
        if insight.why is not None and not insight.why.sentence and (said := self._trees.feeds):
            insight = replace(insight, why=replace(insight.why, sentence=said))
        return self._speller.spelled(insight) if draws_ascii(self.app) else insight

    def _show_status(self) -> None:
        seed = self.driver.seed
        drawn = f"seed {seed}" if seed != self.scenario.seed else ""
        said = filter(None, (self.driver.activity, drawn, self.autosave.problem))
        self._status.activity = " · ".join(said)

    def on_key(self) -> None:
        """Take the answer to the last key away; what is bound to this one runs afterwards."""
        self._is_offered = bool(self._offer) and self._strip.message == self._offer
        self.say("")

    def say(self, message: str) -> None:
        """Answer a key, in the strip."""
        self._strip.message = printable(message)

    # Looking around

    @property
    def selected(self) -> tuple[str, Shape] | None:
        """The name and the index of the cell in question: that of the step, or one chosen.

        While there is a tree, it is that of the node in brackets.
        """
        if self._trees.is_open:
            return self._trees.cell
        return self._pointer.cell(self.driver.snapshot)

    @property
    def is_at_its_step(self) -> bool:
        """Whether the step that is shown wrote the cell in question, or none has."""
        why, place = self._why, self.driver.snapshot.place
        return why is not None and place > 0 and (why.step == place - 1 or why.origin == "first")

    def choose(self, cell: Cell) -> None:
        """Have a cell be the one in question, and its index in what is written next."""
        self._pointer.choose(cell)
        self._ask()

    def ask_again(self) -> None:
        """Say of the cell in question what there is to say, in other signs."""
        self._ask()

    def _ask(self) -> None:
        """Show which cell is in question now, in the panes and in the strip."""
        scene = self._scene()
        for pane in self._panes:
            pane.ask(scene)
        self._strip.topic = self._topic
        self._strip.show(self.driver.snapshot, scene)
        self._show_keys()

    @property
    def _topic(self) -> Topic | None:
        """What the strip speaks of in place of the cell in question: its inside, or a layer.

        One is inside a cell until it is another that is in question, or another place.
        """
        inside = self._inside
        if inside is not None and (self.selected, self.driver.snapshot.place) != inside.at:
            inside = self._inside = None
        return inside.topic(self.app.size.width) if inside else self.stage.focus.topic

    def _show_keys(self) -> None:
        """Show the keys of what has the focus; inside a cell, those of that."""
        scope = self.stage.focus.footer or self.stage.here.scope
        if scope == "tensors" and self.is_at_its_step:
            scope = "own step"
        self._keys.show("inside" if self._inside else scope if scope in FOOTERS else "")

    def action_inside(self) -> None:
        """Go inside the cell in question; there, have the next part become its value."""
        if self._inside is not None:
            if not self._inside.go_on():
                self.say(f"{self._key_of('jump-back')} leaves the cell.")
        elif self.selected is None:
            self.say(NO_VALUE)
        else:
            why = self._insight(self.selected, self._trees.place).why
            if why is None or why.calculation is None or not why.calculation.parts:
                self.say("There is nothing to calculate in this cell.")
                return
            self._inside = Inside(why, self.driver.snapshot.place)
        self._ask()

    def action_out(self) -> None:
        """Leave the inside of a cell, or else go back to where one was."""
        if self._inside is None:
            self.action_do("jump back")
        else:
            self._inside = None
            self._ask()

    def drawn(self) -> None:
        """Have the terminal's own cursor stand on the cell in question, for those who feel it."""
        focus = self.stage.focus
        pane = focus if isinstance(focus, TensorPane) else self.stage.find(StepPane)
        if pane.display and (offset := pane.cell_offset()) is not None:
            self.app.cursor_position = pane.region.offset + offset

    def _visit(self) -> None:
        """Ask about the cell that the pane with the keys points at, while it has them."""
        self._pointer.visited = None
        pane, cell = self.stage.focus, self.selected
        if self.stage.is_in_numbers and isinstance(pane, TensorPane):
            here = pane.view.selected
            if here is not None and (cell is None or not pane.view.has(cell[0])):
                self._pointer.visited = here
        self._ask()

    def filled(self, line: str) -> str:
        """Return a line of the prompt with its blanks filled in, by what is under the cursor."""
        return self._blanks.filled(line)

    def reveal_cell(self) -> None:
        """Bring the selected cell into view."""
        pane = self.stage.focus
        if isinstance(pane, TensorPane):
            pane.view.reveal_cursor()
            pane.redraw()

    def on_tensor_pane_cursor_moved(self, message: TensorPane.CursorMoved) -> None:
        """Ask about the cell that somebody has chosen; a click may come before the keys do."""
        self.choose(message.cell)

    def on_map_pane_chosen(self, message: "MapPane.Chosen") -> None:
        """Ask about the cell that somebody has chosen on the map, or go where it was written."""
        if message.name in self.driver.snapshot.tensors:
            self._pointer.choose((message.name, message.index))
        self._ask()
        if message.goes:
            self.action_writer()

    def action_give_up(self) -> None:
        """Pause whatever is under way; else let the cell in question follow the step again."""
        if self.driver.is_busy:
            self.driver.pause()
        elif self._inside is not None:
            self.action_out()
        elif self.stage.here is MAP:
            self._close_map()
        elif self._trees.is_open:
            self._trees.close()
        else:
            self._pointer.let_follow()
            self._ask()

    def on_tree_pane_node_asked(self) -> None:
        """Explain the node in brackets."""
        self._ask()

    def on_tree_pane_leave(self) -> None:
        """Close the tree, unless there is something to pause."""
        self.action_give_up()

    def on_tree_pane_go_there(self) -> None:
        """Go to the step that wrote the node in brackets; if that is here, offer what to ask."""
        cell = self._trees.cell
        if self._trees.is_at_its_step:
            self._offer_questions()
            return
        place = self._trees.leave_for_step()
        if isinstance(place, str):
            self.say(place)
        else:
            if cell is not None:
                self._pointer.choose(cell)
            self.do(f"goto {place}")


def _pass_of(snapshot: Snapshot) -> tuple[object, ...]:
    """Return the pass through the program that a snapshot shows, and the edits that lead there."""
    return snapshot.branch.name, snapshot.branch.edits, snapshot.iteration
