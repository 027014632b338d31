"""The application: which screen is open, whose keys hold, and how it ends."""

import asyncio
import signal
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from textual import events, work
from textual.app import SystemCommand
from textual.driver import Driver
from textual.filter import Monochrome, NoColor
from textual.reactive import Reactive
from textual.screen import Screen
from textual.theme import Theme

from nnstep.engine.text import printable

from .actions import bindings, key_of, remapped
from .config import Config
from .ready import collect_garbage
from .signs import PlainSigns, needs_ascii
from .spans_sent import spans_alone
from .theme import ALIASES, BY_NAME, DARK, LIGHT, fitting_theme
from .typeahead import TypeAheadApp

if TYPE_CHECKING:
    from rich.console import RenderableType

    from nnstep.engine.saving.recovery import Leftover, Taken
    from nnstep.engine.saving.replay import Opened
    from nnstep.engine.scenario.model import Scenario
    from nnstep.engine.session.session import Session

    from .debugger import Debugger
    from .entries import Entry
    from .messages import OpenSession

# What these open has letters for itself.
_ASKING = ("prompt", "edit", "palette")

_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class NnstepApp(TypeAheadApp, inherit_bindings=False, inherit_css=False):
    """Opens a scenario in the debugger, or the gallery to choose one.

    A `command` is the first that is executed there.

    Textual's own keys are not inherited: every key is in the list of actions. Neither are its
    styles for what this app has not: a maximized widget, a header, a table of keys.
    """

    TITLE = "nnstep"
    DEFAULT_CSS = """
    NnstepApp {
        background: $background;
        color: $foreground;
        &:ansi { background: ansi_default; color: ansi_default; }
    }
    """
    BINDINGS = bindings("app")
    # That of most terminals: with another one, Textual reads all styles once more.
    theme = Reactive(DARK.name)

    def __init__(
        self,
        scenario: "Scenario | None" = None,
        config: Config | None = None,
        opened: "Opened | None" = None,
        taken: "Taken | None" = None,
        command: str = "",
    ) -> None:
        super().__init__()
        self._command = command
        self._scenario = scenario
        self._opened = opened
        self._taken = taken
        self._config = config or Config()
        self.actions = remapped(self._config.keys)
        plain = self._config.ascii
        self.in_ascii = needs_ascii() if plain is None else plain
        if self.no_color:
            # Textual's own, of a theme that is not chosen yet, would make of no colour a black one.
            kept = [each for each in self._filters if not isinstance(each, Monochrome)]
            self._filters = [*kept, NoColor()]
        if self.in_ascii:
            self._filters.append(PlainSigns())
        self.theme = fitting_theme(self.console.color_system, no_color=self.no_color).name

    @property
    def available_themes(self) -> dict[str, Theme]:
        """The themes of Textual, and ours; Textual asks for one before any can be registered."""
        return {**super().available_themes, **BY_NAME}

    def get_theme(self, theme_name: str) -> Theme | None:
        """Return a theme by its name; that of the app is asked for with every line drawn."""
        return BY_NAME.get(theme_name) or super().get_theme(theme_name)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return what our styles name beside Textual's own, for the themes that are not ours."""
        ours = DARK if self.current_theme.dark else LIGHT
        return {"muted": ours.variables["muted"]}

    @property
    def asks_how_wide_signs_are(self) -> bool:
        """Whether the terminal is to say how wide its signs are; nobody else has said so."""
        return self._config.ascii is None and not self.in_ascii

    def use_ascii(self) -> None:
        """Show everything in ASCII from now on: this terminal shows other signs too wide."""
        from .debugger import Debugger
        from .panes.line_view import LineView

        if self.in_ascii:
            return
        self.in_ascii = True
        self._filters.append(PlainSigns())
        for screen in self.screen_stack:
            for widget in screen.query("*"):
                if isinstance(widget, LineView):
                    widget.repaint()
                else:
                    widget.refresh()
            if isinstance(screen, Debugger):
                screen.ask_again()

    def is_urgent(self, key: str) -> bool:
        """Tell whether a key does not wait long."""
        return super().is_urgent(key) or key in self._keys_of("quit")

    def is_text(self, before: Sequence[str]) -> bool:
        """Tell whether a letter is text, where it would be answered after these keys."""
        return super().is_text(before) or not self._keys_of(*_ASKING).isdisjoint(before)

    def is_bound(self, key: str) -> bool:
        """Tell whether somebody has given a key a meaning of its own."""
        return key in self._keys_of(*(each.id for each in self.actions))

    async def _take(self, event: events.Event) -> None:
        """Answer an event: a key of the debugger at once, and what it changes is drawn at once.

        Textual hands a key from queue to queue, to all that could take it before it is looked for
        among what keys are bound to; of the panes none does. Only what a mouse did just before goes
        the same way, and first.
        """
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super()._take(event)
            return
        from .debugger import Debugger

        screen = self.screen_stack[-1] if self.screen_stack else None
        if not (isinstance(screen, Debugger) and self._is_quiet(screen)):
            await super()._take(event)
            return
        self.app_focus = True
        screen.on_key()
        await screen.handle_key(event)  # Textual's own: Escape lets go of what is selected
        if not await self._check_bindings(event.key, priority=True):
            await self._check_bindings(event.key)
        screen.draw()

    def _is_quiet(self, screen: "Debugger") -> bool:
        """Tell whether a pane has the keys, and nothing else is on its way to one."""
        from .panes.pane import Pane

        nodes = (screen, *screen.children)
        return isinstance(self.focused, Pane) and not any(n.message_queue_size for n in nodes)

    def answered(self, *, is_read: bool) -> None:
        """Get ready for the next key."""
        from .debugger import Debugger

        if isinstance(self.screen, Debugger):
            self.screen.look_ahead(is_read=is_read)

    def _keys_of(self, *ids: str) -> set[str]:
        return {key for each in self.actions if each.id in ids for key in each.keys.split(",")}

    def _display(self, screen: Screen[object], renderable: "RenderableType | None") -> None:
        """Send what differs on the screen, and nothing beside it."""
        super()._display(screen, spans_alone(renderable))

    def get_driver_class(self) -> type[Driver]:
        """Read the terminal in a way that survives whatever it sends."""
        chosen: type[Driver] = super().get_driver_class()
        if chosen.__name__ != "LinuxDriver":
            return chosen
        from .terminal import SteadyDriver

        return SteadyDriver

    def get_default_screen(self) -> Screen[None]:
        """Start with the debugger if there is something to debug."""
        if self._scenario is None:
            return super().get_default_screen()
        return self._debugger(self._session(self._scenario), self._opened, self._taken)

    def on_mount(self) -> None:
        """Apply the configuration; without a scenario, open the gallery."""
        self.call_after_refresh(collect_garbage)
        self._end_on_signals()
        self.set_keymap(dict(self._config.keys))
        problems = list(self._config.problems)
        if (theme := self._config.theme) is not None:
            theme = ALIASES.get(theme, theme)
            if theme in self.available_themes:
                self.theme = theme
            else:
                problems.append(f"there is no theme {theme!r}")
        for problem in problems:
            self.notify(printable(problem), severity="warning", markup=False)
        if self._scenario is None:
            self.open_gallery()

    def _end_on_signals(self) -> None:
        """Leave the terminal as it was found when told to end from outside."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._end, 128 + number)

    def _end(self, status: int) -> None:
        self.exit(return_code=status)

    def _session(self, scenario: "Scenario") -> "Session":
        from nnstep.engine.session.session import Session

        return Session(scenario, history=self._config.history)

    def _debugger(
        self,
        session: "Session",
        opened: "Opened | None" = None,
        taken: "Taken | None" = None,
    ) -> Screen[None]:
        from .debugger import Debugger

        history = self._config.history
        command, self._command = self._command, ""
        return Debugger(
            session, self.actions, history=history, opened=opened, taken=taken, command=command
        )

    def on_open_gallery(self) -> None:
        """Do as a screen asks."""
        self.open_gallery()

    def open_gallery(self) -> None:
        """Let someone choose a scenario and open it."""
        from .gallery import Gallery

        self.push_screen(Gallery(self.actions), self._open)

    def _open(self, chosen: "Entry | Leftover | None") -> None:
        if chosen is not None:
            self.hold(self._open_later(chosen))

    @work
    async def _open_later(self, chosen: "Entry | Leftover") -> None:
        """Open what was chosen in place of what is on the screen; a large one takes a while."""
        try:
            session, opened, taken = await asyncio.to_thread(self._loaded, chosen)
        except ValueError as error:
            self.notify(str(error), severity="error", markup=False)
        else:
            self._scenario = session.scenario
            self._show(self._debugger(session, opened, taken))

    def _loaded(self, chosen: "Entry | Leftover") -> "tuple[Session, Opened | None, Taken | None]":
        """Load a scenario, or an earlier session; raise `ValueError` if that cannot be."""
        from .entries import Entry

        if isinstance(chosen, Entry):
            from nnstep.engine.loading import load

            return self._session(load(chosen.path)), None, None
        from nnstep.engine.saving.replay import take_up

        opened, taken = take_up(chosen.path)
        return self._session(opened.scenario), opened, taken

    def on_open_session(self, message: "OpenSession") -> None:
        """Show the session in place of the one on the screen."""
        from .debugger import Debugger

        history, replayed = self._config.history, message.replayed
        self._show(
            Debugger(
                replayed.session,
                self.actions,
                history=history,
                replayed=replayed,
                taken=message.taken,
            )
        )
        for said in filter(None, (replayed.warning, replayed.problem)):
            self.notify(said, severity="warning", markup=False)

    def _show(self, debugger: Screen[None]) -> None:
        """Show a debugger in place of the one on the screen."""
        from .debugger import Debugger

        if isinstance(self.screen, Debugger):
            self.screen.end(keep=True)
        # Textual does not let the first screen be replaced, so that one stays underneath.
        replace = len(self.screen_stack) > 1
        (self.switch_screen if replace else self.push_screen)(debugger)

    @property
    def kept(self) -> str:
        """What a sentence says of the session, if there is one."""
        debuggers = self._open_debuggers()
        if not debuggers:
            return ""
        return f"; the session {'is kept' if debuggers[-1].autosave.is_kept else 'goes on'}"

    def where_kept(self) -> Callable[[], str]:
        """Return what tells, once the app has ended, where the session is and how it goes on."""
        debuggers = self._open_debuggers()
        return debuggers[-1].autosave.where_kept if debuggers else str

    def say_failure(self, sentence: str) -> None:
        """Say that something failed: where keys are answered, or over what covers that."""
        if self._open_debuggers()[-1:] == [self.screen]:
            self._open_debuggers()[-1].say(sentence)
        else:
            super().say_failure(sentence)

    def _open_debuggers(self) -> "list[Debugger]":
        from .debugger import Debugger

        return [screen for screen in self.screen_stack if isinstance(screen, Debugger)]

    async def action_quit(self) -> None:
        """Quit at once."""
        self.quit()

    def quit(self) -> None:
        """Quit because somebody wants to: of the session, only its edits are worth keeping.

        The app may also end with its terminal; then all of it is kept.
        """
        from .debugger import Debugger

        for screen in self.screen_stack:
            if isinstance(screen, Debugger):
                screen.end(keep=False)
        self.exit()

    def on_quit(self) -> None:
        """Do as a screen asks."""
        self.quit()

    def action_interrupt(self) -> None:
        """Pause what is running; where nothing can be, say how to leave."""
        from .debugger import Debugger
        from .help import Help

        if isinstance(self.screen, Debugger):
            self.screen.action_interrupt()
        elif isinstance(self.screen, Help):
            self.notify("Escape goes back.", markup=False)
        else:
            self.notify(f"{key_of(self.actions, 'quit')} quits.", markup=False)

    def action_help(self, page: str = "marks") -> None:
        """Show what marks, words and keys mean, or what the scenario is about."""
        from .help import PAGES, Help

        scenario = self._scenario
        title = printable(scenario.title) if scenario else ""
        text = printable(scenario.description, keep_newlines=True) if scenario else ""
        warnings = scenario.warnings if scenario else ()
        at = len(PAGES) - 1 if page == "about" else 0
        self.push_screen(Help(self.actions, title, text, warnings, at))

    def action_command_palette(self) -> None:
        """Open the palette of actions."""
        from .overlay import Palette

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette())

    def search_themes(self) -> None:
        """Open the palette of themes."""
        from textual.theme import ThemeProvider

        from .overlay import Palette

        self.push_screen(Palette(providers=[ThemeProvider], placeholder="Search for themes…"))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Fill the command palette from the list of actions."""
        from .debugger import Debugger

        here = {"app", "debugger"} if isinstance(screen, Debugger) else {"app"}
        for action in self.actions:
            if action.scope in here and action.id != "palette":
                keys = " ".join(action.shown_keys)
                description = f"{action.description} ({keys})" if keys else action.description
                yield SystemCommand(
                    action.label,
                    description,
                    lambda runs=action.runs: self.screen.run_action(runs),
                )
