"""Everything a user can do, in one list.

The bindings, the footer, the help screen and the command palette are all made from it, so they
cannot disagree. An action's id is what a user remaps in the configuration file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from textual.binding import Binding, BindingType
from textual.keys import format_key

from .panes import PANES

_SHOWN = {"right": "→", "left": "←", "up": "↑", "down": "↓", "pageup": "PgUp", "pagedown": "PgDn"}


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do: `does` says what, `scope` is where the keys are listened to.

    With a colon before it, it is a line of the prompt, whose blanks (`{cell}`, `{line}`) the screen
    fills in: the key is that command. Without, it is an action of the screen or of a pane, for what
    only they know. The scope is the app, the debugger, or, of those that the table of panes names,
    a kind of pane. `keys` is a comma-separated list; an action without keys is reached through the
    palette.
    `footer` is its word on the last line, None if it has no place there; where there is not room
    for all, those of the lowest `rank` come first.
    """

    id: str
    keys: str
    label: str
    description: str
    group: str
    does: str
    scope: str = "debugger"
    footer: str | None = None
    rank: int = 0

    @property
    def shown_keys(self) -> tuple[str, ...]:
        """The keys as they are written on the keyboard."""
        keys = self.keys.split(",") if self.keys else []
        return tuple(_shown(key) for key in keys)

    @property
    def runs(self) -> str:
        """What Textual runs."""
        is_line = self.does.startswith(":")
        return f"screen.do({self.does[1:]!r})" if is_line else self.does


STEP, BACK, RUN, CHANGE, ASK, LOOK = "Step", "Back", "Run", "Change", "Ask", "Look around"
IN_PROGRAM, IN_TENSORS, PROGRAM = "In the program pane", "In a tensor pane", "nnstep"
IN_WATCHES, IN_TIMELINE = "In the watch pane", "In the timeline"

