"""The strip: the one place that speaks, of the cell in question and of whatever was asked for.

Its head is a rule with the cell and its value; the lines below say how it got that. An answer to a
key takes the last of these lines, as many as it needs, until the next key.
"""

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from nnstep.engine.arrays import Shape
from nnstep.engine.insight import Insight
from nnstep.engine.program.program import Role
from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.actions import Action, key_of
from nnstep.tui.numbers import direction, format_exact, is_same, to_significant
from nnstep.tui.signs import draws_ascii
from nnstep.tui.spelled import spelled

from .besides import Labelled, besides
from .large import left_of
from .line_view import Line, Piece, columns, empty, fit
from .scene import Asked, Scene, Topic
from .scene_view import SceneView

if TYPE_CHECKING:
    from nnstep.engine.explain.explanation import Explanation
    from nnstep.engine.override.comparison import Comparison

RULE = "─"
# From so many columns on, every line begins with a label; below that, those of what is said
# besides rule, numbers and meaning, where there are more lines than for these.
WIDE, NARROW_LINES = 100, 3
BESIDES = ("from", "feeds", "before", "zeros", "special", "factors", "check")


class Opening(Struct, frozen=True):
    """What is said before the first step: of what this is a run, and how one begins."""

    title: str
    hint: str
    lines: tuple[str, ...]

    @classmethod
    def of(cls, title: str, actions: tuple[Action, ...]) -> "Opening":
        """Tell of a run with a title by which of the actions' keys one begins."""
        lines = (
            f"{key_of(actions, 'step-op')} runs the line at ▶. Its numbers appear above on the "
            "right: what it reads,",
            "below it what it writes; and here, how each of them was computed.",
            f"{key_of(actions, 'help')} explains the marks and the words.",
        )
        return cls(title, f"{key_of(actions, 'about')} reads about it", lines)


