"""Everything there is to say about one scenario: mistakes and doubts, by key, placed at the end."""

from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from .errors import Keys, Part, Problem, ScenarioError
from .source import Source

if TYPE_CHECKING:
    from .locate import Locator

_MOST_PROBLEMS = 100


class _Remark(Struct, frozen=True):
    keys: Keys
    message: str
    part: Part
    offset: int | None


class Report:
    """Collects mistakes and warnings about a file; looks for their lines only when asked."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._errors: list[_Remark] = []
        self._warnings: list[_Remark] = []
        self._last_file: tuple[str, bytes] = ("", b"")

    def data_file(self, name: str) -> bytes:
        """Return what is in a file beside the scenario; raise `DataError`.

        The last one is kept: the arrays of all layers often stand in one file.
        """
        if self._last_file[0] != name:
            from .datafiles import read_data_file

            self._last_file = name, read_data_file(self.source.folder, name)
        return self._last_file[1]

    def error(
        self, keys: Keys, message: str, *, part: Part = "value", offset: int | None = None
    ) -> None:
        """Note a mistake in what `keys` lead to; `offset` is that of a character in a string."""
        if not self.is_full:
            self._errors.append(_Remark(keys, message, part, offset))

    def warning(
        self, keys: Keys, message: str, *, part: Part = "value", offset: int | None = None
    ) -> None:
        """Note a doubt about what `keys` lead to; `offset` is that of a character in a string."""
        self._warnings.append(_Remark(keys, f"warning: {message}", part, offset))

    @property
    def is_full(self) -> bool:
        """Whether so many mistakes were noted that no more are kept."""
        return len(self._errors) >= _MOST_PROBLEMS

    def raise_errors(self) -> None:
        """Raise `ScenarioError` if a mistake was noted."""
        if self._errors:
            raise ScenarioError(self._placed(self._errors))

    def warnings(self) -> tuple[str, ...]:
        """Return the doubts, as `file:line:column: warning: message`."""
        return tuple(map(str, self._placed(self._warnings)))

    def _placed(self, remarks: list[_Remark]) -> list[Problem]:
        path = self.source.path
        return sorted(
            Problem(
                path, *self._locator.place(remark.keys, remark.part, remark.offset), remark.message
            )
            for remark in remarks
        )

    @cached_property
    def _locator(self) -> "Locator":
        from .locate import Locator

        return Locator(self.source.text)
