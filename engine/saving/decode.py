"""Reading the text of a session file; whatever is wrong with it is told in plain words."""

import re
from typing import TypeVar

import msgspec
from msgspec import Struct

from nnstep.engine.scenario.convert import expectation, shown
from nnstep.engine.scenario.source import line_and_column
from nnstep.engine.text import quoted

from . import schema
from .build import saved_session
from .checksum import checksum
from .errors import SessionFileError
from .old_reference import Reference
from .state import SavedSession

_Wanted = TypeVar("_Wanted", bound=Struct)
_DAMAGED = "the file is damaged, and was left as it is"
_BYTE = re.compile(r" \(byte (\d+)\)$")
_WHERE = re.compile(r" - at `\$\.?([^`]*)`$")
_FIELD = re.compile(r"Object (contains unknown|missing required) field `(.*)`$", re.DOTALL)


class _Format(Struct):
    format: int


class Decoded(Struct, frozen=True):
    """What a session file says."""

    reference: Reference
    saved: SavedSession


def decode(content: bytes) -> Decoded:
    """Return what a session file says; raise `SessionFileError` if it is not a whole, sound one.

    Whether it fits its scenario shows when it is replayed.
    """
    text = _text(content)
    found = _parsed(text, _Format).format
    if found != schema.FORMAT:
        reads = f"this version of nnstep reads format {schema.FORMAT}"
        raise SessionFileError(f"{reads}, and the file has {shown(found)}")
    file = _parsed(text, schema.File)
    if file.check is not None and file.check != checksum(msgspec.json.decode(text)):
        raise SessionFileError(
            f"its contents do not agree with its checksum: {_DAMAGED}; "
            'if you changed it yourself, delete the line that begins with "check"'
        )
    try:
        saved = saved_session(file)
    except SessionFileError as error:
        raise _damaged(error.problem) from None
    return Decoded(Reference(**msgspec.structs.asdict(file.scenario)), saved)


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", "replace")
        raise _damaged("this byte is not UTF-8 text", before, len(before)) from None


def _parsed(text: str, wanted: type[_Wanted]) -> _Wanted:
    try:
        return msgspec.json.decode(text, type=wanted)
    except msgspec.ValidationError as error:
        raise _damaged(_invalid(str(error))) from None
    except msgspec.DecodeError as error:
        message = str(error)
        if place := _BYTE.search(message):
            before = text.encode()[: int(place[1])].decode(errors="replace")
            what = message[: place.start()].removeprefix("JSON is malformed: ")
            raise _damaged(f"this is not valid JSON: {what}", text, len(before)) from None
        raise _damaged("the file ends too early", text, len(text)) from None
    except RecursionError:
        raise _damaged("its lists are nested too deeply") from None


def _invalid(message: str) -> str:
    """Put msgspec's message about a value into plain words."""
    where = _WHERE.search(message)
    what = message[: where.start()] if where else message
    inside = f" in {where[1]}" if where else ""
    if field := _FIELD.match(what):
        if field[1] == "missing required":
            return f"the key {quoted(field[2])} is missing{inside}"
        return f"there is an unknown key {quoted(field[2])}{inside}"
    if what.startswith("Invalid enum value"):
        return f"{where[1] if where else 'it'} is a word that has no meaning there"
    expected, _ = expectation(what)
    return f"{where[1] if where else 'it'} must be {expected}"


def _damaged(problem: str, text: str = "", offset: int | None = None) -> SessionFileError:
    line, column = (0, 0) if offset is None else line_and_column(text, offset)
    return SessionFileError(f"{problem}; {_DAMAGED}", "", line, column)
