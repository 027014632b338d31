"""A session file is the list of the commands that have changed the session, a line each.

    # nnstep session 2 {"nnstep": "0.1.0", "scenario": {"name": "mazur", …}}  # sum 5c1e22f0
    goto 412  # loss 0.298371 bits 9f3a01bc sum 1f9e33aa
    set W1[0, 1] = 0.30000000000000004  # sum 77aa0011

Executed again, they lead to the same bits. The places where nothing was changed are not all there:
only how far a branch had been run and where one was when a change was made, and at the end; so
with how often somebody who hunts had looked. Behind a place stand the loss there and a digest of
all live tensors, and at the end of each line a checksum that depends on all lines before it.
Whoever edits a file deletes that of the first line: then none is looked at. What may be in a file
that comes from anybody is limited here.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from nnstep.engine.arrays import Array
from nnstep.engine.files import FileError, read_bytes
from nnstep.engine.language.typed import Typed, typed
from nnstep.engine.limits import MAX_COUNT, MAX_TEXT
from nnstep.engine.machine.start import run_length
from nnstep.engine.text import printable

from .reference import Reference, SessionFileError, reference_to

if TYPE_CHECKING:
    from nnstep.engine.commands.command import Answer
    from nnstep.engine.session.session import Session

SUFFIX = ".session"
MAX_SESSION_BYTES = 16 * 2**20
MAX_LINES = 10_000
FORMAT = 2
_TITLE = "# nnstep session "
_BEGINNING = f"{_TITLE}{FORMAT} "
_COMMENT = re.compile(r"  # (?:loss \S+ )?(?:bits ([0-9a-f]{8}) )?sum ([0-9a-f]{8})$")
_PLACE = re.compile(r"goto ([0-9]{1,15})")
_OLD = (
    "it is a session of format 1, which this version of nnstep does not read; "
    "go on with it in the version that wrote it, or make its edits, which it lists, here again"
)


_ASKING = "override"
"""What changes nothing as it stands here, without anything behind it."""

_EDITS = {"set": 1, "override": 1, "redo": 1, "undo": -1}
"""How many edits more there are after a command."""


class Header(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The first line: which scenario the session is of, and how long its run is if not as there."""

    nnstep: str
    scenario: Reference
    iterations: Annotated[int, Meta(ge=0, le=MAX_COUNT)] | None = None


class Line(Struct, frozen=True):
    """A command of a session file, and the digest of the tensors that it had led to, if told."""

    number: int
    text: str
    bits: str = ""

    @property
    def place(self) -> int | None:
        """Where it goes, if it is such a line."""
        found = _PLACE.fullmatch(self.text)
        return int(found[1]) if found else None


class Script(Struct, frozen=True):
    """What a session file says; `problem` is what is wrong with its first line that is left out."""

    header: Header
    lines: tuple[Line, ...]
    problem: str = ""

    @property
    def place(self) -> int:
        """Where the session was left."""
        places = [line.place for line in self.lines if line.place is not None]
        return places[-1] if places else 0

    @property
    def edits(self) -> int:
        """How many edits have been made, without those that were undone."""
        return _edits(line.text for line in self.lines)

    @property
    def instructions(self) -> int:
        """How many instructions its places ask for, where no other command goes anywhere."""
        asked = here = 0
        for line in self.lines:
            place = 0 if line.text.startswith("restart") else line.place
            if place is not None:
                asked += max(0, place - here)
                here = place
        return asked


def _edits(commands: Iterable[str]) -> int:
    return max(0, sum(_EDITS.get(text.split(" ", 1)[0], 0) for text in commands if text != _ASKING))


# Reading


def read_session(path: str | Path) -> Script:
    """Read a session file; raise `SessionFileError`, and never change the file."""
    try:
        return script(read_bytes(Path(path), MAX_SESSION_BYTES))
    except FileError as error:
        raise SessionFileError(str(error), str(path)) from None
    except SessionFileError as error:
        raise error.of(str(path)) from None


def script(content: bytes) -> Script:
    """Return what the contents of a session file say, up to the first line that does not hold.

    Raises `SessionFileError` if the first line is not that of a session. Whether the commands fit
    the scenario shows when they are executed.
    """
    *rows, unfinished = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    header, before = _header(rows[0] if rows else unfinished, whole=bool(rows))
    lines: list[Line] = []
    problem = ""
    try:
        for number, row in enumerate(rows[1:], 2):
            text = _text(row, number)
            found = _COMMENT.search(text)
            if before:
                before = _checked(before, text, found, number)
            command = typed(without_comment(text)).text
            if command:
                lines.append(Line(number, command, (found[1] or "") if found else ""))
        if unfinished.strip():
            problem = f"line {len(rows) + 1}, the last one, has no end and is left out"
    except SessionFileError as error:
        problem = f"{error}; it and what follows are left out"
    return Script(header, tuple(lines), problem)


