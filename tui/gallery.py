"""The gallery: the built-in scenarios by what they teach, and the sessions that were left."""

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from nnstep.engine.saving.recovery import Leftover, leftovers
from nnstep.engine.text import printable
from nnstep.tui.panes.bars import KeyLine

from .actions import Action, bindings
from .debugger import Debugger
from .entries import Entry, entries
from .overlay import Field, Overlay


class Choices(OptionList):
    """A list that answers no key by pages before it is laid out: it has no lines until then."""

    def _move_page(self, direction: Literal[-1, 1]) -> None:
        if self.scrollable_content_region:
            super()._move_page(direction)


_FIRST = "mazur"
"""The example that Enter opens where nothing else was chosen."""

_SESSIONS = "Earlier sessions"


class Gallery(Overlay[Entry | Leftover | None]):
    """Lists scenarios by what they teach, then sessions left over; Enter, or a click, opens one.

    What is typed behind `/` leaves those that have all its words.
    """

    DEFAULT_CSS = """
    Gallery {
        background: $background;
        #heading { height: 1; padding: 0 1; background: $panel; color: $primary; text-style: bold; }
        OptionList, OptionList:focus {
            height: 1fr;
            border: none;
            padding: 1 1 0 1;
            background: $background;
            text-wrap: nowrap;
            text-overflow: ellipsis;
            scrollbar-size-vertical: 1;
        }
        OptionList > .option-list--option { padding: 0 1; }
        OptionList > .option-list--option-disabled { color: $muted; }
        #about { height: 3; padding: 0 1; background: $surface; }
        #find, #find:focus {
            height: 1;
            border: none;
            padding: 0 1;
            background: $panel;
        }
        KeyLine { height: 1; }
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", show=False),
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
        *bindings("gallery"),
    ]

    def __init__(self, actions: tuple[Action, ...]) -> None:
        super().__init__()
        self._actions = actions
        self._entries: list[Entry | Leftover] = [*entries(), *leftovers()]
        self._listed: list[Entry | Leftover | None] = []

    def compose(self) -> ComposeResult:
        """Show the list between a heading and what there is to say of one, then the keys."""
        yield Static(Content("nnstep: choose a scenario"), id="heading")
        yield Choices(markup=False)
        yield Static(id="about")
        yield Field(placeholder="find an example", id="find")
        here = ("app", "gallery")
        keys = tuple(one for one in self._actions if one.scope in here)
        yield KeyLine(keys, id="keys", scope="gallery")

    def on_mount(self) -> None:
        """List everything, with the cursor on the first thing to look at."""
        self.query_one("#find").display = False
        self._list("")
        choices = self.query_one(Choices)
        choices.focus()
        names = [isinstance(one, Entry) and one.name == _FIRST for one in self._listed]
        choices.highlighted = names.index(True) if True in names else None

    def _list(self, wanted: str) -> None:
        """List what has all the words that are wanted, under the names of the groups."""
        choices = self.query_one(Choices)
        choices.clear_options()
        self._listed = []
        group = ""
        for entry in self._entries:
            if not _has(entry, wanted):
                continue
            its = entry.group if isinstance(entry, Entry) else _SESSIONS
            if its != group:
                group = its
                choices.add_option(Option(_ruled(group), disabled=True))
                self._listed.append(None)
            choices.add_option(Option(_row(entry)))
            self._listed.append(entry)
        choices.highlighted = 1 if self._listed else None
        if not self._listed:
            self._say(None)

    def action_find(self) -> None:
        """Ask for words to look for."""
        find = self.query_one("#find", Input)
        find.display = True
        self.set_focus(find)  # at once: what is typed next is meant for it

    def action_move(self, by: int) -> None:
        """Go up or down in the list while words are typed."""
        choices = self.query_one(Choices)
        if by > 0:
            choices.action_cursor_down()
        else:
            choices.action_cursor_up()

    def action_back(self) -> None:
        """Show all again, or go back to what was open, if anything was."""
        find = self.query_one("#find", Input)
        if find.display:
            self.set_focus(self.query_one(Choices))
            find.display = False
            find.value = ""
        elif isinstance(self.app.screen_stack[-2], Debugger):
            self.dismiss()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Leave what fits in the list."""
        self._list(event.value)

    def on_input_submitted(self) -> None:
        """Open what the cursor is on."""
        self.query_one(Choices).action_select()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Say what there is to say of the one under the cursor."""
        if event.option_index < len(self._listed):
            self._say(self._listed[event.option_index])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Open a scenario, or say why it cannot be opened."""
        entry = self._listed[event.option_index]
        if entry is None:
            return
        if entry.problem and not (isinstance(entry, Leftover) and entry.can_be_opened):
            self.notify(entry.problem, severity="error", markup=False)
        else:
            self.dismiss(entry)

    def _say(self, entry: Entry | Leftover | None) -> None:
        self.query_one("#about", Static).update(_about(entry))


def _has(entry: Entry | Leftover, wanted: str) -> bool:
    """Tell whether each of the words wanted is somewhere in what an entry says."""
    if isinstance(entry, Leftover):
        text = f"{_SESSIONS} {entry}"
    else:
        said = (entry.name, entry.title, entry.shape, entry.teaches, entry.group, entry.summary)
        text = " ".join(said)
    return all(word in text.lower() for word in wanted.lower().split())


def _ruled(group: str) -> Content:
    return Content.assemble((f"─ {group} ".ljust(74, "─"), "$muted"))


def _row(entry: Entry | Leftover) -> Content:
    """Write an entry in a line: its name, its network or formula, and what it teaches."""
    if isinstance(entry, Leftover):
        return Content.assemble(("An earlier session", "$primary"), "  ", (str(entry), "bold"))
    name, shape = entry.name.ljust(14), entry.shape.ljust(24)
    if entry.problem:
        problem = f"cannot be opened: {entry.problem.splitlines()[0]}"
        return Content.assemble((name, "$primary"), (problem, "$error"))
    return Content.assemble((name, "$primary"), (f"{shape} ", "$secondary"), entry.teaches)


def _about(entry: Entry | Leftover | None) -> Content:
    """Write what there is to say of an entry: its title, how much it is, and what it is about."""
    if entry is None:
        return Content.assemble(("Nothing has all these words; escape shows all again.", "$muted"))
    if isinstance(entry, Leftover):
        return Content.assemble((str(entry), "bold"), "\n", (printable(str(entry.path)), "$muted"))
    facts = f"  {entry.facts}" if entry.facts else ""
    summary = entry.problem.splitlines()[0] if entry.problem else entry.summary
    return Content.assemble((entry.title, "bold"), (facts, "$secondary"), "\n", (summary, "$muted"))
