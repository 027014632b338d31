"""The gallery: the built-in scenarios by what they teach, and the sessions that were left."""

from importlib import import_module
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from nnstep import scenarios
from nnstep.engine.saving.recovery import Leftover, leftovers
from nnstep.engine.text import printable
from nnstep.tui.panes.key_line import KeyLine

from .actions import Action, bindings, key_of
from .entries import FINISHED, Entry, entries, progress
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

    What is typed behind `/` leaves those that have all its words. An example that was left has a
    mark: how far it had come.
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
        OptionList > .option-list--option { padding: 0 1 0 0; }
        OptionList > .option-list--option-disabled { color: $muted; }
        #about { height: auto; min-height: 3; max-height: 4; padding: 0 1; background: $surface; }
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
        examples, sessions = tuple(entries()), leftovers()
        self._entries: list[Entry | Leftover] = [*examples, *sessions]
        newest = {each.scenario: each for each in reversed(sessions)}
        self._left = {
            each.name: newest[each.name]
            for each in examples
            if each.name in newest and not each.problem
        }
        self._marks = {
            each.name: progress(each.path, self._left[each.name].place)
            for each in examples
            if each.name in self._left
        }
        self._listed: list[Entry | Leftover | None] = []
        # The line that has brackets around its name.
        self._chosen: int | None = None

    def compose(self) -> ComposeResult:
        """Show the list between a heading and what there is to say of one, then the keys."""
        count = len(scenarios.names())
        yield Static(Content(f"nnstep: choose one of {count} examples"), id="heading")
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
        # This is done before the first key, and after what Textual draws as it starts.
        self.app.call_later(self.call_after_refresh, self._get_ready)

    def _get_ready(self) -> None:
        """Import the debugger, and read what can be looked for."""
        import_module("nnstep.tui.debugger")
        for entry in self._entries:
            if isinstance(entry, Entry):
                self.call_later(self._read, entry)

    def _read(self, entry: Entry) -> None:
        """Read the file of an example; if it cannot be opened, its line says so."""
        if entry.problem and entry in self._listed:
            at = self._listed.index(entry)
            row = self._row(entry, is_chosen=at == self._chosen)
            self.query_one(Choices).replace_option_prompt_at_index(at, row)

    def _list(self, wanted: str) -> None:
        """List what has all the words that are wanted, under the names of the groups."""
        choices = self.query_one(Choices)
        choices.clear_options()
        self._listed, self._chosen = [], None
        group = ""
        for entry in self._entries:
            if not _has(entry, wanted):
                continue
            its = entry.group if isinstance(entry, Entry) else _SESSIONS
            if its != group:
                group = its
                choices.add_option(Option(_ruled(group), disabled=True))
                self._listed.append(None)
            choices.add_option(Option(self._row(entry)))
            self._listed.append(entry)
        choices.highlighted = self._best(wanted)
        if not self._listed:
            self._say(None)

    def _best(self, wanted: str) -> int | None:
        """Return the line of what has the name that is wanted, or begins so; else the first."""
        names = {one.name: at for at, one in enumerate(self._listed) if isinstance(one, Entry)}
        word = wanted.strip().lower()
        begins = (at for name, at in names.items() if word and name.startswith(word))
        return names.get(word, next(begins, 1 if self._listed else None))

    def _row(self, entry: Entry | Leftover, *, is_chosen: bool = False) -> Content:
        mark = self._marks.get(entry.name, "") if isinstance(entry, Entry) else ""
        return _row(entry, mark, is_chosen=is_chosen)

    def action_open_it(self) -> None:
        """Open what the cursor is on."""
        self.query_one(Choices).action_select()

    def action_find(self) -> None:
        """Ask for words to look for."""
        find = self.query_one("#find", Input)
        find.display = True
        self.set_focus(find)  # at once: what is typed next is meant for it

    def action_take_up(self) -> None:
        """Go on with the newest session of the example under the cursor, or with that session."""
        at = self.query_one(Choices).highlighted
        entry = None if at is None else self._listed[at]
        left = self._left.get(entry.name) if isinstance(entry, Entry) else entry
        if left is None:
            about = self.query_one("#about", Static)
            about.update(Content("No session of this example was left; Enter opens it."))
        else:
            self.dismiss(left)

    def action_move(self, by: int) -> None:
        """Go up or down in the list while words are typed."""
        choices = self.query_one(Choices)
        if by > 0:
            choices.action_cursor_down()
        else:
            choices.action_cursor_up()

    def action_back(self) -> None:
        """Show all again, or go back to what was open, if anything was."""
        from .debugger import Debugger

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
        self.action_open_it()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Put the one under the cursor in brackets, and say what there is to say of it."""
        if event.option_index >= len(self._listed):
            return
        before, self._chosen = self._chosen, event.option_index
        for at in {before, self._chosen}:
            if at is not None and (entry := self._listed[at]) is not None:
                row = self._row(entry, is_chosen=at == self._chosen)
                event.option_list.replace_option_prompt_at_index(at, row)
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
        self.query_one("#about", Static).update(_about(entry, self._told(entry)))

    def _told(self, entry: Entry | Leftover | None) -> str:
        """Say how an example was left, and which key goes on with it; empty if it was not."""
        left = self._left.get(entry.name) if isinstance(entry, Entry) else None
        if left is None or not isinstance(entry, Entry):
            return ""
        mark = self._marks[entry.name]
        where = "the end" if mark == FINISHED else f"iteration {mark.removeprefix('it ')}"
        edits = {0: "", 1: ", with 1 edit"}.get(left.edits, f", with {left.edits} edits")
        return f"Left at {where}{edits}: {key_of(self._actions, 'take-up')} takes it up again."


def _has(entry: Entry | Leftover, wanted: str) -> bool:
    """Tell whether each of the words wanted is somewhere in what an entry says."""
    words = wanted.lower().split()
    if not words:
        return True
    if isinstance(entry, Leftover):
        text = f"{_SESSIONS} {entry}"
    else:
        said = (entry.name, entry.about.title, entry.shape, entry.teaches, entry.group)
        text = " ".join((*said, entry.about.summary))
    return all(word in text.lower() for word in words)


_LINE = 76
_NAME, _SHAPE, _TEACHES = 14, 24, 31


def _ruled(group: str) -> Content:
    """Write the name of a group in a rule: the examples are numbered, as the parts of a course."""
    groups = tuple(scenarios.GROUPS)
    number = f"{groups.index(group) + 1}  " if group in groups else ""
    right = " what it teaches ─" if group == groups[0] else ""
    return Content.assemble(
        (f" ─ {number}{group} ".ljust(_LINE - len(right), "─") + right, "$muted")
    )


def _row(entry: Entry | Leftover, mark: str = "", *, is_chosen: bool = False) -> Content:
    """Write an entry in a line: name, network or formula, what it teaches, how far it came."""
    name = "An earlier session" if isinstance(entry, Leftover) else entry.name
    name = f"[{name}]" if is_chosen else f" {name} "
    if isinstance(entry, Leftover):
        return Content.assemble((name, "$primary"), " ", (str(entry), "bold"))
    name, shape = name.ljust(_NAME), entry.shape.ljust(_SHAPE)
    if entry.is_read and entry.problem:
        problem = f"cannot be opened: {entry.problem.splitlines()[0]}"
        return Content.assemble((name, "$primary"), (problem, "$error"))
    room = _LINE - _NAME - _SHAPE - _TEACHES
    teaches = entry.teaches.ljust(_TEACHES) if mark else entry.teaches
    return Content.assemble(
        (name, "$primary"), (shape, "$secondary"), teaches, (mark and mark.rjust(room), "bold")
    )


def _about(entry: Entry | Leftover | None, left: str = "") -> Content:
    """Write what there is to say of an entry: its title, how much it is, and what it is about."""
    if entry is None:
        return Content.assemble(("Nothing has all these words; escape shows all again.", "$muted"))
    if isinstance(entry, Leftover):
        return Content.assemble((str(entry), "bold"), "\n", (printable(str(entry.path)), "$muted"))
    about = entry.about
    facts = f"  {about.facts}" if about.facts else ""
    summary = about.problem.splitlines()[0] if about.problem else about.summary
    more = f"\n{left}" if left else ""
    return Content.assemble(
        (about.title, "bold"), (facts, "$secondary"), "\n", (summary, "$muted"), (more, "bold")
    )
