"""Keeping a session while it is worked on, and taking up one that lost its terminal."""

from collections.abc import Callable

from nnstep.engine.saving.state import SavedSession, save
from nnstep.engine.session.session import Session

from .recovery import Autosave, Offer, find_offer


class Keeping:
    """Keeps one session on disk; `offer` is an earlier one of its scenario, if one is left over."""

    def __init__(self, session: Session, tell: Callable[[str], object]) -> None:
        self._session = session
        self._autosave = Autosave(session.scenario, _untouched(session), tell)
        self.offer: Offer | None = find_offer(session.scenario)
        self._ended = False
        self.note()
        self.hand_over()

    def note(self) -> None:
        """Take note of the state of the session, which nothing else uses meanwhile."""
        self._noted, self._is_written = save(self._session), False

    def hand_over(self) -> None:
        """Have what was noted last written."""
        if not self._is_written and not self._ended:
            self._is_written = True
            self._autosave.keep(self._noted)

    def take_over(self, offer: Offer) -> None:
        """Keep this session in place of an earlier one, which it continues."""
        self._autosave.take_up(offer, save(self._session))

    def end(self, *, keep: bool) -> None:
        """Stop, for good; leave the session behind for the next start, or nothing at all.

        A session with edits is always left: they are work.
        """
        if not self._ended:
            self.hand_over()
            self._ended = True
            self._autosave.end(keep=keep or self._noted.edits > 0)


def _untouched(session: Session) -> SavedSession:
    return save(Session(session.scenario, iterations=None, history=None))
