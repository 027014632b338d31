"""What is typed is answered in order: a key waits until the one before has done all that it does.

Textual hands keys over as they come. A prompt that a key opens is there some messages later, and
what was typed meanwhile would go elsewhere. So keys and pastes wait here, and one is handed over
when the one before has passed through everything that could answer it. Esc and Ctrl+C, and the key
that quits, do not wait long: what was typed before them is given up then, as a terminal does.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import takewhile

from textual import events
from textual._time import get_time
from textual.app import App
from textual.dom import DOMNode
from textual.widgets import Input
from textual.worker import Worker, WorkerCancelled, WorkerFailed

from .failures import FailsafeApp

ESCAPE = "\x1b"

PATIENCE = 0.4
"""So many seconds Esc, Ctrl+C and the key that quits wait, once read, for what was before them."""

# A key may be answered by an action, that by a message, and that by a new screen or focus.
_LEAST_ROUNDS, _MOST_ROUNDS = 2, 12

# In seconds: how long what is sent has to leave before anything is done that nobody waits for, and
# after how long without a key somebody reads.
_REST, _READING = 0.005, 0.3

# How often to look whether what is waited for is still there.
_LOOK = 0.1

# What Esc and a letter mean where text is typed, for terminals that send them for words.
_IN_TEXT = {"alt+b": "ctrl+left", "alt+f": "ctrl+right"}


class EscapedKey(events.Key):
    """A key that came right behind Esc: typed fast one after the other, or together with Alt.

    A terminal sends the same bytes for both.
    """

    def __init__(self, key: events.Key) -> None:
        letter = key.character or ""
        is_capital = letter.isupper() and key.key == letter
        named = f"shift+{letter.lower()}" if is_capital else key.key.removeprefix("alt+")
        super().__init__(f"alt+{named.removeprefix('alt+')}", key.character)

    @property
    def apart(self) -> tuple[events.Key, events.Key]:
        """Esc, and the key behind it."""
        name = self.key.removeprefix("alt+")
        if name.startswith("shift+") and self.character:
            name = self.character
        return events.Key("escape", ESCAPE), events.Key(name, self.character)


class TypeAheadApp(FailsafeApp, inherit_bindings=False):
    """An app that answers what is typed in order."""

    def __init__(self) -> None:
        super().__init__()
        self._typed: deque[events.Key | events.Paste] = deque()
        # What was handed over last, past the others; what does so with those that wait.
        self._due: events.Event | None = None
        self._typist: asyncio.Task[None] | None = None
        # What had the keys when one was handed over.
        self._had_keys: DOMNode | None = None
        self._holding: list[Worker[None]] = []

    # What an app says of its keys

    def is_urgent(self, key: str) -> bool:
        """Tell whether a key does not wait long."""
        return key in ("escape", "ctrl+c")

    def is_text(self, before: Sequence[str]) -> bool:
        """Tell whether a letter is text, where it would be answered after these keys."""
        return isinstance(self.focused, Input)

    def answered(self, *, is_read: bool) -> None:
        """Do what there is time for while nothing that was typed waits for an answer.

        What takes longer has to wait until it is clear that the answer `is_read`.
        """

    def is_bound(self, key: str) -> bool:
        """Tell whether somebody has given a key a meaning of its own."""
        return False

    @property
    def is_behind(self) -> bool:
        """Whether something that was typed is not answered yet."""
        return self._typist is not None

    @property
    def is_hurried(self) -> bool:
        """Whether a key waits for its turn."""
        return bool(self._typed)

    @property
    def is_held(self) -> bool:
        """Whether what is typed waits for something that goes on."""
        self._holding = [worker for worker in self._holding if not worker.is_finished]
        return bool(self._holding)

    def hold(self, worker: Worker[None]) -> None:
        """Have what is typed wait, but for urgent keys, until a worker is done."""
        self._holding.append(worker)

    # Keys one after another

    async def on_event(self, event: events.Event) -> None:
        """Hand a key or a paste over when it is its turn, anything else at once."""
        is_in_turn = event is self._due or event.is_forwarded
        if isinstance(event, EscapedKey):
            for key in self._meant_by(event):
                await self.on_event(key)
        elif is_in_turn or not isinstance(event, events.Key | events.Paste):
            await self._take(event)
        elif self.is_behind or self.is_held:
            self._wait_in_line(event)
        else:
            self._due = event
            self._begin_to_hand_over()
            await self._take(event)

    def _meant_by(self, event: EscapedKey) -> tuple[events.Key, ...]:
        """Return one key with Alt, where it has a meaning, else Esc and the key behind it."""
        if isinstance(self.focused, Input) and event.key in _IN_TEXT:
            return (events.Key(_IN_TEXT[event.key], None),)
        in_text = isinstance(self.focused, Input) and event.key == "alt+backspace"
        if in_text or self.is_bound(event.key):
            return (events.Key(event.key, event.character),)
        return event.apart

    async def _take(self, event: events.Event) -> None:
        """Answer an event; what is pasted where nothing is asked for is dropped."""
        is_pasted = isinstance(event, events.Paste) and not event.is_forwarded
        is_lost = is_pasted and not isinstance(self.focused, Input)
        if not is_lost and not (isinstance(event, events.MouseDown) and self._is_on_removed(event)):
            await super().on_event(event)

    def _is_on_removed(self, event: events.MouseDown) -> bool:
        """Tell whether a click is on a widget that is drawn still, and gone already."""
        if not self.screen_stack:
            return False
        widget, _ = self.screen.get_widget_and_offset_at(event.x, event.y)
        return widget is not None and widget.parent is None

    def _wait_in_line(self, event: "events.Key | events.Paste") -> None:
        self._typed.append(event)
        if not self.is_behind:
            self._begin_to_hand_over()
        if isinstance(event, events.Key) and self.is_urgent(event.key):
            if self.is_held and len(self._typed) == 1:
                self._overtake(event)
            else:
                waited = get_time() - event.time
                self.set_timer(max(_LOOK, PATIENCE - waited), lambda: self._overtake(event))

    def _overtake(self, event: events.Key) -> None:
        """Hand an urgent key over now, if it still waits, in place of what was typed before it.

        A letter does not pass by what may be text; that is looked at again, as long as it waits.
        """
        if event not in self._typed:
            return
        # What is handed over now may open what takes text, and has not done so yet.
        before = (self._due, *takewhile(lambda each: each is not event, self._typed))
        keys = [each.key for each in before if isinstance(each, events.Key)]
        if event.is_printable and self.is_text(keys):
            self.set_timer(_LOOK, lambda: self._overtake(event))
            return
        while self._typed.popleft() is not event:
            pass
        self._release(event)

    def _release(self, event: "events.Key | events.Paste") -> None:
        self._due, self._had_keys = event, self._keys_go_to
        self.post_message(event)

    def _begin_to_hand_over(self) -> None:
        self._had_keys = self._keys_go_to
        self._typist = asyncio.create_task(self._hand_over(), name="typed ahead")

    async def _hand_over(self) -> None:
        """Hand over what waits, each when the one before is answered."""
        try:
            await self._settled()
            while self._typed and not self._exit:
                if self.is_held:
                    with suppress(WorkerFailed, WorkerCancelled):
                        await self._holding[0].wait()
                elif self._typed:
                    self._release(self._typed.popleft())
                await self._settled()
        finally:
            self._typist = None
        loop, last = asyncio.get_running_loop(), self._due
        loop.call_later(_REST, self.call_later, self._rest, last, False)
        loop.call_later(_READING, self.call_later, self._rest, last, True)

    def _rest(self, last: events.Event | None, is_read: bool) -> None:
        """Tell that nothing was typed since the last key for a while."""
        if self._due is last and not (self.is_behind or self._exit):
            self.answered(is_read=is_read)

    async def _settled(self) -> None:
        """Wait until all that a key has set off is through: messages, a new screen, its focus.

        Messages go up from the widget that has the keys. What goes the same way after them comes
        out after them. A widget that has the keys only now may have to be drawn before it can
        answer one: it learns then how much it can show.
        """
        for done in range(1, _MOST_ROUNDS + 1):
            path = self._path
            for node in path:
                await self._passed(node, node.call_later)
            is_quiet = not any(node.message_queue_size for node in path)
            if self._exit or (done >= _LEAST_ROUNDS and is_quiet and self._path == path):
                break
        if self.screen_stack and self._keys_go_to is not self._had_keys:
            await self._passed(self.screen, self.screen.call_after_refresh)

    @property
    def _path(self) -> list[DOMNode]:
        """What a key goes through, from the widget that has the keys up to the app."""
        return self._keys_go_to.ancestors_with_self

    @property
    def _keys_go_to(self) -> DOMNode:
        """What a key is handed to first."""
        return (self.focused or self.screen) if self.screen_stack else self

    async def _passed(self, node: DOMNode, later: Callable[[Callable[[], None]], bool]) -> None:
        """Wait until a node has done what it had to do so far, or is gone."""
        passed = asyncio.get_running_loop().create_future()

        def note() -> None:
            if not passed.done():
                passed.set_result(None)

        if later(note):
            while not passed.done() and (node is self or node.is_attached) and not self._exit:
                await asyncio.wait({passed}, timeout=_LOOK)


def hold(app: App[object], worker: Worker[None]) -> None:
    """Have what is typed wait for a worker, in an app that can do so."""
    if isinstance(app, TypeAheadApp):
        app.hold(worker)
