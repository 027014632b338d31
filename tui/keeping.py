"""Keeping a session while it is worked on, and taking up one that lost its terminal."""

from collections.abc import Callable

from nnstep.engine.saving.state import SavedSession, save
from nnstep.engine.session.session import Session
from nnstep.tui.recovery import Autosave, Offer, find_offer


class Keeping:
    """Keeps one session on disk; `offer` is an earlier one of its scenario, if one is left over."""

    def __init__(self, session: Session, tell: Callable[[str], object]) -> None:
        self._session = session
        self._autosave = Autosave(session.scenario, _untouched(session), tell)
        self.offer: Offer | None = find_offer(session.scenario)
        self._ended = False
        self.keep()

    def keep(self) -> None:
        """Have the present state of the session written."""
        if not self._ended:
            self._autosave.keep(save(self._session))

    def take_over(self, offer: Offer) -> None:
        """Keep this session in place of an earlier one, which it continues."""
        self._autosave.take_up(offer, save(self._session))

    def end(self, *, keep: bool) -> None:
        """Stop, for good; leave the session behind for the next start, or nothing at all.

        A session with edits is always left: they are work.
        """
        if not self._ended:
            self._ended = True
            self._autosave.end(keep=keep or save(self._session).edits > 0)


def _untouched(session: Session) -> SavedSession:
    return save(Session(session.scenario, iterations=None, history=None))