def without_comment(text: str) -> str:
    """Return a line of a session file, as text, without what was written behind the command."""
    return _COMMENT.sub("", text)


def _header(row: bytes, *, whole: bool) -> tuple[Header, str]:
    """Return what the first line says, and its checksum, empty if it has none."""
    if row.lstrip()[:1] == b"{":
        raise SessionFileError(_OLD)
    text = row.decode(errors="replace").rstrip("\r")
    if not text.startswith(_TITLE):
        raise SessionFileError("this is no session file: one begins with # nnstep session", "", 1)
    if not text.startswith(_BEGINNING):
        word = printable(text.removeprefix(_TITLE)[:20].split(" ")[0])
        known = f"this version of nnstep reads format {FORMAT}"
        raise SessionFileError(f"{known}, and the file has format '{word}'", "", 1)
    if not whole:
        raise SessionFileError("the file ends within its first line", "", 1)
    if found := _COMMENT.search(text):
        _checked("", text, found, 1)
        text = text[: found.start()]
    try:
        header = msgspec.json.decode(text.removeprefix(_BEGINNING), type=Header)
    except (msgspec.MsgspecError, RecursionError):
        raise SessionFileError("the first line is damaged", "", 1) from None
    return header, found[2] if found else ""


def _text(row: bytes, number: int) -> str:
    """Return a line as text that is fit to show."""
    if number > MAX_LINES + 1:
        raise SessionFileError(f"line {number} is one more than the {MAX_LINES} that are executed")
    if len(row) > 4 * MAX_TEXT:
        raise SessionFileError(f"line {number} is longer than {MAX_TEXT} characters")
    try:
        text = row.decode().rstrip("\r")
    except UnicodeDecodeError:
        raise SessionFileError(f"line {number} is not UTF-8 text") from None
    if printable(text.replace("\t", " ")) != text.replace("\t", " "):
        raise SessionFileError(f"line {number} holds a character that cannot be shown")
    return text


def _checked(before: str, text: str, found: re.Match[str] | None, number: int) -> str:
    """Return the checksum of a line; raise `SessionFileError` if it is not that behind the line."""
    if found and _sum(before, text[: found.end() - _SUM_LENGTH]) == found[2]:
        return found[2]
    raise SessionFileError(
        f"line {number} is not as it was written; if you changed it yourself, "
        "delete '  # sum …' at the end of the first line"
    )


_SUM_LENGTH = 8


