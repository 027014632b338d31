"""From a file to a TOML table; whatever stops it on the way is one problem with its place."""

import re
import tomllib
from codecs import BOM_UTF8
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from nnstep.engine.files import FileError, read_bytes
from nnstep.engine.limits import MAX_KEY_PARTS, MAX_SCENARIO_BYTES
from nnstep.engine.text import printable, quoted

from .errors import Problem, ScenarioError

_KEY_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = rf"(?<![A-Za-z0-9_.-]){_KEY_PART}(?:[ \t]*+\.[ \t]*+{_KEY_PART}){{{MAX_KEY_PARTS}}}"
_LONG_NUMBER = r"[0-9_]{4000,}"
_TOML_PLACE = r" \(at (?:line (\d+), column (\d+)|end of document)\)$"
_DEEP = 100
_DEFINED_TWICE = ("Cannot ", "Duplicate ")


class Source(Struct, frozen=True):
    """A scenario file as it was read: the path as given, the text, and its TOML table."""

    path: str
    text: str
    table: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        """Where the scenario's data files are looked for."""
        return Path(self.path).parent


def read_source(path: str | Path) -> Source:
    """Read and parse a TOML file; raise `ScenarioError`."""
    name = str(path)
    try:
        content = read_bytes(Path(path), MAX_SCENARIO_BYTES).removeprefix(BOM_UTF8)
        text = content.decode()
    except FileError as error:
        raise ScenarioError([Problem(name, 1, 1, str(error))]) from None
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        raise _error(name, before, len(before), "this byte is not UTF-8 text") from None
    return Source(name, text, _parsed(name, text))


def _parsed(path: str, text: str) -> dict[str, Any]:
    if long_key := _long_key(text):
        message = f"a key has more than {MAX_KEY_PARTS} parts joined by dots"
        raise _error(path, text, long_key.start(), message)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(path, text, str(error)) from None
    except RecursionError:
        message = "lists or tables are nested too deeply"
        raise _error(path, text, _deep_bracket(text), message) from None
    except ValueError:
        number = re.search(_LONG_NUMBER, text)
        message = "a whole number has too many digits"
        raise _error(path, text, number.start() if number else 0, message) from None


def _long_key(text: str) -> re.Match[str] | None:
    """Find a key of too many parts; it takes a line with as many dots."""
    has_dots = any(line.count(".") >= MAX_KEY_PARTS for line in text.split("\n"))
    return re.search(_LONG_KEY, text) if has_dots else None


def _syntax_error(path: str, text: str, message: str) -> ScenarioError:
    """Return the error for what tomllib said of the text."""
    place = re.search(_TOML_PLACE, message)
    what = printable(message[: place.start()] if place else message)
    offset = len(text)
    if place and place[1]:
        offset = _offset(text, int(place[1]), int(place[2]))
    if what.startswith(_DEFINED_TWICE):
        from .locate import statement_key

        if found := statement_key(text, offset):
            offset, key = found
            return _error(path, text, offset, f"the key {quoted(key)} is defined already")
    if what == "Invalid value":
        what += "; text stands in quotation marks, truth values are true and false"
    return _error(path, text, offset, f"not valid TOML: {what[:1].lower()}{what[1:]}")


def _offset(text: str, line: int, column: int) -> int:
    """Return the place in the text of a line and column, both from 1."""
    start = 0
    for _ in range(line - 1):
        start = text.index("\n", start) + 1
    return start + column - 1


def _deep_bracket(text: str) -> int:
    """Return where brackets are first nested too deeply, whatever else the text may be."""
    depth = 0
    for bracket in re.finditer(r"[\[\]{}]", text):
        depth += 1 if bracket.group() in "[{" else -1
        if depth > _DEEP:
            return bracket.start()
    return 0


def _error(path: str, text: str, offset: int, message: str) -> ScenarioError:
    line, column = line_and_column(text, offset)
    return ScenarioError([Problem(path, line, column, message)])


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Return the line and column, from 1, of the character `text[offset]`."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