class Strip(SceneView):
    """Speaks of the cell in question; `message` is the answer to the last key, empty for none."""

    STATE = ("_snapshot", "_scene", "_message", "topic", "large")

    def __init__(self, *, id: str, opening: Opening | None = None) -> None:
        super().__init__(id=id)
        self._opening = opening
        self._snapshot: Snapshot | None = None
        self._scene: Scene | None = None
        self._message = ""
        # What to speak of in place of the cell, None for nothing.
        self.topic: Topic | None = None
        # Whether there is a blank line after each.
        self.large = False

    def show(self, snapshot: Snapshot, scene: Scene) -> None:
        """Speak of the cell in question."""
        self._snapshot, self._scene = snapshot, scene
        self.redraw()

    def look_ahead(self, snapshot: Snapshot, scene: Scene) -> None:
        """Draw on the side what there will be to say; the next key takes the message away."""
        message, self._message = self._message, ""
        try:
            super().look_ahead(snapshot, scene)
        finally:
            self._message = message

    @property
    def message(self) -> str:
        """What is said now in answer to a key."""
        return self._message

    @message.setter
    def message(self, text: str) -> None:
        if text != self._message:
            self._message = text
            self.redraw()

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint the head, what there is to say of the cell, and below it the answer to a key."""
        if not height:
            return []
        said = self._said(width, height)
        blank = empty(width, self.palette.text)
        lines = [*self._about_the_cell(width, height)]
        if self.large:
            lines = [each for line in lines for each in (line, blank)]
        lines = lines[: height - len(said)]
        return [*lines, *[blank] * (height - len(lines) - len(said)), *said]

    def _said(self, width: int, height: int) -> list[Line]:
        """Paint the answer to a key, on as many lines as there are below the head."""
        if not self._message:
            return []
        room = max(1, width - 2)
        is_short = len(self._message) <= room and self._message.isprintable()
        lines = [self._message] if is_short else textwrap.wrap(self._message, room) or [""]
        if len(lines) > (most := max(1, height - 1)):
            lines = [*lines[: most - 1], f"{lines[most - 1][: max(0, width - 4)]} …"]
        palette = self.palette
        return [fit([(f" {line}", palette.strong)], width, palette.text) for line in lines]

    def _about_the_cell(self, width: int, height: int) -> Iterator[Line]:
        """Paint the head, and below it how the cell got its value."""
        palette, snapshot, scene = self.palette, self._snapshot, self._scene
        if self.topic is not None:
            yield from self._about_the_topic(self.topic, width)
            return
        asked = scene.asked if scene else None
        array = snapshot.tensors.get(asked.name) if snapshot and asked else None
        if snapshot is None or scene is None or asked is None or array is None:
            if self._opening is None or snapshot is None or snapshot.place:
                yield fit([(RULE * width, palette.rule)], width, palette.text)
                return
            yield self._head(self._opening.title, self._opening.hint, width)
            for line in self._opening.lines:
                yield fit([(f" {line}", palette.text)], width, palette.text)
            return
        why = scene.insight.why
        known = why if why is not None and (why.name, why.index) == asked.cell else None
        value = array[asked.index]
        change, is_now = _change(asked, value, snapshot, scene), True
        if known is not None and not is_same(known.value, value.item()):
            value, change, is_now = array.dtype.type(known.value), "", False
        head = f"{asked.text} = {format_exact(value)}{change}"
        edited = scene.standing.edited.get(asked.name, ())
        if is_now and asked.name in snapshot.old and asked.index not in edited:
            head += f", of iteration {snapshot.iteration - 1}"
        yield self._head(head, _shapes(known, array.shape, width, snapshot.place), width)
        if known is None:
            return
        if self.large:
            left = left_of(width)
            for text in _large(known):
                yield fit([(f"{' ' * left}   {text}", palette.strong)], width, palette.text)
            return
        for label, pieces in _lines(known, snapshot, scene, width, height - 1):
            yield self._labelled(label, pieces, width, height - 1)

    def _labelled(self, label: str, pieces: list[tuple[str, str]], width: int, height: int) -> Line:
        """Paint a line after its label; below rule, numbers and meaning all have theirs."""
        has_label = width >= WIDE or (height > NARROW_LINES and label in ("", *BESIDES))
        begin = f" {label:<{_label_width(width)}}" if has_label else " "
        room = width - len(begin) - 1
        styled = [(_cut(text, room), getattr(self.palette, says)) for text, says in pieces]
        return fit([(begin, self.palette.muted), *styled], width, self.palette.text)

    def _about_the_topic(self, topic: Topic, width: int) -> Iterator[Line]:
        """Paint the head and what there is to say of something that is no cell."""
        palette, is_ascii = self.palette, draws_ascii(self.app)
        yield self._head(topic.head, topic.right, width)
        if self.large:
            left = " " * (3 + left_of(width))
            labelled = [(left, line) for line in topic.narrow]
        elif width < WIDE:
            labelled = [(" ", line) for line in topic.narrow]
        else:
            labelled = [(f" {label:<10}", line) for label, line in topic.wide]
        for label, line in labelled:
            said = ((spelled(text) if is_ascii else text, style) for text, style in line)
            pieces = [(label, palette.muted), *((t, getattr(palette, s)) for t, s in said)]
            yield fit(pieces, width, palette.text)

    def _head(self, left: str, right: str, width: int) -> Line:
        """Paint a rule with the cell at its left and the shapes at its right, if both fit."""
        palette = self.palette
        pieces: list[Piece] = [(f"{RULE} ", palette.rule), (left, palette.strong)]
        gap = width - columns(left) - columns(right) - 6
        if gap > 0:
            rule = f" {RULE * gap} "
            pieces += [(rule, palette.rule), (right, palette.muted), (f" {RULE}", palette.rule)]
        else:
            pieces.append((f" {RULE * (width - columns(left) - 3)}", palette.rule))
        return fit(pieces, width, palette.text)


def _change(asked: Asked, value: Any, snapshot: Snapshot, scene: Scene) -> str:
    """Return the arrow, the difference and the value before, of a value that has changed.

    It is that of the last key: what was edited, or what the line has replaced.
    """
    before, array = snapshot.before.get(asked.name), snapshot.tensors[asked.name]
    role = snapshot.program.tensors[asked.name].role
    edited = asked.index in scene.standing.edited.get(asked.name, ())
    if before is None or before is array or before.shape != array.shape:
        return ""
    old, new = before[asked.index].item(), value.item()
    if is_same(old, new) or not (role in (Role.PARAMETER, Role.BUFFER, Role.RATE) or edited):
        return ""
    with np.errstate(all="ignore"):
        difference = new - old
    by = to_significant(difference, 6, "+")
    return f"   {direction(old, new)} {by} from {to_significant(old, 6)}"


def _shapes(why: "Explanation | None", shape: Shape, width: int, place: int) -> str:
    """Return what stands at the right of the head: shapes, and on wide screens the step."""
    text = why.shapes if why and why.shapes else str(shape)
    if width < WIDE or why is None or why.step is None:
        return text
    return f"step {why.step}{', just run' if why.step == place - 1 else ''} · {text}"


def _large(why: "Explanation") -> Iterator[str]:
    """Yield the rule, the numbers without names, and what they mean."""
    if why.origin == "step":
        yield why.rule or why.general
        texts = [text.split(" = ") for text in why.printings]
        numbers = [" = ".join(part for part in parts if "[" not in part) for parts in texts]
        yield next((each for each in numbers if len(each) < 76), numbers[-1]).removeprefix("= ")
        yield why.sentence or why.special


def _lines(
    why: "Explanation", snapshot: Snapshot, scene: Scene, width: int, height: int
) -> Iterator[Labelled]:
    """Yield what there is to say of a cell, each with its label, in the order of its importance."""
    wide = width >= WIDE
    room = max(1, width - (11 if wide else 1) - 1)
    if why.origin != "step":
        for label, text in _given(why):
            yield label, [(text, "touched" if why.origin == "edit" else "text")]
        return
    if height > 1:
        yield "rule", _rule(why, room, wide=wide)
    printed = next((each for each in why.printings if len(each) <= room), "")
    printed = printed or _shortened(why.printed, room)
    yield "numbers", [(printed, "strong")]
    if not wide and height <= NARROW_LINES:
        says, texts = _remark(why, scene.insight)
        if texts:
            yield "", [(_fitting(texts, room), says)]
        return
    yield from _of_other_numbers(why, scene.insight)
    if why.sentence:
        yield "meaning", [(why.sentence, "text")]
    if why.special:
        yield ("zeros" if _is_of_zeros(why) else "special"), [(why.special, "text")]
    yield from besides(why, snapshot, scene, width - _label_width(width) - 2, height)


def _label_width(width: int) -> int:
    return 10 if width >= WIDE else 7


def _cut(text: str, room: int) -> str:
    """Return a text as far as there is room, with a mark where more would be."""
    if columns(text) <= room or len(text) <= 1:
        return text
    kept = text[: max(1, room - 1)]
    while len(kept) > 1 and columns(kept) >= room:
        kept = kept[:-1]
    return f"{kept}…"


def _shortened(printed: str, room: int) -> str:
    """Leave out the end of a calculation that there is no room for, but not its result."""
    calculation, equals, result = printed.rpartition(" = ")
    kept = calculation[: max(0, room - columns(equals + result) - 2)]
    return f"{kept.rpartition(' ')[0]} …{equals}{result}"


def _rule(why: "Explanation", room: int, *, wide: bool) -> list[tuple[str, str]]:
    """Return the rule: that of the tensor, that of its cells, and the step, as far as they fit."""
    left, right = why.rule or why.general, why.general if why.rule else ""
    step = f"step {why.step}"
    gap = max(5, 33 - columns(left)) if wide else 5
    if not right or columns(left) + gap + columns(right) > room:
        right, gap = "", 0
    if columns(left) > room:
        left = f"{left[: room - 1]}…"
    used = columns(left) + gap + columns(right)
    pieces = [(left, "strong"), (" " * gap + right, "text")]
    if not wide and used + 2 + len(step) <= room:
        pieces.append((step.rjust(room - used), "muted"))
    return pieces


def _remark(why: "Explanation", insight: Insight) -> tuple[str, Sequence[str]]:
    """Return what is said where there is one line for it, and how: the most particular."""
    if why.comparison is not None:
        beside = _beside_the_rule(why.comparison, why.index)
        return "touched", [*beside, *insight.printed[:1]]
    if insight.printed:
        return "error", [each for each in (_rests_on(why), *insight.printed) if each]
    # A branch or a clamp is said in place of the meaning; zeros can wait for more room.
    text = why.sentence if _is_of_zeros(why) else why.special or why.sentence
    return "text", [each for each in (_rests_on(why), text) if each]


def _of_other_numbers(
    why: "Explanation", insight: Insight
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield what is printed of a cell, what the rule gives, and whose lines it rests on."""
    if insight.printed:
        yield "? printed", [(" ".join(insight.printed), "error")]
    if why.comparison is not None:
        for at, text in enumerate(_beside_the_rule(why.comparison, why.index)):
            yield ("" if at else "≠ yours"), [(text, "touched")]
    if text := _rests_on(why):
        yield "≠", [(text, "text")]