def _sum(before: str, text: str) -> str:
    """Return the checksum of a line; `before` is that of the line before it."""
    content = f"{before}\n{text}".encode()
    return hashlib.blake2b(content, digest_size=_SUM_LENGTH // 2).hexdigest()


def digest(tensors: Mapping[str, Array]) -> str:
    """Return 8 hexadecimal digits that depend on every bit of all tensors, and on their names."""
    found = hashlib.blake2b(digest_size=4)
    for name in sorted(tensors):
        array = tensors[name]
        little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
        found.update(f"{name} {little.dtype.str} {little.shape} ".encode())
        found.update(little.tobytes())
    return found.hexdigest()


# Writing


class Entry:
    """A line that will be in the file; what stands behind a place is worked out when it is."""

    def __init__(
        self, text: str, tensors: Mapping[str, Array] | None = None, loss: str = ""
    ) -> None:
        self.text = text
        self._tensors = tensors
        self._loss = loss
        self._row = ""

    @property
    def row(self) -> str:
        """The line up to its checksum; two threads may ask for it at once."""
        tensors = self._tensors
        if not self._row:
            parts = [f"{self.text}  # "]
            if tensors is not None:
                loss = tensors.get(self._loss)
                if loss is not None and loss.size == 1:
                    parts.append(f"loss {loss.item():.6g} ")
                parts.append(f"bits {digest(tensors)} ")
            self._row = f"{''.join(parts)}sum "
            self._tensors = None
        return self._row


class Journal:
    """The commands that a session has been given since it began, to be written to its file.

    `before` and `after` are told of every command that is kept; `note` takes down where the session
    is, which holds until the next change. The session is at its first step when this is made. `own`
    is the file that it was saved to, or opened from, if there is one.
    """

    def __init__(self, session: "Session") -> None:
        self.own: Path | None = None
        self._session = session
        # What stays, and the end of the file: one value, which another thread may be writing.
        self._lines: tuple[tuple[Entry, ...], tuple[Entry, ...]] = ((), ())
        # What leads from the last line that stays to where the session is.
        self._way: tuple[Entry, ...] = ()
        # How far the branch had come after the last entry, where the session was, and how often
        # somebody who hunts had looked.
        self._newest = self._place = self._looks = 0
        # How many edits there are; and what was laid out last of what stays: how many entries, and
        # the checksum of the last. No entry that stays ever changes.
        self._edits = 0
        self._laid: tuple[bytes, int, str] = b"", 0, ""
        self.note(session)

    @property
    def runs(self) -> "Mapping[str, Callable[[Session, Typed], Answer]]":
        """What carries out the commands about the files of sessions."""
        from .command import runs_of

        return runs_of(self)

    @property
    def edits(self) -> int:
        """How many edits have been made, without those that were undone."""
        return max(0, self._edits)

    @property
    def state(self) -> tuple[int, str]:
        """How many lines stay, and the last of those that do not: it tells two states apart."""
        entries, end = self._lines
        return len(entries), end[-1].text if end else ""

    def before(self, session: "Session") -> None:
        """Take down where a command that is kept begins."""
        self.note(session)

    def after(self, text: str, session: "Session") -> None:
        """Take down a command that has been executed."""
        self._newest, self._place = session.newest, session.place
        self._looks = _looks(session)
        line = _one_line(text)
        self._edits += 0 if line == _ASKING else _EDITS.get(line.split(" ", 1)[0], 0)
        self._note((*self._lines[0], *self._way, Entry(line)), session)

    def note(self, session: "Session") -> None:
        """Take down where the session is, and how far its branch has come."""
        self._note(self._lines[0], session)

    def _note(self, entries: tuple[Entry, ...], session: "Session") -> None:
        newest, here = session.newest, session.place
        places = [newest] if newest > self._newest else []
        if here != (newest if places else self._place):
            places.append(here)
        looks = _looks(session)
        looked = (Entry(f"hunt looks {looks}"),) if looks > self._looks else ()
        self._way = *looked, *(_at(session, place) for place in places)
        ends = places or not entries
        self._lines = entries, self._way if ends else (*looked, _at(session, here))

    def write(self) -> None:
        """Write nothing: a journal is in memory, and `Keeping` has it in a file."""

    @cached_property
    def _header(self) -> Header:
        session = self._session
        length = None if session.total is None else session.total // len(session.program)
        own = length == run_length(session.scenario)
        reference = reference_to(session.scenario, session.first_program)
        return Header(_version(), reference, None if own else length)

    def laid_out(self, folder: Path | None = None) -> tuple[bytes, bytes]:
        """Return the lines that stay, and those at the end, which the next ones will replace.

        With a `folder`, they are for a file in it, which may be moved with its scenario. Raises
        `SessionFileError` for what could not be read again.
        """
        header, (entries, end) = self._header, self._lines
        if folder is not None:
            header = replace(header, scenario=header.scenario.seen_from(folder))
        try:
            first = f"{_BEGINNING}{msgspec.json.encode(header).decode()}  # sum "
        except UnicodeEncodeError:
            raise SessionFileError(
                "the scenario's path holds a character that is no text"
            ) from None
        if len(entries) + len(end) > MAX_LINES:
            raise SessionFileError(f"a session file holds at most {MAX_LINES} lines")
        stay, count, before = self._laid if folder is None else (b"", 0, "")
        if not stay:
            stay, before = _summed([first], "")
        more, before = _summed((entry.row for entry in entries[count:]), before)
        stay += more
        if folder is None:
            self._laid = stay, len(entries), before
        return stay, _summed((entry.row for entry in end), before)[0]


def _summed(rows: Iterable[str], before: str) -> tuple[bytes, str]:
    """Return lines with their checksums, and the last of these; `before` is the one before them."""
    lines: list[str] = []
    for row in rows:
        if len(row) > MAX_TEXT:
            raise SessionFileError(f"a command has more than {MAX_TEXT} characters")
        before = _sum(before, row)
        lines.append(f"{row}{before}\n")
    return "".join(lines).encode(), before


def _one_line(text: str) -> str:
    """Return a command as it stands in the file: by its full name, without a comment."""
    from nnstep.engine.commands.interpreter import find

    line = typed("".join(" " if character.isspace() else character for character in text))
    return printable(f"{find(line.first).name} {line.rest.text}".rstrip())


def _looks(session: "Session") -> int:
    """Return how often the gradients were verified to find a hidden mistake."""
    return session.hunt.looks if session.hunt else 0


def _at(session: "Session", place: int) -> Entry:
    """Return the line that goes to a place, with what there is there if that is at hand."""
    tensors = None
    if place == session.place:
        tensors = session.values()
    elif session.is_near(place):
        tensors = session.values_at(place)
    return Entry(f"goto {place}", tensors, session.program.loss)


@cache
def _version() -> str:
    """Return the version of nnstep; to look for it takes longer than to write a session."""
    from importlib.metadata import version

    return version("nnstep")
