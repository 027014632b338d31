"""Where a character of a TOML string stands between the quotation marks that it was written in."""

import re
import tomllib

_TRIPLE = ('"""', "'''")
_CONTINUATION = re.compile(r"(?:\\[ \t]*\r?\n[ \t\r\n]*)+")
_WRITTEN = re.compile(r"\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8}|\\.|\r\n|.", re.DOTALL)
_LITERAL = re.compile(r"\r\n|.", re.DOTALL)


def written_offset(written: str, offset: int) -> int:
    """Return the index into `written`, a TOML string with its marks, of its value's `offset`."""
    marks = 3 if written.startswith(_TRIPLE) else 1
    character = _WRITTEN if written[0] == '"' else _LITERAL
    position = marks
    if marks == 3 and (line_end := re.compile(r"\r?\n").match(written, position)):
        position = line_end.end()
    while True:
        if character is _WRITTEN and (skipped := _CONTINUATION.match(written, position)):
            position = skipped.end()
        match = character.match(written, position)
        if offset == 0 or match is None:
            return position
        position = match.end()
        offset -= 1


def string_value(written: str) -> str:
    """Return the value of a TOML string as it is written, with its marks."""
    value: str = tomllib.loads(f"value = {written}")["value"]
    return value
