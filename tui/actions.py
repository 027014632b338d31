"""Everything a user can do, in one list.

The bindings, the footer, the help screen and the command palette are all made from it, so they
cannot disagree. An action's id is what a user remaps in the configuration file.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace
from textual.binding import Binding, BindingType
from textual.keys import format_key

from .panes import PANES, Row

_SHOWN = {
    "right": "→",
    "left": "←",
    "up": "↑",
    "down": "↓",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "enter": "enter",
    "tab": "tab",
    "shift+tab": "shift+tab",
}


class Action(Struct, frozen=True):
    """One thing to do: `does` says what, `scope` is where the keys are listened to.

    With a colon before it, it is a line of the prompt, whose blanks (`{cell}`, `{line}`) the screen
    fills in: the key is that command. Without, it is an action of the screen or of a pane, for what
    only they know. The scope is the app, the debugger, or, of those that the table of panes names,
    a kind of pane. `keys` is a comma-separated list; an action without keys is reached through the
    palette.
    """

    id: str
    keys: str
    label: str
    description: str
    group: str
    does: str
    scope: str = "debugger"

    @property
    def shown_keys(self) -> tuple[str, ...]:
        """The keys as they are written on the keyboard."""
        keys = self.keys.split(",") if self.keys else []
        return tuple(shown_key(key) for key in keys)

    @property
    def runs(self) -> str:
        """What Textual runs."""
        is_line = self.does.startswith(":")
        return f"screen.do({self.does[1:]!r})" if is_line else self.does


STEP, BACK, RUN, CHANGE, ASK, LOOK = "Step", "Back", "Run", "Change", "Ask", "Look around"
IN_PROGRAM, IN_TENSORS, PROGRAM = "In the program pane", "In a tensor pane", "nnstep"
IN_WATCHES, IN_TIMELINE, IN_TREE = "In the watch pane", "In the timeline", "In the tree"
IN_MAP = "In the map"


def _about(pane: Row) -> str:
    """Return what the digit of a pane does."""
    if pane.region != "main":
        return f"go to {pane.title}"
    return "the step, which follows" if pane.digit == 0 else f"{pane.title}, which stay until 0"


# fmt: off
ACTIONS: tuple[Action, ...] = (
    Action("step-op", "s,f11", "Step", "run one operation", STEP, ":step"),
    Action("step-layer", "n,f10", "Layer",
           "run to the next layer", STEP, ":step layer"),
    Action("step-phase", "f", "Finish phase",
           "run to the end of the phase", STEP, ":step phase"),
    Action("step-iteration", "i", "Iteration",
           "run to the next iteration", STEP, ":step iteration"),
    Action("back-op", "S", "Step back", "one operation back", BACK, ":back"),
    Action("back-layer", "N", "Layer back",
           "back to where the layer begins", BACK, ":back layer"),
    Action("back-phase", "F", "Phase back",
           "back to where the phase begins", BACK, ":back phase"),
    Action("back-iteration", "I", "Iteration back",
           "back to where the iteration begins", BACK, ":back iteration"),
    Action("first", "g", "First step", "go to the first step", BACK, ":goto start"),
    Action("newest", "G", "Newest step", "go to the newest step", BACK, ":goto newest"),
    Action("run", "space", "Run or pause", "run, or pause", RUN, "run"),
    Action("continue", "c,f5", "Continue",
           "go on to the next stop: a breakpoint, a watchpoint, a value that is not finite",
           RUN, ":continue"),
    Action("continue-back", "C", "Continue back",
           "go back to the previous stop", RUN, ":continue back"),
    Action("breakpoint", "b", "Breakpoint",
           "set or remove a breakpoint on this line",
           RUN, ":toggle line {line}"),
    Action("faster", "plus,equals_sign", "Faster", "run faster", RUN, "change_speed(1)"),
    Action("slower", "minus", "Slower", "run slower", RUN, "change_speed(-1)"),
    Action("restart", "r", "Restart", "start again with the same seed", RUN, ":restart"),
    Action("reseed", "R", "New seed", "start again with a new seed", RUN, ":restart seed {seed}"),
    Action("edit", "e", "Edit", "change the cell in question", CHANGE, "edit"),
    Action("override", "O", "Override",
           "put a line of your own in place of this one",
           CHANGE, "prompt('override {code}')"),
    Action("undo", "u", "Undo",
           "take the last change back", CHANGE, ":undo"),
    Action("redo", "U", "Redo", "make that change again", CHANGE, ":redo"),
    Action("copy", "y", "Copy",
           "copy what is selected, or the cell in question; or take up the session offered",
           ASK, "copy"),
    Action("resume", "", "Take up", "take the earlier session up again", CHANGE, "recover"),
    Action("watch", "w", "Watch",
           "watch the cell in question, or no longer",
           ASK, ":toggle watch {watched}"),
    Action("writer", "enter", "Its step",
           "go to the step that wrote the cell in question; there, what can be asked about it",
           ASK, "writer"),
    Action("inside", "semicolon", "Inside",
           "inside the cell in question: its calculation, part by part", ASK, "inside"),
    Action("jump-back", "comma", "Jump back",
           "out of a cell; else back to where one was before enter, ! or goto", ASK, "out"),
    Action("jump-on", "full_stop", "Jump on", "forward again", ASK, ":jump on"),
    Action("sources", "p", "Where from",
           "the tree of what the cell in question was computed from", ASK, "tree('sources')"),
    Action("readers", "P", "Where to",
           "the tree of what is computed from it", ASK, "tree('readers')"),
    Action("why", "W", "Why", "follow the cell in question to the cause of its value", ASK,
           ":why {asked}"),
    Action("what-if", "x", "What if",
           "see what the loss would be if the cell in question were another", ASK, "what_if"),
    Action("verify", "v", "Verify",
           "verify the gradients here", ASK, ":verify"),
    Action("fault", "exclamation_mark", "Fault",
           "go to the next fault, or to the first again", ASK, ":goto fault {fault}"),
    Action("timeline", "t", "Timeline",
           "show the timeline and the branches, or hide them",
           LOOK, "toggle_pane(7)"),
    Action("map", "m", "Map",
           "the map: blocks or graph; again: layers; again: away", LOOK, "map"),
    Action("prompt", "colon", "Prompt", "type a command", ASK, "prompt"),
    Action("zoom", "z", "Zoom",
           "show this pane alone; again: large; again: all", LOOK, "zoom"),
    Action("next-pane", "tab", "Next pane",
           "go to the next pane that is seen", LOOK, "next_pane(1)"),
    Action("previous-pane", "shift+tab", "Previous pane",
           "go to the pane before", LOOK, "next_pane(-1)"),
    *(
        Action(f"pane-{pane.digit}", str(pane.digit), f"Pane {pane.digit}: {pane.title}",
               _about(pane), LOOK, f"pane({pane.digit})")
        for pane in PANES
        if pane.shown != "with room" and pane.digit is not None
    ),
    Action("step-arrow", "right,l", "Step",
           "run one operation", IN_PROGRAM, ":step", "program"),
    Action("back-arrow", "left,h", "Step back",
           "one operation back", IN_PROGRAM, ":back", "program"),
    Action("program-up", "up,k", "Up", "a line up", IN_PROGRAM, "scroll_lines(-1)", "program"),
    Action("program-down", "down,j", "Down",
           "a line down", IN_PROGRAM, "scroll_lines(1)", "program"),
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
    Action("cell-up", "up,k", "Up", "a cell up", IN_TENSORS, "cursor(-1, 0)", "tensors"),
    Action("cell-down", "down,j", "Down", "a cell down", IN_TENSORS, "cursor(1, 0)", "tensors"),
    Action("cell-left", "left,h", "Left", "a cell left", IN_TENSORS, "cursor(0, -1)", "tensors"),
    Action("cell-right", "right,l", "Right", "a cell right", IN_TENSORS, "cursor(0, 1)", "tensors"),
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
    Action("watch-up", "up,k", "Up", "a watch up", IN_WATCHES, "select(-1)", "watches"),
    Action("watch-down", "down,j", "Down", "a watch down", IN_WATCHES, "select(1)", "watches"),
    Action("scrub-back", "left,h", "Back",
           "an iteration back", IN_TIMELINE, "scrub(-1)", "timeline"),
    Action("scrub-on", "right,l", "On", "an iteration on", IN_TIMELINE, "scrub(1)", "timeline"),
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
    Action("branch-up", "up,k", "Branch up", "a branch up", IN_TIMELINE, "branch(-1)", "timeline"),
    Action("branch-down", "down,j", "Branch down",
           "a branch down", IN_TIMELINE, "branch(1)", "timeline"),
    Action("branch-go", "enter", "Switch",
           "go to the branch selected", IN_TIMELINE, "enter", "timeline"),
    Action("tree-open", "right,l", "Open",
           "open a node, or go to the first below it", IN_TREE, "open_node", "tree"),
    Action("tree-close", "left,h", "Close",
           "close a node, or go to the one above it", IN_TREE, "close_node", "tree"),
    Action("tree-up", "up,k", "Up", "a node up", IN_TREE, "node(-1)", "tree"),
    Action("tree-down", "down,j", "Down", "a node down", IN_TREE, "node(1)", "tree"),
    Action("tree-go", "enter", "Go there",
           "go to the step that wrote the node; jump back comes back into the tree",
           IN_TREE, "go_there", "tree"),
    Action("tree-leave", "escape", "Close the tree",
           "close the tree", IN_TREE, "leave", "tree"),
    Action("map-left", "left,h", "Left", "what is at the left", IN_MAP, "go(-1, 0)", "map"),
    Action("map-right", "right,l", "Right", "what is at the right", IN_MAP, "go(1, 0)", "map"),
    Action("map-up", "up,k", "Up", "what is above; a layer up", IN_MAP, "go(0, -1)", "map"),
    Action("map-down", "down,j", "Down", "what is below; a layer down", IN_MAP, "go(0, 1)", "map"),
    Action("map-go", "enter", "Go there",
           "go to the step that wrote it; of a layer, its gradient", IN_MAP, "enter", "map"),
    Action("open-example", "enter", "Open", "open this example", PROGRAM, "open_it", "gallery"),
    Action("find", "slash", "Find", "find an example", PROGRAM, "find", "gallery"),
    Action("take-up", "y", "Take up",
           "go on with an example that was left", PROGRAM, "take_up", "gallery"),
    Action("gallery", "o", "Open", "choose another scenario", PROGRAM, "open_gallery"),
    Action("help", "question_mark,f1", "Help",
           "what the marks, the words and the keys mean", PROGRAM, "help", "app"),
    Action("about", "a", "About", "about this example", PROGRAM, "help('about')", "app"),
    Action("palette", "ctrl+p", "Command palette",
           "find an action by its name", PROGRAM, "command_palette", "app"),
    Action("theme", "", "Theme", "choose other colours", PROGRAM, "change_theme", "app"),
    Action("interrupt", "ctrl+c", "Pause", "pause; it does not quit", PROGRAM, "interrupt", "app"),
    Action("quit", "q", "Quit", "quit at once", PROGRAM, "quit", "app"),
)
# fmt: on


def _of_tensors(enter: str) -> tuple[tuple[str, str], ...]:
    """Return the keys of a pane of tensors; `enter` is what Enter leads to."""
    return (
        ("cell-left cell-up cell-down cell-right", "cell"),
        ("writer", enter),
        ("edit", "edit"),
        ("watch", "watch"),
        ("step-op", "step"),
        ("back-op", "back"),
        ("help", "help"),
        ("prompt", "prompt"),
        ("step-layer", "layer"),
        ("quit", "quit"),
        ("undo", "undo"),
        ("verify", "verify"),
        ("timeline", "timeline"),
    )


# The keys on the last line: those of what has the focus, the commonest first. There is always room
# for help; of the others, as many as fit are shown. Several keys stand side by side for one word.
FOOTERS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "program": (
        ("step-op", "step"),
        ("back-op", "back"),
        ("step-iteration", "iteration"),
        ("run", "run"),
        ("next-pane", "cells"),
        ("map", "map"),
        ("help", "help"),
        ("quit", "quit"),
        ("prompt", "prompt"),
        ("step-layer", "layer"),
        ("step-phase", "phase"),
        ("continue", "stop"),
        ("breakpoint", "break"),
        ("override", "override"),
        ("timeline", "timeline"),
        ("undo", "undo"),
        ("verify", "verify"),
    ),
    "tensors": _of_tensors("its step"),
    "own step": _of_tensors("why"),
    "large": (
        ("step-op", "step"),
        ("back-op", "back"),
        ("cell-left cell-up cell-down cell-right", "cell"),
        ("step-layer", "layer"),
        ("zoom", "all panes"),
        ("help", "help"),
        ("quit", "quit"),
        ("prompt", "prompt"),
    ),
    "watches": (
        ("watch-up watch-down", "choose"),
        ("watch", "remove"),
        ("step-op", "step"),
        ("back-op", "back"),
        ("help", "help"),
        ("prompt", "prompt"),
        ("quit", "quit"),
    ),
    "timeline": (
        ("scrub-back scrub-on", "iteration"),
        ("mark-back mark-on", "mark"),
        ("branch-up branch-down", "branch"),
        ("branch-go", "switch"),
        ("timeline", "close"),
        ("help", "help"),
        ("quit", "quit"),
    ),
    "tree": (
        ("tree-open", "open"),
        ("tree-close", "close"),
        ("tree-go", "go there"),
        ("jump-back", "back"),
        ("sources readers", "turn round"),
        ("tree-leave", "close"),
        ("help", "help"),
        ("why", "why"),
        ("prompt", "prompt"),
        ("quit", "quit"),
    ),
    "inside": (
        ("inside", "next part"),
        ("jump-back", "leave"),
        ("step-op", "step"),
        ("back-op", "back"),
        ("zoom", "large"),
        ("help", "help"),
        ("quit", "quit"),
        ("prompt", "prompt"),
    ),
    "map": (
        ("map-left map-right", "block"),
        ("map-up map-down", "line"),
        ("map-go", "go there"),
        ("step-op", "step"),
        ("back-op", "back"),
        ("map", "layers"),
        ("help", "help"),
        ("quit", "quit"),
        ("prompt", "prompt"),
        ("step-layer", "layer"),
        ("edit", "edit"),
    ),
    "graph": (
        ("map-left map-up map-down map-right", "node"),
        ("map-go", "go there"),
        ("step-op", "step"),
        ("back-op", "back"),
        ("edit", "edit"),
        ("map", "layers"),
        ("help", "help"),
        ("quit", "quit"),
        ("prompt", "prompt"),
    ),
    "layers": (
        ("map-up map-down", "layer"),
        ("map-go", "its gradient"),
        ("step-iteration", "iteration"),
        ("back-iteration", "back"),
        ("run", "run"),
        ("map", "close"),
        ("help", "help"),
        ("continue", "next stop"),
        ("fault", "fault"),
        ("prompt", "prompt"),
        ("quit", "quit"),
    ),
    "": (
        ("step-op", "step"),
        ("back-op", "back"),
        ("step-iteration", "iteration"),
        ("zoom", "zoom"),
        ("next-pane", "cells"),
        ("help", "help"),
        ("quit", "quit"),
        ("prompt", "prompt"),
    ),
    "gallery": (
        ("open-example", "open"),
        ("take-up", "take up"),
        ("find", "find"),
        ("help", "help"),
        ("quit", "quit"),
    ),
}

REPLACED: Mapping[str, str] = {
    "pin": "a tab that was chosen by its digit stays, and pane-0 follows the step again",
    "last-change": "writer goes to the step that wrote the cell in question",
    "recover": "copy takes the earlier session up while it is offered, and resume at any time",
}
"""The ids of actions that are gone, and what took their place."""


def bindings(scope: str) -> list[BindingType]:
    """Return the bindings of a scope, for the `BINDINGS` of the class that has it."""
    return [
        Binding(action.keys, action.runs, action.description, show=False, id=action.id)
        for action in ACTIONS
        if action.scope == scope and action.keys
    ]


def shown_key(key: str) -> str:
    """Write a key as it stands on the keyboard."""
    if key in _SHOWN:
        return _SHOWN[key]
    return key.upper() if key[:1] == "f" and key[1:].isdigit() else format_key(key)


def remapped(keys: Mapping[str, str]) -> tuple[Action, ...]:
    """Return the actions with the keys that a user has chosen, by id."""
    return tuple(
        replace(action, keys=keys[action.id]) if action.id in keys else action for action in ACTIONS
    )


def of_id(action_id: str) -> Action:
    """Return an action, with the keys that it has by itself."""
    return next(action for action in ACTIONS if action.id == action_id)


def key_of(actions: Sequence[Action], action_id: str) -> str:
    """Return the first key of an action as it is written on the keyboard."""
    return next(action.shown_keys[0] for action in actions if action.id == action_id)
