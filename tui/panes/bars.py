"""The bars above and below everything: the status, and the keys."""

from collections.abc import Iterator

from nnstep.engine.session.snapshot import Snapshot
from nnstep.tui.actions import Action

from .line_view import Line, LineView, Piece, columns, fit

SEPARATOR = " · "


class StatusLine(LineView):
    """Shows the place of a snapshot and what is going on."""

    def __init__(self, title: str, *, id: str) -> None:
        super().__init__(id=id)
        self._title = title
        self._snapshot: Snapshot | None = None
        self._activity = ""

    def show(self, snapshot: Snapshot, activity: str) -> None:
        """Draw the place of a snapshot; `activity` says what is running, empty for nothing."""
        self._snapshot, self._activity = snapshot, activity
        self.redraw()

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint the one line."""
        return [fit(self._pieces(width), width, self.palette.bar)]

    def _pieces(self, width: int) -> Iterator[Piece]:
        if self._snapshot is None:
            return
        palette, snapshot = self.palette, self._snapshot
        activity = f"{SEPARATOR}{self._activity}" if self._activity else ""
        parts, left = place_of(snapshot), width - 1 - columns(activity)
        badge = badge_within(snapshot, left - columns(_joined(parts)))
        left -= columns(badge)
        complete = shorten(parts, left, snapshot, running=bool(activity))
        text = _joined(parts)
        left -= columns(text)
        yield f" {text}", palette.bar_strong
        yield activity, palette.bar_accent
        if badge:
            yield badge[:1], palette.bar
            yield badge[1:], palette.error
        if complete and columns(self._title) + 3 <= left:
            yield f"{' ' * (left - columns(self._title) - 1)}{self._title} ", palette.bar


def place_of(snapshot: Snapshot) -> dict[str, str]:
    """Write where a snapshot was taken, part by part: step, iteration, epoch, phase and branch."""
    current = snapshot.current
    of_total = "" if snapshot.total is None else f" of {snapshot.total}"
    phase = current.phase.value
    if current.layer is not None:
        phase += f", layer {current.layer}"
    parts = {"step": f"step {snapshot.place}{of_total}"}
    if snapshot.newest > snapshot.place:
        parts["newest"] = f"newest {snapshot.newest}"
    parts["iteration"] = f"iteration {snapshot.iteration}"
    parts["epoch"] = f"epoch {snapshot.epoch}"
    parts["phase"] = "end of the run" if snapshot.finished else phase
    parts["branch"] = f"branch {snapshot.branch.name}"
    return parts


def shorten(parts: dict[str, str], width: int, snapshot: Snapshot, *, running: bool) -> bool:
    """Leave out the parts that say least, until the others fit; tell whether all did."""
    if columns(_joined(parts)) <= width:
        return True
    ranked = ["epoch", "phase", "newest", "branch", "iteration"]
    if len(snapshot.branches) == 1:
        ranked.insert(0, "branch")
    if snapshot.epoch == snapshot.iteration:
        ranked.insert(0, "epoch")
    if running:
        # It will be another one in no time.
        ranked.insert(0, "phase")
    for name in ranked:
        parts.pop(name, None)
        if columns(_joined(parts)) <= width:
            break
    return False


def badge_within(snapshot: Snapshot, width: int) -> str:
    """Write which faults have shown up to here: the latest by its name if that fits, or how many.

    What may be no fault at all is left out. There are blanks around it, one before what is to stand
    out.
    """
    faults = [fault for fault in snapshot.faults if fault.level != "info"]
    if not faults:
        return ""
    more = f" +{len(faults) - 1}" if len(faults) > 1 else ""
    named = f"  ! {faults[-1].name}{more} "
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    return named if columns(named) <= width else f"  ! {count} "


def _joined(parts: dict[str, str]) -> str:
    return SEPARATOR.join(parts.values())


class KeyLine(LineView):
    """Shows the keys that have a place in the footer."""

    def __init__(self, actions: tuple[Action, ...], *, id: str) -> None:
        super().__init__(id=id)
        self._actions = [action for action in actions if action.footer and action.keys]

    def paint(self, width: int, height: int) -> list[Line]:
        """Paint the keys on one line."""
        return [fit(self._keys(width), width, self.palette.bar)]

    def _keys(self, width: int) -> Iterator[Piece]:
        """Paint as many keys as there is room for, the most useful ones."""
        shown = set()
        for action in sorted(self._actions, key=lambda action: action.rank):
            width -= len(_key(action)) + len(_word(action))
            if width < 0:
                break
            shown.add(action.id)
        for action in self._actions:
            if action.id in shown:
                yield _key(action), self.palette.bar_strong
                yield _word(action), self.palette.bar


def _key(action: Action) -> str:
    return f" {action.shown_keys[0]}"


def _word(action: Action) -> str:
    return f" {action.footer} "
