"""The help: what the marks and words mean, what the keys do, and what the example is about."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, zip_longest
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.style import Style
from textual.widgets import Input, Markdown, Static

from nnstep.engine.text import printable

from .actions import Action
from .overlay import Field, Overlay
from .signs import draws_ascii
from .spelled import spelled
from .theme import Palette, palette_of

# A mark, what it means, and the style of the palette that it has on the screen.
MARKS = (
    ("●", "written by the step just run", "written"),
    ("○", "read by it", "read"),
    ("▶", "runs next", "strong"),
    ("·", "has run", "muted"),
    ("*  -", "a breakpoint; a disabled one", "strong"),
    ("[0.08]", "the cell in question", "selected"),
    ("‹0.59›", "it was computed from this", "source"),
    ("▲ ▼", "went up, went down", "text"),
    ("e  ≈", "edited by you; rests on it", "touched"),
    ("≠", "your own line; to, from NaN", "touched"),
    ("?", "printed is another number", "error"),
    ("!", "first sight of a fault", "error"),
    ("grey", "of the iteration before", "muted"),
    ("↑4 ↓18", "more above, more below", "muted"),
)
WORDS = (
    ("dW1", "∂L/∂W1: L per unit of W1"),
    ("z, a", "before, after the activation"),
    ("L", "the loss"),
    ("lr", "η, the learning rate"),
    ("⊙", "product cell by cell"),
    ("@", "matrix product"),
    ("Σₙ", "sum over the rows n"),
    ("σ, σ′", "sigmoid, its slope"),
    ("(2, 3)", "shape: 2 rows, 3 columns"),
    ("step", "one line of the program"),
    ("iteration", "one pass and one update"),
    ("epoch", "once through all the data"),
    ("batch", "the rows of an iteration"),
    ("kept", "the cache: forward values"),
    ("", "that the backward pass reads"),
    ("kink", "a point without a slope"),
)
# One mark of two meanings has two signs of ASCII.
_OWN_IN_ASCII = "  ≠   ", "  #! x"
PAGES = ("marks and words", "keys", "about this example")
# The columns of the marks and of the words, and from which width on they stand side by side.
_MARKS_WIDTH, _SIDE_BY_SIDE = 39, 80


class Help(Overlay[None]):
    """Shows one of three pages, or all the lines of them that have a text in them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "leave", show=False),
        Binding("right,l,tab", "turn(1)", show=False),
        Binding("left,h,shift+tab", "turn(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("slash", "find", show=False),
    ]
    DEFAULT_CSS = """
    Help {
        background: $background;
        #pages, #close { height: 1; background: $panel; color: $muted; }
        VerticalScroll { scrollbar-size-vertical: 1; }
        Markdown { padding: 0 1; margin: 0; background: $background; }
        Input, Input:focus {
            border: none; height: 1; padding: 0 1; background: $background; dock: bottom;
        }
    }
    """

    def __init__(
        self,
        actions: Sequence[Action],
        title: str,
        description: str,
        warnings: Sequence[str] = (),
        page: int = 0,
    ) -> None:
        super().__init__()
        self._actions = actions
        self._title = title
        self._description = description
        self._warnings = warnings
        self._page = page

    def compose(self) -> ComposeResult:
        """Leave room for a page between its title and the keys."""
        yield Static(id="pages")
        with VerticalScroll(can_focus=False):
            yield Static(id="text")
            yield Markdown(open_links=False)
        yield Static(Content(" esc back  ← → page  ↑ ↓ scroll  / find a key or a word"), id="close")

    def on_mount(self) -> None:
        """Show the first page that was asked for."""
        self._show()

    def on_resize(self) -> None:
        """Lay the page out anew."""
        self._show()

    def _show(self) -> None:
        """Show the page that is open."""
        named = (f"[{name}]" if at == self._page else name for at, name in enumerate(PAGES))
        names = "  ".join(named)
        turn = "← → page".rjust(max(0, self.app.size.width - len(names)))
        self.query_one("#pages", Static).update(Content(names + turn))
        is_about = self._page == len(PAGES) - 1
        self._fill(self._lines(self._page), self._description if is_about else "")
        self.query_one(VerticalScroll).scroll_home(animate=False)

    def _fill(self, lines: Iterable[str], description: str = "") -> None:
        palette = palette_of(self.app.current_theme, no_color=self.app.no_color)
        self.query_one("#text", Static).update(in_their_colours("\n".join(lines), palette))
        markdown = self.query_one(Markdown)
        markdown.display = bool(description)
        if description:
            markdown.update(description)

    def _lines(self, page: int) -> Iterator[str]:
        """Return the lines of a page, without the description of the scenario."""
        if page == 0:
            lines = marks_and_words(self.app.size.width, spell=self._spell)
            return (line.replace(*_OWN_IN_ASCII) if self._is_ascii else line for line in lines)
        return self._keys() if page == 1 else self._about()

    def _spell(self, text: str) -> str:
        """Write a sign of a formula in words, where the strip does so too."""
        return spelled(text) if self._is_ascii else text

    @property
    def _is_ascii(self) -> bool:
        return draws_ascii(self.app)

    def _keys(self) -> Iterator[str]:
        from nnstep.engine.commands.interpreter import COMMANDS

        for group, actions in groupby(_by_group(self._actions), lambda action: action.group):
            yield ""
            yield f" {group.upper()}"
            for action in actions:
                keys = " ".join(action.shown_keys)
                yield f"  {keys:<14} {action.description}"
        yield ""
        yield " COMMANDS, TYPED AFTER :"
        for command in COMMANDS:
            yield f"  {command.synopsis}"
            yield f"  {'':<14} {command.summary}"

    def _about(self) -> Iterator[str]:
        yield ""
        yield f" {self._title}" if self._title else " No example is open."
        if self._warnings:
            yield ""
            yield " WARNINGS"
            yield from (f"  {printable(warning)}" for warning in self._warnings)
        yield ""

    def action_turn(self, pages: int) -> None:
        """Turn to another page."""
        if not self.query(Input):
            self._page = (self._page + pages) % len(PAGES)
            self._show()

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        """Scroll by pages."""
        view = self.query_one(VerticalScroll)
        (view.scroll_page_down if pages > 0 else view.scroll_page_up)(animate=False)

    def action_find(self) -> None:
        """Ask for what to find."""
        if not self.query(Input):
            field = Field(placeholder="find a key or a word; Escape ends it")
            field.cursor_blink = False
            self.mount(field)
            field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show the lines of all pages that have what was typed in them."""
        if event.value:
            self._fill(self._found(event.value.lower()))
        else:
            self._show()

    def _found(self, text: str) -> Iterator[str]:
        words = ((self._spell(word), self._spell(meaning)) for word, meaning in WORDS)
        explained = (*((sign, meaning) for sign, meaning, _ in MARKS), *words)
        entries = (f"  {sign:<14} {meaning}" for sign, meaning in explained)
        about = (f"  {line}" for line in (self._title, *self._description.splitlines()))
        for name, lines in zip(PAGES, (entries, self._keys(), about), strict=True):
            found = [line for line in lines if text in line.lower()]
            if found:
                yield f" {name.upper()}"
                yield from found

    def action_leave(self) -> None:
        """End what is being found, or close."""
        if field := self.query(Input):
            field.remove()
            self._show()
        else:
            self.dismiss()


def marks_and_words(width: int, *, spell: Callable[[str], str]) -> Iterator[str]:
    """Return the lines that explain the screen, in one column or in two."""
    marks = [f"  {sign:<9}{meaning}" for sign, meaning, _ in MARKS]
    words = [f" {spell(word):<10} {spell(meaning)}" for word, meaning in WORDS]
    keys = (
        " THREE KEYS TO BEGIN",
        "  s  run one line      tab, arrows  choose a cell",
        "  S  take it back      enter        go to the step that wrote it",
    )
    yield ""
    if width >= _SIDE_BY_SIDE:
        yield " MARKS".ljust(_MARKS_WIDTH) + "WORDS"
        left = [*marks, *[""] * (len(words) - len(marks) - 1), keys[0]]
        yield from (
            f"{mark:<{_MARKS_WIDTH}}{word}" for mark, word in zip_longest(left, words, fillvalue="")
        )
        yield from keys[1:]
    else:
        yield from (" MARKS", *marks, "", " WORDS", *words, "", *keys)
    yield f"─ the screen {'─' * (width - 13)}"
    yield " the program on the left, its numbers on the right, how they came about below."


def in_their_colours(text: str, palette: Palette) -> Content:
    """Return lines whose headings stand out and whose marks look as they do on the screen."""
    content = Content(text)
    for heading in re.finditer(r"^ [A-Z]{2}[A-Z, :]*[A-Z:]|\bWORDS$", text, re.MULTILINE):
        content = content.stylize(Style(bold=True), *heading.span())
    for sign, meaning, says in MARKS:
        if found := re.search(rf"^  {re.escape(sign)} +{re.escape(meaning)}", text, re.MULTILINE):
            start = found.start() + 2
            style = Style.from_rich_style(getattr(palette, says))
            content = content.stylize(style, start, start + len(sign))
    return content


def _by_group(actions: Sequence[Action]) -> list[Action]:
    """Return the actions, those of a group together, in the order in which groups appear."""
    groups = list(dict.fromkeys(action.group for action in actions))
    return sorted(actions, key=lambda action: groups.index(action.group))