# fmt: off
ACTIONS: tuple[Action, ...] = (
    Action("step-op", "s,f11", "Step", "run one operation", STEP, ":step", footer="op"),
    Action("step-layer", "n,f10", "Layer",
           "run to the next layer", STEP, ":step layer", footer="layer", rank=1),
    Action("step-phase", "f", "Finish phase",
           "run to the end of the phase", STEP, ":step phase", footer="phase", rank=2),
    Action("step-iteration", "i", "Iteration",
           "run to the next iteration", STEP, ":step iteration", footer="iteration"),
    Action("back-op", "S", "Step back", "one operation back", BACK, ":back", footer="back"),
    Action("back-layer", "N", "Layer back",
           "back to where the layer begins", BACK, ":back layer"),
    Action("back-phase", "F", "Phase back",
           "back to where the phase begins", BACK, ":back phase"),
    Action("back-iteration", "I", "Iteration back",
           "back to where the iteration begins", BACK, ":back iteration"),
    Action("first", "g", "First step", "go to the first step", BACK, ":goto start"),
    Action("newest", "G", "Newest step", "go to the newest step", BACK, ":goto newest"),
    Action("run", "space", "Run or pause", "run, or pause", RUN, "run", footer="run"),
    Action("continue", "c,f5", "Continue",
           "go on to the next stop: a breakpoint, a watchpoint, a value that is not finite",
           RUN, ":continue", footer="stop"),
    Action("continue-back", "C", "Continue back",
           "go back to the previous stop", RUN, ":continue back"),
    Action("breakpoint", "b", "Breakpoint",
           "set or remove a breakpoint on this line",
           RUN, ":toggle line {line}", footer="break", rank=1),
    Action("faster", "plus,equals_sign", "Faster", "run faster", RUN, "change_speed(1)"),
    Action("slower", "minus", "Slower", "run slower", RUN, "change_speed(-1)"),
    Action("restart", "r", "Restart", "start again with the same seed", RUN, ":restart"),
    Action("reseed", "R", "New seed", "start again with a new seed", RUN, ":restart seed {seed}"),
    Action("edit", "e", "Edit", "change the value under the cursor", CHANGE, "edit", footer="edit"),
    Action("undo", "u", "Undo",
           "take the last change back", CHANGE, ":undo", footer="undo", rank=2),
    Action("redo", "U", "Redo", "make that change again", CHANGE, ":redo"),
    Action("recover", "y", "Take up", "take the earlier session up again", CHANGE, "recover"),
    Action("watch", "w", "Watch",
           "watch the cell under the cursor, or no longer",
           ASK, ":toggle watch {watched}", footer="watch", rank=2),
    Action("last-change", "l", "Last change",
           "who last changed the cell under the cursor: go there", ASK, ":who {cell}"),
    Action("verify", "v", "Verify",
           "verify the gradients here", ASK, ":verify", footer="verify", rank=2),
    Action("fault", "exclamation_mark", "Fault",
           "go to the next fault, or to the first again", ASK, ":goto fault {fault}"),
    Action("timeline", "t", "Timeline",
           "show the timeline and the branches, or hide them",
           LOOK, "toggle_pane(7)", footer="timeline", rank=1),
    Action("prompt", "colon", "Prompt", "type a command", ASK, "prompt", footer="prompt"),
    Action("zoom", "z", "Zoom", "show this pane alone, or all again", LOOK, "zoom"),
    Action("pin", "k", "Keep", "keep this tab: stop or start following", LOOK, "pin"),
    Action("next-pane", "tab", "Next pane", "go to the next pane", LOOK, "next_pane(1)"),
    Action("previous-pane", "shift+tab", "Previous pane",
           "go to the pane before", LOOK, "next_pane(-1)"),
    *(
        Action(f"pane-{pane.digit}", str(pane.digit), f"Pane {pane.digit}: {pane.title}",
               f"go to {pane.title}", LOOK, f"pane({pane.digit})")
        for pane in PANES
    ),
    Action("step-arrow", "right", "Step",
           "run one operation", IN_PROGRAM, ":step", "program"),
    Action("back-arrow", "left", "Step back",
           "one operation back", IN_PROGRAM, ":back", "program"),
    Action("program-up", "up", "Up", "a line up", IN_PROGRAM, "scroll_lines(-1)", "program"),
    Action("program-down", "down", "Down", "a line down", IN_PROGRAM, "scroll_lines(1)", "program"),
    Action("program-page-up", "pageup", "Page up",
           "a page up", IN_PROGRAM, "scroll_pages(-1)", "program"),
    Action("program-page-down", "pagedown", "Page down",
           "a page down", IN_PROGRAM, "scroll_pages(1)", "program"),
    Action("program-home", "home", "First line",
           "go to the first line", IN_PROGRAM, "scroll_edge(0)", "program"),
    Action("program-end", "end", "Last line",
           "go to the last line", IN_PROGRAM, "scroll_edge(-1)", "program"),
    Action("program-left", "less_than_sign", "Scroll left",
           "see the beginning of long lines", IN_PROGRAM, "scroll_code(-8)", "program"),
    Action("program-right", "greater_than_sign", "Scroll right",
           "see the end of long lines", IN_PROGRAM, "scroll_code(8)", "program"),
    Action("cell-up", "up", "Up", "a cell up", IN_TENSORS, "cursor(-1, 0)", "tensors"),
    Action("cell-down", "down", "Down", "a cell down", IN_TENSORS, "cursor(1, 0)", "tensors"),
    Action("cell-left", "left", "Left", "a cell left", IN_TENSORS, "cursor(0, -1)", "tensors"),
    Action("cell-right", "right", "Right", "a cell right", IN_TENSORS, "cursor(0, 1)", "tensors"),
    Action("page-up", "pageup", "Page up", "a page up", IN_TENSORS, "page(-1)", "tensors"),
    Action("page-down", "pagedown", "Page down", "a page down", IN_TENSORS, "page(1)", "tensors"),
    Action("row-start", "home", "Row start",
           "first cell of the row", IN_TENSORS, "row_edge(0)", "tensors"),
    Action("row-end", "end", "Row end",
           "last cell of the row", IN_TENSORS, "row_edge(-1)", "tensors"),
    Action("first-cell", "ctrl+home", "First cell",
           "first cell of the pane", IN_TENSORS, "pane_edge(0)", "tensors"),
    Action("last-cell", "ctrl+end", "Last cell",
           "last cell of the pane", IN_TENSORS, "pane_edge(-1)", "tensors"),
    Action("watch-up", "up", "Up", "a watch up", IN_WATCHES, "select(-1)", "watches"),
    Action("watch-down", "down", "Down", "a watch down", IN_WATCHES, "select(1)", "watches"),
    Action("scrub-back", "left", "Back", "an iteration back", IN_TIMELINE, "scrub(-1)", "timeline"),
    Action("scrub-on", "right", "On", "an iteration on", IN_TIMELINE, "scrub(1)", "timeline"),
    Action("scrub-page-back", "pageup", "Far back",
           "a tenth of the curve back", IN_TIMELINE, "scrub_page(-1)", "timeline"),
    Action("scrub-page-on", "pagedown", "Far on",
           "a tenth of the curve on", IN_TIMELINE, "scrub_page(1)", "timeline"),
    Action("scrub-first", "home", "First",
           "the first step", IN_TIMELINE, "scrub_edge(0)", "timeline"),
    Action("scrub-newest", "end", "Newest",
           "the newest step", IN_TIMELINE, "scrub_edge(-1)", "timeline"),
    Action("mark-back", "less_than_sign", "Previous mark",
           "the edit, fault or branch before", IN_TIMELINE, "mark(-1)", "timeline"),
    Action("mark-on", "greater_than_sign", "Next mark",
           "the next edit, fault or branch", IN_TIMELINE, "mark(1)", "timeline"),
    Action("branch-up", "up", "Branch up", "a branch up", IN_TIMELINE, "branch(-1)", "timeline"),
    Action("branch-down", "down", "Branch down",
           "a branch down", IN_TIMELINE, "branch(1)", "timeline"),
    Action("branch-go", "enter", "Switch",
           "go to the branch selected", IN_TIMELINE, "enter", "timeline"),
    Action("find", "slash", "Find", "find an example", PROGRAM, "find", "gallery", footer="find"),
    Action("gallery", "o", "Open", "choose another scenario", PROGRAM, "open_gallery"),
    Action("help", "question_mark,f1", "Help",
           "these keys, and what the scenario is about", PROGRAM, "help", "app", footer="help"),
    Action("palette", "ctrl+p", "Command palette",
           "find an action by its name", PROGRAM, "command_palette", "app"),
    Action("theme", "", "Theme", "choose other colours", PROGRAM, "change_theme", "app"),
    Action("interrupt", "ctrl+c", "Pause", "pause; it does not quit", PROGRAM, "interrupt", "app"),
    Action("quit", "q", "Quit", "quit at once", PROGRAM, "quit", "app", footer="quit"),
)
# fmt: on


def bindings(scope: str) -> list[BindingType]:
    """Return the bindings of a scope, for the `BINDINGS` of the class that has it."""
    return [
        Binding(action.keys, action.runs, action.description, show=False, id=action.id)
        for action in ACTIONS
        if action.scope == scope and action.keys
    ]


def _shown(key: str) -> str:
    """Write a key as it stands on the keyboard."""
    if key in _SHOWN:
        return _SHOWN[key]
    return key.upper() if key[:1] == "f" and key[1:].isdigit() else format_key(key)


def remapped(keys: Mapping[str, str]) -> tuple[Action, ...]:
    """Return the actions with the keys that a user has chosen, by id."""
    return tuple(
        replace(action, keys=keys[action.id]) if action.id in keys else action for action in ACTIONS
    )


def key_of(actions: Sequence[Action], action_id: str) -> str:
    """Return the first key of an action as it is written on the keyboard."""
    return next(action.shown_keys[0] for action in actions if action.id == action_id)