def _beside_the_rule(own: "Comparison", index: Shape) -> list[str]:
    """Return what there is to say of a person's line beside the rule's, the shortest first."""
    if not own.different:
        return [own.beside(index)]
    here = f"The rule gives {own.reference[index]:.6g} here."
    return [each for each in (here, own.mistake, own.verdict, own.beside(index)) if each]


def _fitting(texts: Sequence[str], room: int) -> str:
    """Return as many sentences as there is room for, the first in any case."""
    said, *others = texts
    for each in others:
        if columns(said) + 1 + columns(each) <= room:
            said = f"{said} {each}"
    return said


def _rests_on(why: "Explanation") -> str:
    """Name the person's own lines that a value was computed from."""
    names = ", ".join(f"your {name} (≠)" for name in why.rests_on)
    return f"It rests on {names}." if names else ""


def _is_of_zeros(why: "Explanation") -> bool:
    """Tell whether what is particular about a calculation is that terms of it are 0."""
    return bool(why.zero_terms) and "0" in why.special and " of the " in why.special


def _given(why: "Explanation") -> Iterator[tuple[str, str]]:
    """Say where a value comes from that no line has computed."""
    if why.origin == "data":
        yield "rule", f"A number of the data, taken by step {why.step}."
        return
    if why.rule:
        yield "rule", why.rule
    if why.was:
        yield "before", why.was
    usual = "Typed in by you." if why.origin == "edit" else "A first value: no step has changed it."
    yield "meaning", why.sentence or usual
